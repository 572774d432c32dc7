"""Long lists, a page at a time: each page begins after the last row of the one before it."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlencode

from src.api.dashboard.page import Page
from src.api.ids import moment_of
from src.db.search import Key
from src.services.refusals import Malformed


def page_after(page: Page, at: datetime, row_id: str) -> str:
    """The address of this page, going on after a row."""
    asked = {k: v for k, v in page.request.query_params.items() if k not in {"after", "done"}}
    key = f"{at.astimezone(UTC).isoformat()}~{row_id}"
    return f"{page.request.url.path}?{urlencode({**asked, 'after': key})}"


def read_key(text: str | None) -> Key | None:
    """The key in an address; None for none. ``Malformed`` if somebody has changed it."""
    if not text:
        return None
    at, _, row_id = text.partition("~")
    if not row_id or "\0" in row_id:
        raise Malformed("after", "is not where a page ends")
    return moment_of(at, "after"), row_id
