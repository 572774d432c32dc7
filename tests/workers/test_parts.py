"""What is put together for each account."""

import pytest

from src.account import Account
from src.settings import Settings
from src.workers.parts import Machine, Parts
from tests.support.folder import FakeFolder


@pytest.mark.parametrize(("number", "common"), [(3, False), (4, True)])
def test_more_than_three_accounts_with_a_browser_share_one(tmp_path, number, common):
    given = []

    class Folder(FakeFolder):
        def build(self, _settings, place):
            given.append(place.common_browser)

    listed = [
        Account(f"house-{n}", "airbnb", tmp_path / str(n), own=FakeFolder.SETTINGS()) for n in range(number)
    ]
    without = Account("bea", "pgnotify", tmp_path / "bea")
    settings = Settings(log_dir=tmp_path / "logs", listed=(*listed, without))
    parts = Parts(find_channel=Folder(None).find)
    for account in listed:
        parts.make_channel(account, Machine.of(settings))
    assert set(given) == {common}
