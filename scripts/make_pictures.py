"""Makes the pictures of the README from the running demo: python scripts/make_pictures.py

Starts ``src/main.py demo``, waits until the guests have their replies, and photographs the simulated inbox.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:] = [str(ROOT), *(p for p in sys.path if Path(p or ".").resolve() != ROOT / "scripts")]

from playwright.sync_api import Page, sync_playwright

from src.channels.browser import find_browsers, launch_options

PICTURE = ROOT / "docs" / "images" / "demo.png"
PATIENCE_SEC = 90


def address_of_the_inbox(demo: subprocess.Popen[str]) -> str:
    """What the demo prints as the address of its inbox."""
    assert demo.stdout is not None  # noqa: S101 (opened with a pipe)
    for line in demo.stdout:
        found = re.search(r"the inbox\s+(http://127\.0\.0\.1:\d+)/hosting/messages", line)
        if found:
            return found.group(1)
    raise SystemExit("The demo ended before it printed its address.")


def photograph(page: Page, site: str) -> None:
    """Wait for the reply in the first conversation, then take the picture."""
    page.goto(f"{site}/hosting/messages")
    page.locator('a[data-testid^="inbox_list_"]', has_text="Emma").first.click()
    page.locator('[data-testid="message-list"]', has_text="thank you").wait_for(timeout=PATIENCE_SEC * 1000)
    time.sleep(1)  # for the page's own animations; nothing depends on it but the looks
    page.screenshot(path=PICTURE)


def main() -> None:
    """Start, photograph, stop."""
    demo = subprocess.Popen(
        [sys.executable, "-u", "src/main.py", "demo"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        site = address_of_the_inbox(demo)
        with sync_playwright() as playwright:
            found = find_browsers(None, playwright.chromium.executable_path)[0]
            browser = playwright.chromium.launch(executable_path=found, **launch_options())
            photograph(browser.new_page(viewport={"width": 1280, "height": 720}), site)
            browser.close()
    finally:
        demo.terminate()
        demo.wait(timeout=60)
    print(f"Written: {PICTURE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
