"""``syncsend`` on a number on WhatsApp, as a process: by configuration alone, killed again and again."""

from __future__ import annotations

import itertools
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from sandbox.ai import Plan as AiPlan
from sandbox.whatsapp.cloud import Cloud, Plan
from tests.acceptance.api import health
from tests.acceptance.house import House, wait_until

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(560)]

KILLS = int(os.environ.get("WHATSAPP_KILLS", "3"))
"""So often the process is killed; more of them on a machine that has the time."""


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud() as made:
        yield made


@pytest.fixture
def on_the_line(house: House, cloud: Cloud) -> House:
    """The house with one account, a number; the service calls its API."""
    accounts = house.folder / "accounts.toml"
    accounts.write_text(
        '[[account]]\nname = "event-wa"\nchannel = "whatsapp"\nreply_mode = "auto"\n'
        f'base_url = "{cloud.url}"\nphone_id = "{cloud.phone_id}"\nproof_sec = 1\n'
        'token = "env:EVENT_WA_TOKEN"\napp_secret = "env:EVENT_WA_APP_SECRET"\nverify_token = "env:EVENT_WA_WORD"\n'
    )
    accounts.chmod(0o600)
    caps = ("CONVERSATION_HOUR", "CONVERSATION_DAY", "ACCOUNT_HOUR", "ROUNDS", "SAME_MESSAGE", "SAME_REPLY")
    house.changes |= {
        "ACCOUNTS_FILE": str(accounts),
        "EVENT_WA_TOKEN": cloud.token,
        "EVENT_WA_APP_SECRET": cloud.app_secret,
        "EVENT_WA_WORD": "a-word-of-our-own",
        "CRASH_LOOP_STARTS": "1000",
        "GROUPING_DELAY_SEC": "0",
        "GROUPING_MAX_SEC": "0",
        **{f"REPLY_CAP_{name}": "1000" for name in caps},
    }
    cloud.hook = f"http://127.0.0.1:{house.port}/hooks/event-wa"
    numbers = itertools.count(1)
    house.ai.brain = lambda *_: f"Answer number {next(numbers)}"
    return house


def test_a_number_is_answered_by_configuration_alone(on_the_line: House, cloud: Cloud) -> None:
    process = on_the_line.start("syncsend")
    wait_until(lambda: health(on_the_line.port), "the API")
    people = [f"3361234560{n}" for n in range(3)]
    for number in people:
        cloud.user_writes(number, f"Is there a lift, asks {number}?")
    wait_until(lambda: all(cloud.sent_to(number) for number in people), "three answers on three phones")
    done = "SELECT COUNT(*) FROM queue_outbox WHERE status = 'sent' AND delivery = 'delivered'"
    wait_until(lambda: on_the_line.one(done) == 3, "what became of them")
    assert all(len(cloud.sent_to(number)) == 1 for number in people)
    code, _ = on_the_line.stop(process, signal.SIGTERM)
    assert code == 0
    log = on_the_line.log()
    assert not [number for number in people if number in log]
    assert cloud.token not in log


def test_killed_again_and_again_it_loses_nothing_and_says_nothing_twice(
    on_the_line: House, cloud: Cloud
) -> None:
    dice = random.Random(4711)
    cloud.default = Plan(statuses=("sent",))
    on_the_line.ai.default = AiPlan("body")  # it calls back once only, and nobody may be there
    people = [f"3361234560{n}" for n in range(3)]
    written: Counter[str] = Counter()
    for _ in range(KILLS):
        process = on_the_line.start("syncsend")
        wait_until(lambda: health(on_the_line.port), "the API", 150)
        before = len(cloud.sent)
        for number in people:
            written[number] += 1
            cloud.user_writes(number, f"Message {written[number]} of {number}")
            cloud.plans.append(dice.choice([Plan(), Plan("lose"), Plan("error", code=131056)]))
        wait_until(lambda: len(cloud.sent) > before, "an answer", 150)  # noqa: B023
        time.sleep(dice.random() * 0.3)  # when it is killed
        process.kill()
        process.wait()
    process = on_the_line.start("syncsend")
    waiting = (
        "SELECT (SELECT COUNT(*) FROM queue_outbox WHERE status IN ('pending', 'processing'))"
        " + (SELECT COUNT(*) FROM queue_inbox WHERE status IN ('pending', 'processing', 'waiting'))"
    )
    wait_until(lambda: cloud.all_told() and on_the_line.one(waiting) == 0, "that nothing is left to do", 150)
    keys = Counter(one.key for one in cloud.sent)
    assert max(keys.values()) == 1, "a reply was sent twice"
    asked = {
        message["text"] for request in on_the_line.ai.received for message in request.payload["messages"]
    }
    assert asked == {f"Message {n} of {number}" for number in people for n in range(1, written[number] + 1)}
    jobs = dict(on_the_line.rows("SELECT status, COUNT(*) FROM queue_outbox GROUP BY status"))
    assert set(jobs) <= {"sent", "cancelled", "unconfirmed"}, jobs
    assert jobs["sent"] <= len(cloud.sent) <= jobs["sent"] + jobs.get("unconfirmed", 0)
    on_the_line.stop(process)


def test_a_token_that_is_refused_halts_with_exit_code_10(on_the_line: House) -> None:
    on_the_line.changes["EVENT_WA_TOKEN"] = "another"
    code, output = on_the_line.wait_for(on_the_line.start("syncsend"))
    assert code == 10, output
    assert "credentials" in on_the_line.log()


def test_a_lacking_secret_is_exit_2_and_names_the_variable(on_the_line: House) -> None:
    accounts = on_the_line.folder / "accounts.toml"
    accounts.write_text('[[account]]\nname = "event-wa"\nchannel = "whatsapp"\n')
    code, output = on_the_line.wait_for(on_the_line.start("syncsend"))
    assert code == 2
    assert "WHATSAPP_APP_SECRET" in output
