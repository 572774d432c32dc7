"""Prints which browser works here: starts each candidate, types into a page and reads it back.

    .venv/bin/python scripts/browser_smoke.py

Looks for browsers and starts them exactly as the product does. Exit 0 with the first that works, 3 if none does;
why a candidate failed goes to stderr.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from playwright.async_api import Error, Playwright, async_playwright

from src.channels.browser import find_browsers, launch_options
from src.errors import SettingsError

TEXT = "Déjà vu, 日本 🙂\nand a second line"
PAGE = '<div id="composer" contenteditable="true" role="textbox" style="white-space: pre-wrap"></div>'
NONE_WORKS = 3


def first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


async def try_browser(playwright: Playwright, executable: str) -> str:
    """The browser's version. Raises Error if it does not start or does not take the text."""
    options = launch_options() | {"timeout": 20_000}
    browser = await playwright.chromium.launch(executable_path=executable, **options)
    try:
        page = await browser.new_page()
        await page.set_content(PAGE)
        composer = page.locator("#composer")
        await composer.fill(TEXT)
        if await composer.inner_text() != TEXT:
            raise Error("what was typed was not what could be read back")
        return browser.version
    finally:
        await browser.close()


async def main() -> int:
    try:
        async with async_playwright() as playwright:
            explicit = os.environ.get("BROWSER_EXECUTABLE_PATH")
            for executable in find_browsers(explicit, playwright.chromium.executable_path):
                started = time.perf_counter()
                try:
                    version = await try_browser(playwright, executable)
                except Error as error:
                    print(f"{executable} does not work: {first_line(error)}", file=sys.stderr)
                    continue
                print(f"    works: {executable}, version {version} ({time.perf_counter() - started:.1f} s)")
                return 0
    except (Error, OSError) as error:
        print(f"Playwright does not start: {first_line(error)}", file=sys.stderr)
    except SettingsError as error:
        print(error, file=sys.stderr)
    else:
        print("no browser works: none was found, or none of those above", file=sys.stderr)
    return NONE_WORKS


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
