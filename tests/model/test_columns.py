"""One column type for times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy.dialects import sqlite

from src.model.columns import UtcDateTime

DIALECT = sqlite.dialect()  # type: ignore[no-untyped-call]


def test_a_time_of_another_zone_is_stored_as_utc():
    noon_in_paris = datetime(2026, 11, 20, 12, tzinfo=timezone(timedelta(hours=1)))
    assert UtcDateTime().process_bind_param(noon_in_paris, DIALECT) == datetime(2026, 11, 20, 11, tzinfo=UTC)


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        UtcDateTime().process_bind_param(datetime(2026, 11, 20, 12), DIALECT)  # noqa: DTZ001 - that is the point


def test_what_sqlite_gives_back_is_utc():
    given_back = UtcDateTime().process_result_value(datetime(2026, 11, 20, 12), DIALECT)  # noqa: DTZ001
    assert given_back == datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert UtcDateTime().process_result_value(None, DIALECT) is None
