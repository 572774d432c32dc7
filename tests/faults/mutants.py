"""``sh scripts/mutants.sh``: 44 ways to break a promise by hand, and the named test that notices each.

Each mutant is applied to a scratch copy of the repository (what git tracks, as it is now), and its test is run
there. A mutant that lives is a promise without a guard.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
TESTS_FAILED = 1
"""pytest's exit code; any other one says nothing about the mutant."""
AT_MOST_SEC = 600


@dataclass(frozen=True, slots=True)
class Change:
    """In this file, these words, which must stand there exactly once, become others."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """What is broken, and the test that must fail."""

    words: str
    test: str
    changes: tuple[Change, ...]


SEND, ROWS = "src/services/send.py", "src/services/send_rows.py"
INTAKE, OUTBOX = "src/services/intake/taking.py", "src/db/outbox_queue.py"
OWN_SENDS, OWN = "src/channels/airbnb/own_sends.py", "tests/channels/airbnb/test_own_sends.py"
SENDING = "tests/services/test_send.py"
ACCOUNTS = "tests/workers/test_several_accounts.py"
STORIES = "tests/faults/test_simulated.py::test_in_stories_on_a_real_channel_no_promise_is_broken"
MIGRATION = "src/db/migrations/versions/0001_first_tables.py"
POINTS = (
    "tests/faults/test_every_step.py::test_after_a_crash_at_any_point_there_is_one_reply_or_a_person_is_asked"
)

MUTANTS = (
    Mutant(
        "an armed reply of a dead worker goes back into the queue",
        f"{POINTS}[sqlite-after_accept]",
        (
            Change(
                SEND,
                "        if not job.armed:\n            await asyncio.to_thread(self._rows.release_lost",
                "        if True:\n            await asyncio.to_thread(self._rows.release_lost",
            ),
            Change(
                ROWS,
                "            # The try counts:",
                "            if job.armed:\n                outbox_queue.disarm(conn, job.id, self._owner)\n            # The try counts:",
            ),
        ),
    ),
    Mutant(
        "Send is pressed again when the press raised",
        "tests/services/test_send.py::test_a_press_that_raises_is_looked_after_and_never_repeated",
        (
            Change(
                SEND,
                '            logger.warning("The press of Send did not end cleanly',
                '            await channel.press_send(conversation_id, Press(job.id, None))\n            logger.warning("The press of Send did not end cleanly',
            ),
        ),
    ),
    Mutant(
        "sent without a proof",
        "tests/services/test_send.py::test_a_bubble_that_vanished_is_unconfirmed_and_never_pressed_again",
        (
            Change(
                ROWS,
                "outbox_queue.unconfirmed(\n                    conn, job.id, reason, self._clock(), owner=self._owner, receipt_external_id=named\n                )",
                'outbox_queue.sent(conn, job.id, _IN_HAND, "somewhere", None, self._clock(), owner=self._owner)',
            ),
        ),
    ),
    Mutant(
        "an equal text from before counts as the proof",
        "tests/services/test_send.py::test_the_same_words_from_yesterday_are_no_proof",
        (
            Change(
                INTAKE,
                "    if message.external_id not in context.new and (job.armed_at is None or known.seen_at < job.armed_at):\n",
                "    if known is None:\n",
            ),
            Change(
                INTAKE,
                "    if after is not None and place is not None and place < after:\n",
                "    if after is not None and place is None:\n",
            ),
            Change(
                SEND,
                "                m.external_id not in known\n                and m.role",
                "                m.role",
            ),
            Change(
                SEND,
                "                for m in view.messages[first:]\n",
                "                for m in view.messages[first * 0 :]\n",
            ),
        ),
    ),
    Mutant(
        "Send is pressed in whichever conversation is open",
        "tests/channels/airbnb/test_sending.py::test_a_press_in_another_conversation_is_refused",
        (
            Change(
                "src/channels/airbnb/channel.py",
                "            try:\n                self._thread.check_address(external_id)\n            except TransientError as error:\n",
                "            try:\n                pass\n            except TransientError as error:\n",
            ),
        ),
    ),
    Mutant(
        "whoever asks may arm and move a reply that another one has claimed",
        "tests/db/test_outbox_queue.py::test_a_process_whose_job_was_taken_over_can_move_it_no_more",
        (
            Change(
                OUTBOX,
                '    _Q.claimed_by == bindparam("p_owner"),\n    _Q.arm_count == 0,\n',
                "    _Q.arm_count == 0,\n",
            ),
            Change(
                OUTBOX,
                "    return statement if owner is None else statement.where(_Q.claimed_by == owner)\n",
                "    return statement\n",
            ),
        ),
    ),
    Mutant(
        "a guest's message may be stored twice",
        "tests/db/test_constraints.py::test_a_message_is_there_once",
        (
            Change(
                MIGRATION,
                'sa.UniqueConstraint("account", "external_id", name="uq_messages_external")',
                'sa.Index("uq_messages_external", "account", "external_id")',
            ),
        ),
    ),
    Mutant(
        "a claim on PostgreSQL locks nothing",
        "tests/db/test_claims.py::test_four_processes_send_every_job_once",
        (Change(OUTBOX, "        .with_for_update(of=job, skip_locked=True)", "        "),),
    ),
    Mutant(
        "a writing transaction of SQLite begins deferred",
        "tests/db/test_engine.py::test_so_do_processes",
        (
            Change(
                "src/db/connections.py",
                '                driver.execute("BEGIN IMMEDIATE")',
                '                driver.execute("BEGIN")',
            ),
        ),
    ),
    Mutant(
        "a reply can be armed twice",
        "tests/db/test_outbox_queue.py::test_a_job_is_armed_once_and_only_by_its_owner",
        (
            Change(
                OUTBOX,
                "    _Q.arm_count == 0,\n).values(\n    arm_count=1,",
                "    _Q.arm_count >= 0,\n).values(\n    arm_count=1,",
            ),
        ),
    ),
    Mutant(
        "a list that cannot be read counts as an empty one",
        "tests/channels/airbnb/test_list.py::test_a_refresh_that_cannot_be_read_is_an_error_and_never_an_empty_list",
        (
            Change(
                "src/channels/airbnb/list_reader.py",
                "        elif not await visit.refresh_gently():\n            await visit.go_to_inbox()\n",
                '        elif not await visit.refresh_gently():\n            return InboxGlance(visit.tap.viewer_id or "", (), True)\n',
            ),
        ),
    ),
    Mutant(
        "after the press nobody looks for a wall",
        "tests/channels/airbnb/test_walls.py::test_a_wall_stops_everything[airlock_modal-send]",
        (
            Change(
                "src/channels/airbnb/channel.py",
                "                told = await tap.wait_for_more(seq, min(patience, left))\n                if told or not await self._visit.ask_for_news():\n                    await self._visit.check_walls()\n",
                "                await asyncio.sleep(min(patience, left))\n                told = True\n",
            ),
            Change(
                "src/channels/airbnb/channel.py",
                '            composer = await self._composer_now(focus=False)\n            own.emptied = composer is not None and composer.text == ""\n',
                "            own.emptied = False\n",
            ),
        ),
    ),
    Mutant(
        "a start does not ask whether there is a halt",
        "tests/workers/test_lifecycle.py::test_a_start_while_halted_touches_nothing_and_ends_with_the_same_code",
        (
            Change(
                "src/workers/halts.py",
                "    return state if state.halted else None\n",
                "    return None\n",
            ),
            Change(
                "src/workers/halts.py",
                "    return halt_of(state) if state is not None and state.halted else None\n",
                "    return None\n",
            ),
        ),
    ),
    Mutant(
        "the sender's webhook-id makes nothing unique",
        "tests/services/test_answers.py::test_the_senders_id_makes_an_unasked_message_repeatable",
        (
            Change(
                "src/services/answers/settling.py",
                '        key = f"webhook:{answer.webhook_id}"\n',
                "        key = f\"webhook:{answer.webhook_id}:{id(answer)}:{context.now.timestamp()}:{len(external_id)}:{__import__('uuid').uuid4()}\"\n",
            ),
        ),
    ),
    Mutant(
        "a callback may be of any size",
        "tests/api/test_callback.py::test_the_body_may_have_64_kib",
        (Change("src/api/limits.py", "too_much = too_much or size > largest", "too_much = False"),),
    ),
    Mutant(
        "tracebacks show the values of variables",
        "tests/test_logs.py::test_an_exception_is_one_line_with_its_place_and_without_values",
        (
            Change("src/logs.py", '"diagnose": False', '"diagnose": True'),
            Change("src/logs.py", '{"msg": line(message.record)}', '{"msg": str(message)}'),
            Change(
                "src/logs.py",
                'logger.add(write, level="INFO", format=_plain',
                'logger.add(write, level="INFO", format="{message} {exception}"',
            ),
        ),
    ),
    Mutant(
        "what the site named for a press is not asked when it is looked for",
        f"{SENDING}::test_a_reply_that_the_site_rewrites_is_ours_by_the_id_that_the_site_named",
        (Change(SEND, "(m.external_id == named or (", "(False or ("),),
    ),
    Mutant(
        "what the site named for a press is forgotten with the process",
        f"{SENDING}::test_a_rewritten_reply_that_shows_up_after_a_restart_is_not_taken_for_the_hosts_answer",
        (Change(ROWS, "receipt_external_id=named\n", "receipt_external_id=None\n"),),
    ),
    Mutant(
        "what the site named for one press proves any reply",
        f"{SENDING}::test_the_message_of_another_press_proves_nothing",
        (
            Change(
                SEND,
                "named = view.made.get(job.id, named)",
                "named = next(iter(view.made.values()), named)",
            ),
            Change(
                INTAKE,
                "context.seen.made.get(job.id, job.receipt_external_id)",
                "next(iter(context.seen.made.values()), job.receipt_external_id)",
            ),
        ),
    ),
    Mutant(
        "a message that was there before the press may be what came of it",
        f"{OWN}::test_an_answer_that_leaves_a_doubt_names_nothing",
        (Change(OWN_SENDS, "new = named - self.known", "new = named"),),
    ),
    Mutant(
        "of two new messages of the account the first is ours",
        f"{OWN}::test_any_doubt_leaves_it_unconfirmed",
        (Change(OWN_SENDS, "if len(new) != 1 or", "if not new or"),),
    ),
    Mutant(
        "whatever the account says after a press is ours",
        f"{OWN}::test_any_doubt_leaves_it_unconfirmed",
        (Change(OWN_SENDS, "not mostly_same(self.text, message.text)", "not message.text"),),
    ),
    Mutant(
        "a composer that still holds the text makes no doubt",
        f"{OWN}::test_a_composer_that_still_holds_the_text_leaves_it_unconfirmed",
        (Change(OWN_SENDS, "self.refused or self.emptied is False or", "self.refused or"),),
    ),
    Mutant(
        "a message with another id than the page made may be ours",
        f"{OWN}::test_a_message_with_another_id_than_the_page_made_leaves_it_unconfirmed",
        (
            Change(
                OWN_SENDS,
                "if self._is_anothers(message.external_id) or not",
                "if not",
            ),
        ),
    ),
    Mutant(
        "the halt of one account ends the process",
        f"{ACCOUNTS}::test_a_halt_stops_one_account_and_the_other_goes_on",
        (
            Change(
                "src/workers/process.py",
                "            self._look_whether_anybody_works()\n",
                "            self._nobody_works.set()\n",
            ),
        ),
    ),
    Mutant(
        "what a living process has in hand is taken back before its lease is over",
        "tests/services/test_ai_of_several_accounts.py::test_what_another_process_has_in_hand_is_left_to_it_until_its_lease_is_over",
        (
            Change(
                "src/db/inbox_queue.py",
                '    _Q.lease_until < bindparam("p_now"),\n).values(status=_S.PENDING',
                "    _Q.lease_until.is_not(None),\n).values(status=_S.PENDING",
            ),
        ),
    ),
    Mutant(
        "who takes over from a machine that said no goodbye does not wait",
        "tests/db/test_account_lock.py::test_who_takes_over_from_another_machine_that_said_no_goodbye_waits_first",
        (
            Change(
                "src/db/account_lock.py",
                "(0.0 if self._left_clean(conn) else self._grace)",
                "(0.0 if self._left_clean(conn) else 0.0)",
            ),
        ),
    ),
    Mutant(
        "a reply is inserted whatever stands in the app's table",
        "tests/channels/pgnotify/test_channel.py::test_nothing_is_written_over_a_row_that_was_not_read",
        (
            Change(
                "src/channels/pgnotify/statements.py",
                "SELECT {values} WHERE {version} = %(version)s",
                "SELECT {values} WHERE coalesce({version} = %(version)s, true) IS NOT NULL",
            ),
        ),
    ),
    Mutant(
        "a remote that can say what became of a press is not asked after a crash",
        "tests/services/test_receipts.py::test_whatever_ends_a_press_it_is_sent_once_and_never_unconfirmed",
        (
            Change(
                SEND,
                "            if await self._found(channel, mine, conversation_id):\n",
                "            if False:\n",
            ),
        ),
    ),
    Mutant(
        "our own message that comes back under its id is a person's",
        "tests/services/test_receipts.py::test_our_message_is_known_by_its_id_though_the_remote_changed_all_of_its_text",
        (
            Change(
                "src/services/own_messages.py",
                '        origin="assistant",\n',
                '        origin="host",\n',
            ),
            Change(
                "src/services/own_messages.py",
                "    conversations.attach_receipt(conn, ours.id, job)\n",
                "    del ours\n",
            ),
        ),
    ),
    Mutant(
        "an account with many messages is asked for before all others",
        "tests/services/test_ai_of_several_accounts.py::test_an_account_with_many_messages_leaves_room_for_the_others",
        (
            Change(
                "src/services/ai_claims.py",
                "most=half, up_to=self._at_once",
                "most=self._at_once, up_to=self._at_once",
            ),
            Change(
                "src/services/ai_claims.py",
                "found = self._claim_of(conn, account, now, min(room, 1))",
                "found = self._claim_of(conn, account, now, room)",
            ),
        ),
    ),
    Mutant(
        "an account is given to another process in the middle of a job",
        "tests/workers/test_shared_accounts.py::test_an_account_is_never_given_away_in_the_middle_of_a_job",
        (
            Change("src/workers/crew.py", "return not turns.is_taken and await", "return await"),
            Change("src/workers/crew.py", "                await self._turns.wait_for_idle()\n", ""),
        ),
    ),
    Mutant(
        "what was given to another process is taken again at once",
        "tests/workers/test_shared_accounts.py::test_a_process_that_joins_is_given_its_share_and_no_more",
        (
            Change(
                "src/db/serving.py",
                "        return self._seen_free[account] <= PATIENCE\n",
                "        return False\n",
            ),
        ),
    ),
    Mutant(
        "of replies that are armed together some need not be",
        "tests/db/test_outbox_queue.py::test_of_jobs_that_are_armed_together_all_are_or_it_is_said_to_be_stale",
        (Change(OUTBOX, "    if found.keys() != set(job_ids):\n", "    if not found:\n"),),
    ),
    Mutant(
        "several replies of one conversation are in hand at once",
        "tests/services/test_several_in_hand.py::test_replies_of_one_conversation_still_leave_one_at_a_time_and_in_their_order",
        (
            Change(
                "src/db/outbox_views.py",
                "    return and_(not_(busy), not_(older))\n",
                "    return not_(busy)\n",
            ),
        ),
    ),
    Mutant(
        "after a wall in one conversation the others that are in hand go on",
        "tests/services/test_several_in_hand.py::test_a_wall_in_one_conversation_stops_the_steps_of_all",
        (
            Change(
                "src/services/in_hand.py",
                "            if self._halt is not None:\n",
                "            if False:\n",
            ),
        ),
    ),
    Mutant(
        "replies in hand are not counted by the account's cap",
        "tests/services/test_several_in_hand.py::test_the_cap_of_the_account_counts_what_is_in_hand",
        (Change("src/services/caps.py", "replies.account_hour + in_hand", "replies.account_hour"),),
    ),
    Mutant(
        "WhatsApp: a lost answer counts as a refusal",
        f"{STORIES}[A-cloud-sqlite]",
        (
            Change(
                "src/channels/whatsapp/channel.py",
                '            return Unknown(f"no answer came ({type(error).__name__})")\n',
                "            return Slower(None, everybody=True)\n",
            ),
        ),
    ),
    Mutant(
        "WhatsApp: a late status of an unknown press settles nothing",
        f"{STORIES}[A-cloud-sqlite]",
        (
            Change(
                "src/services/hearing.py",
                "        store_sent(conn, job, receipt, [job.status], now)\n",
                "",
            ),
        ),
    ),
    Mutant(
        "chat: a lost answer counts as a refusal",
        f"{STORIES}[A-chat-sqlite]",
        (
            Change(
                "src/channels/chat/channel.py",
                'raise TransientError(f"no answer came ({type(error).__name__})") from None',
                'raise self._later("no answer came") from None',
            ),
        ),
    ),
    Mutant(
        "mail: a lost answer to the final dot counts as a refusal",
        f"{STORIES}[A-mail-sqlite]",
        (
            Change(
                "src/channels/mail/session.py",
                '        return Unknown("no answer to the final dot")\n',
                '        return Later("no answer to the final dot")\n',
            ),
            Change(
                "src/channels/mail/session.py",
                '        return Unknown(f"no answer to the final dot ({type(error).__name__})")\n',
                '        return Later("no answer to the final dot")\n',
            ),
        ),
    ),
    Mutant(
        "widget: a reply is stored whatever the visitor wrote meanwhile",
        f"{STORIES}[A-widget-sqlite]",
        (
            Change(
                "src/services/store.py",
                "            if _version(conn, conversation.id) != over:\n",
                "            if False:\n",
            ),
        ),
    ),
    Mutant(
        "a table: what was left armed is given back without a question",
        "tests/faults/test_simulated.py::test_in_stories_on_a_table_nothing_is_left_in_doubt[sqlite]",
        (
            Change(
                SEND,
                "        if isinstance(found, Receipt):\n",
                "        if False:\n",
            ),
        ),
    ),
    Mutant(
        "all accounts open their inbox at once after a crash of their browser",
        "tests/channels/airbnb/test_common_browser.py::test_after_a_crash_openings_are_apart_and_before_it_they_are_not",
        (
            Change(
                "src/channels/common_browser.py",
                "            await asyncio.sleep(max(0.0, self._opened_at + self._apart_sec - now))\n",
                "            pass\n",
            ),
        ),
    ),
)


def apply(mutant: Mutant, root: Path) -> None:
    """Change the files below ``root``. ValueError if the words to be changed are not there exactly once."""
    for change in mutant.changes:
        path = root / change.file
        text = path.read_text(encoding="utf-8")
        if text.count(change.old) != 1:
            raise ValueError(f"{mutant.words}: {change.file} has {text.count(change.old)} of {change.old!r}")
        path.write_text(text.replace(change.old, change.new), encoding="utf-8")


def main() -> int:
    """Try the mutants; 0 if the named tests pass as it is, and every mutant is noticed."""
    words = argparse.ArgumentParser(prog="sh scripts/mutants.sh", description=__doc__)
    words.add_argument("numbers", nargs="*", type=int, help="only these, counted from 1")
    given = words.parse_args()
    console = Console(highlight=False)
    table = Table("", "what is broken", "noticed by", "", "seconds")
    living = 0
    chosen = [(n, m) for n, m in enumerate(MUTANTS, 1) if not given.numbers or n in given.numbers]
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        sound = _run(Path(folder) / "sound", None, sorted({mutant.test for _, mutant in chosen}))
        console.print(
            f"   {'passed' if sound.returncode == 0 else 'FAILED'}   the named tests, nothing broken"
        )
        if sound.returncode != 0:
            console.print(sound.stdout[-2_000:], markup=False)
            return 2
        for number, mutant in chosen:
            began = time.monotonic()
            outcome = _try(mutant, Path(folder) / str(number))
            living += outcome != "killed"
            seconds = f"{time.monotonic() - began:.0f}"
            console.print(f"{number:>2} {outcome:<8} {mutant.words} ({seconds} s)")
            table.add_row(str(number), mutant.words, mutant.test.removeprefix("tests/"), outcome, seconds)
    console.print(table)
    console.print(f"{len(chosen) - living} of {len(chosen)} killed")
    return 1 if living else 0


def _try(mutant: Mutant, copy: Path) -> str:
    done = _run(copy, mutant, [mutant.test])
    if done.returncode == TESTS_FAILED:
        return "killed"
    return "LIVES" if done.returncode == 0 else f"? ({done.returncode}) {done.stdout[-500:]}"


def _run(copy: Path, mutant: Mutant | None, tests: list[str]) -> subprocess.CompletedProcess[str]:
    """These tests in a copy of the repository with this mutant."""
    _copy_repository(copy)
    if mutant is not None:
        apply(mutant, copy)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests],
        cwd=copy,
        capture_output=True,
        text=True,
        timeout=AT_MOST_SEC,
        check=False,
    )
    shutil.rmtree(copy)
    return done


def _copy_repository(copy: Path) -> None:
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in names.stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)


if __name__ == "__main__":
    sys.exit(main())
