"""Many of everything at once, judged by the service's own log. The sizes are small here; larger by the environment."""

from __future__ import annotations

import os
import random
import time
from collections import Counter

import pytest

from sandbox.whatsapp.cloud import Cloud, Plan
from src.model.statuses import OutboxStatus
from tests.support.whatsapp import Line

pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.timeout(900),
]

COPIED = int(os.environ.get("WHATSAPP_COPIED", "60"))
LOST = int(os.environ.get("WHATSAPP_LOST", "12"))
STORIES = int(os.environ.get("WHATSAPP_STORIES", "6"))


def nothing_is_twice(cloud: Cloud) -> None:
    keys = Counter(one.key for one in cloud.sent)
    assert max(keys.values(), default=0) <= 1, "a reply was sent twice"


def every_message_is_answered_or_says_why(line: Line, people: list[str]) -> None:
    """The last word of each is ours or a person's, or its newest request ended in a state with a reason."""
    for number in people:
        said = line.cloud.texts(number)
        ours = {one.text for one in line.cloud.sent_to(number)} | {"I do it myself"}
        if said[-1] in ours:
            continue
        with line.house.db.read() as conn:
            ended = conn.exec_driver_sql(
                "SELECT r.status, r.reason, o.status, o.reason FROM queue_inbox r"
                " JOIN conversations c ON c.id = r.conversation_id"
                " LEFT JOIN queue_outbox o ON o.request_id = r.id"
                " WHERE c.external_id = ? ORDER BY r.created_at DESC LIMIT 1",
                (number,),
            ).one()
        assert ended[1] or ended[3] or ended[2] == "unconfirmed", (number, said, tuple(ended))


async def test_three_copies_at_once_of_many_messages_are_one_request_each_at_most(line):
    line.cloud.faults.copies = 3
    people = [f"3361{number:07}" for number in range(COPIED)]
    for number in people:
        line.cloud.user_writes(number, f"Hello from {number}")
    line.heard(within_sec=20 + COPIED)
    assert line.count("messages") == COPIED
    assert line.count("queue_inbox") == COPIED
    assert set(line.cloud.answers) == {200}


async def test_no_lost_acknowledgement_leads_to_a_second_message_and_all_are_settled_by_their_status(line):
    for number in range(LOST):
        await line.reply_to(f"3361{number:07}", reply=f"Answer number {number}")
    line.cloud.default = Plan("lose", statuses=("sent",))
    for _ in range(LOST):
        await line.send.run_once(line.channel)
        if len(line.cloud.sent) == LOST:
            break
    line.heard()
    nothing_is_twice(line.cloud)
    assert len(line.cloud.sent) == LOST
    assert {job.status for job in line.house.jobs()} == {OutboxStatus.SENT}


@pytest.mark.parametrize("seed", range(STORIES))
async def test_short_random_stories_keep_every_promise(line, seed):
    dice = random.Random(seed)
    cloud, people = line.cloud, [f"3361234560{number}" for number in range(3)]
    cloud.faults.dice = dice
    for number in people:
        cloud.user_writes(number, f"Hello from {number}")
    for step in range(25):
        cloud.faults.copies = dice.choice([1, 1, 3])
        cloud.faults.shuffled = dice.random() < 0.3
        number = dice.choice(people)
        event = dice.choice(
            ["writes", "writes", "person", "lose", "refused", "fails", "away", "turn", "turn"]
        )
        if event == "writes":
            cloud.user_writes(number, f"Message {step} of {number}", at=time.time() - dice.choice([0, 0, 20]))
        elif event == "person":
            cloud.person_answers(number, "I do it myself")
        elif event == "lose":
            cloud.plans.append(Plan("lose", statuses=dice.choice([(), ("sent",), ("delivered", "sent")])))
        elif event == "refused":
            cloud.plans.append(Plan("error", code=dice.choice([131056, 131026, 131047])))
        elif event == "fails":
            cloud.plans.append(Plan(failed_with=131026))
        elif event == "away":
            line.database_is_away = not line.database_is_away
        else:
            await line.turn()
    line.database_is_away = False
    line.channel.find_sec = 0.2
    cloud.plans.clear()
    with line.house.db.write() as conn:
        conn.exec_driver_sql("UPDATE queue_outbox SET due_at = created_at WHERE status = 'pending'")
    await line.settle()
    nothing_is_twice(cloud)
    every_message_is_answered_or_says_why(line, people)
    sent = {one.wamid for one in cloud.sent}
    for job in line.house.jobs():
        if job.status is OutboxStatus.SENT:
            assert job.receipt_external_id in sent
        if job.status is OutboxStatus.CANCELLED:
            assert job.id not in {one.key for one in cloud.sent}
