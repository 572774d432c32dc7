"""One process, two Airbnb accounts and one on an app's tables: a wall stops one of them, the others answer."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.airbnb.site import SimulatedSite
from sandbox.pgnotify.app import MAPPING, App
from tests.acceptance.api import health
from tests.acceptance.house import House, wait_until

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.browser,
    pytest.mark.postgres,
    pytest.mark.timeout(300),
]


@pytest.fixture
def app(empty_postgres_url: str) -> Iterator[App]:
    made = App(empty_postgres_url)
    yield made
    made.close()


@pytest.fixture
def loft() -> Iterator[SimulatedSite]:
    """The second Airbnb account's inbox; the first one's is the house's own."""
    with SimulatedSite() as site:
        yield site


@pytest.fixture
def three(house: House, loft: SimulatedSite, app: App) -> House:
    folder: Path = house.folder
    (folder / "app.toml").write_text(MAPPING)
    accounts = folder / "accounts.toml"
    accounts.write_text(
        f'[[account]]\nname = "chalet"\nchannel = "airbnb"\nbase_url = "{house.site.url}"\n'
        f'session_dir = "{folder}/session"\n'
        f'[[account]]\nname = "loft"\nchannel = "airbnb"\nbase_url = "{loft.url}"\n'
        f'session_dir = "{folder}/loft"\n'
        f'[[account]]\nname = "bea"\nchannel = "pgnotify"\nurl = "env:APP_DATABASE_URL"\n'
        f'mapping = "{folder}/app.toml"\nsession_dir = "{folder}/bea"\n'
    )
    accounts.chmod(0o600)
    house.changes |= {"ACCOUNTS_FILE": str(accounts), "APP_DATABASE_URL": app.url}
    return house


def test_one_account_is_halted_by_a_wall_and_the_others_answer(
    three: House, loft: SimulatedSite, app: App
) -> None:
    three.site.inbox.add_thread(guest="Ines", says="Is there a lift?")
    three.site.faults.raise_wall("airlock_modal", at="thread_open")
    thread = loft.inbox.add_thread(guest="Omar", says="Is there a bath?")
    match = app.match()
    app.user_writes(match, "Is there a garden?")
    process = three.start("syncsend")
    sent = "SELECT COUNT(*) FROM queue_outbox WHERE status = 'sent' AND account = "
    halted = "SELECT 1 FROM accounts WHERE link_state = 'halted' AND account = 'chalet'"
    wait_until(lambda: three.rows(halted), "the halt of one account", 120)
    wait_until(lambda: three.one(f"{sent}'loft'") == 1, "the answer on the other site", 120)
    wait_until(lambda: app.answers(match), "the answer in the app's table", 120)
    mark = three.site.log.mark  # what the page had asked before the halt has its answer by now

    loft.inbox.guest_writes(thread, "And a shower?")
    app.user_writes(match, "And a terrace?")
    wait_until(lambda: three.one(f"{sent}'loft'") == 2, "a second answer on the other site", 120)
    wait_until(lambda: len(app.answers(match)) == 2, "a second answer in the app's table", 120)
    assert three.one(f"{sent}'chalet'") == 0
    assert three.site.log.touched(mark) == [], "nothing touches the site of a halted account"

    said = health(three.port)
    assert said is not None
    assert said["status"] == "degraded"
    assert {name: one["status"] for name, one in said["accounts"].items()} == {
        "chalet": "halted",
        "loft": "working",
        "bea": "working",
    }
    told = json.loads(three.run("status", "--json").stdout)
    assert told["accounts"]["chalet"]["halt"]["kind"]
    assert told["status"] == "degraded"

    three.site.faults.lower_walls()
    done = three.run("scripts/reconnect_airbnb.py", "--check", "--account", "chalet")
    assert done.returncode == 0, done.stdout + done.stderr
    wait_until(lambda: three.one(f"{sent}'chalet'") == 1, "the account works again by itself", 120)
    assert three.stop(process, signal.SIGTERM)[0] == 0
