"""A few trials of ``app_killed``; the script makes any number of them."""

from __future__ import annotations

import pytest

from sandbox.pgnotify.app import App
from tests.faults.app_killed import kill_again_and_again

pytestmark = pytest.mark.postgres


def test_killed_at_random_steps_nothing_is_lost_doubled_or_torn(empty_postgres_url, tmp_path):
    app = App(empty_postgres_url)
    folder = tmp_path / "ours"
    folder.mkdir(mode=0o700)
    found = kill_again_and_again(app, folder, kills=4, seed=4711)
    app.close()
    assert found.pop("killed") == 4
    assert found.pop("answers there") > 0
    assert found.pop("written") > 0
    assert found == dict.fromkeys(found, 0)
