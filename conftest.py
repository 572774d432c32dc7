"""What pytest-playwright needs to know here: which browser to start, how, and when its tests may run.

Everything else that tests share is in ``tests/conftest.py``.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from playwright.sync_api import Playwright

from src.channels.browser import find_browsers, launch_options

PLAYWRIGHT_FIXTURES = frozenset({"playwright", "browser", "context", "page", "new_context"})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests on pytest-playwright's fixtures run last.

    Its synchronous API leaves an event loop running in the main thread until the end of the session; every
    asynchronous test after that would fail.
    """
    items.sort(key=lambda item: not PLAYWRIGHT_FIXTURES.isdisjoint(getattr(item, "fixturenames", ())))


@pytest.fixture(scope="session")
def browser_type_launch_args(
    browser_type_launch_args: dict[str, Any], playwright: Playwright
) -> dict[str, Any]:
    """The browser that the product itself would start, with the product's own options."""
    found = find_browsers(os.environ.get("BROWSER_EXECUTABLE_PATH"), playwright.chromium.executable_path)
    if not found:
        pytest.fail("no browser was found; sh scripts/setup.sh installs one")
    return {**browser_type_launch_args, **launch_options(), "executable_path": found[0]}
