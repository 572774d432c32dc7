"""Makes the pictures of the README: python scripts/make_pictures.py [--dashboard]

Starts ``src/main.py demo``, waits until the guests have their replies, and photographs the simulated inbox. Then
serves the dashboard on a database of invented guests, and photographs its pages (with ``--dashboard``: only these).
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parent.parent
sys.path[:] = [str(ROOT), *(p for p in sys.path if Path(p or ".").resolve() != ROOT / "scripts")]

from playwright.async_api import async_playwright
from playwright.sync_api import Page, sync_playwright

from benchmarks.crowd import fill
from src.api.server import serve
from src.channels.browser import find_browsers, launch_options
from src.commands.serving import make_app
from src.db.engine import Database
from src.db.wakeup import Wakeup
from src.settings import Settings

IMAGES = ROOT / "docs" / "images"
PICTURE = IMAGES / "demo.png"
DESK, PHONE = (1280, 800), (390, 800)
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


async def photograph_dashboard(folder: Path) -> None:
    """The overview on a desk, and a draft on a phone in the dark."""
    db = Database.open(f"sqlite:///{folder}/pictures.db")
    newest = fill(db, datetime.now(UTC), 400)
    wakeup, stop = Wakeup(db), asyncio.Event()
    settings = Settings(ai_webhook_url="http://127.0.0.1:9/", time_zone="Europe/Paris")
    app = make_app(settings, db, wakeup, is_conversation_id=lambda *_: True)
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    ending = app.state.streams.end
    serving = serve(app, "127.0.0.1", 0, stop=stop, on_started=address.set_result, on_ending=ending)
    server = asyncio.create_task(serving)
    draft = f"/conversations/{quote(newest[2], safe='')}#job-o2-4"
    async with async_playwright() as playwright:
        found = find_browsers(None, playwright.chromium.executable_path)[0]
        browser = await playwright.chromium.launch(executable_path=found, **launch_options())
        for name, path, (width, height), scheme in (
            ("dashboard-overview", "/", DESK, "light"),
            ("dashboard-draft", draft, PHONE, "dark"),
        ):
            context = await browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme=scheme,  # type: ignore[arg-type]
                locale="en-GB",
            )
            page = await context.new_page()
            await page.goto(f"{await address}{path}")
            await page.screenshot(path=IMAGES / f"{name}.png")
            print(f"Written: docs/images/{name}.png")
        await browser.close()
    stop.set()
    await server
    wakeup.close()
    db.close()


def main() -> None:
    """Photograph the inbox, then the dashboard."""
    if "--dashboard" not in sys.argv:
        photograph_demo()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(photograph_dashboard(Path(folder)))


def photograph_demo() -> None:
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
