"""The API and the dashboard where there are several accounts: nothing is guessed, and everything can be chosen."""

# ruff: noqa: F811 - fixtures are imported, and then asked for by name

from pathlib import Path

import pytest

from src.account import Account, AccountSettings
from src.commands import status
from src.commands.choice import choose
from src.db import accounts
from src.errors import ExitCode, SettingsError
from src.model.values import AI_WORKER, utc_now
from tests.support.api import client, inbox, thread_id  # noqa: F401
from tests.support.api import sqlite_db as db  # noqa: F401

HERE = thread_id(1)
NAMES = ("chalet", "loft")


@pytest.fixture
def listed():
    settings = AccountSettings(ai_webhook_url="http://127.0.0.1:9/ai", reply_mode="auto")
    return tuple(Account(name, "airbnb", Path("session") / name, settings, ai="webhook") for name in NAMES)


@pytest.fixture
def one(client, listed):
    return client(listed=listed)


@pytest.fixture
def rows(db, clock, inbox):
    """Both accounts have a conversation of the same id; each has one more of its own."""
    for number, name in enumerate(NAMES):
        with db.write() as conn:
            accounts.ensure(conn, name, clock())
        inbox.account = name
        inbox.waiting(HERE)
        inbox.waiting(thread_id(10 + number))


def halt(db, name, code=ExitCode.HALTED_PERSON_NEEDED):
    with db.write() as conn:
        accounts.halt(conn, name, "captcha", "a challenge is shown", int(code), None, utc_now())


async def test_health_names_each_account_and_is_degraded_while_one_of_them_works(one, db, rows):
    halt(db, "chalet")
    body = (await one.get("/health")).json()
    assert (body["status"], body["halt"]) == ("degraded", None)
    assert list(body["accounts"]) == list(NAMES)
    chalet, loft = body["accounts"].values()
    assert set(chalet) == set(loft) == {"channel", "status", "halt"}
    assert (chalet["channel"], chalet["status"]) == ("airbnb", "halted")
    assert set(chalet["halt"]) == {"kind", "detail", "since"}
    assert (loft["status"], loft["halt"]) == ("stopped", None)
    assert "chalet: halted" in body["problems"]


async def test_health_says_which_account_has_no_bell(one, db, rows):
    assert "bell" not in (await one.get("/health")).json()
    with db.write() as conn:
        accounts.set_bell(conn, "chalet", "rings", utc_now())
    assert (await one.get("/health")).json()["bell"] == "rings"
    with db.write() as conn:
        accounts.set_bell(conn, "loft", "none", utc_now())
    body = (await one.get("/health")).json()
    assert body["bell"] == "none"
    assert [account["bell"] for account in body["accounts"].values()] == ["rings", "none"]


async def test_health_is_halted_when_no_account_is_left(one, db, rows):
    halt(db, "chalet")
    halt(db, "loft", ExitCode.HALTED_PAGE_CHANGED)
    body = (await one.get("/health")).json()
    assert body["status"] == "halted"
    assert body["halt"]["exit_code"] == ExitCode.HALTED_PAGE_CHANGED


async def test_an_account_without_a_line_in_the_file_counts_for_no_verdict(client, listed, db, rows):
    chat = Account("chat", "chat", Path("session/chat"), AccountSettings(), listed=False)
    halt(db, "chalet")
    one = client(listed=(listed[0], chat))
    body = (await one.get("/health")).json()
    assert body["status"] == "halted"
    assert set(body["accounts"]) == {"chalet", "chat"}


async def test_a_callback_for_an_id_that_two_accounts_have_needs_the_account(one, rows):
    said = {"conversation_id": HERE, "message": "Yes, in the wardrobe.", "sender": "Camille"}
    refused = await one.post("/api/ai/webhook-simple", json=said)
    assert (refused.status_code, refused.json()["field"]) == (422, "account")
    taken = await one.post("/api/ai/webhook-simple", json={**said, "account": "loft"})
    assert taken.status_code == 200
    jobs = (await one.get("/api/outbox")).json()["jobs"]
    assert [(job["account"], job["conversation_id"]) for job in jobs] == [("loft", HERE)]


async def test_lists_are_of_all_accounts_or_of_one(one, rows):
    async def seen(**params):
        found = (await one.get("/api/conversations", params=params)).json()["conversations"]
        return sorted((row["account"], row["conversation_id"]) for row in found)

    assert await seen() == sorted(
        [("chalet", HERE), ("loft", HERE), ("chalet", thread_id(10)), ("loft", thread_id(11))]
    )
    assert await seen(account="loft") == sorted([("loft", HERE), ("loft", thread_id(11))])
    refused = await one.get("/api/conversations", params={"account": "nobody"})
    assert (refused.status_code, refused.json()["field"]) == (422, "account")


async def test_a_conversation_of_one_account_is_found_and_one_of_two_is_asked_for(one, rows):
    assert (await one.get(f"/api/conversations/{thread_id(11)}")).status_code == 200
    refused = await one.get(f"/api/conversations/{HERE}")
    assert (refused.status_code, refused.json()["field"]) == (422, "account")
    assert (await one.get(f"/api/conversations/{HERE}", params={"account": "chalet"})).status_code == 200


async def test_pause_and_resume_are_for_all_or_for_one(one, db, rows):
    def paused():
        with db.read() as conn:
            return {name for name in NAMES if accounts.get(conn, name).paused}

    await one.post("/api/pause")
    assert paused() == set(NAMES)
    await one.post("/api/resume", params={"account": "loft"})
    assert paused() == {"chalet"}
    await one.post("/api/resume")
    assert paused() == set()


async def test_a_mode_for_the_account_needs_its_name(one, db, rows):
    refused = await one.put("/api/mode", json={"scope": "account", "mode": "draft"})
    assert (refused.status_code, refused.json()["field"]) == (422, "account")
    refused = await one.put("/api/mode", json={"scope": "conversation", "id": HERE, "mode": "off"})
    assert (refused.status_code, refused.json()["field"]) == (422, "account")
    refused = await one.put("/api/mode", json={"scope": "listing", "id": "nobodys", "mode": "off"})
    assert (refused.status_code, refused.json()["field"]) == (422, "id")
    body = {"scope": "account", "mode": "draft", "account": "loft"}
    assert (await one.put("/api/mode", json=body)).status_code == 200
    only = {"scope": "conversation", "id": thread_id(10), "mode": "off"}
    assert (await one.put("/api/mode", json=only)).status_code == 200
    with db.read() as conn:
        assert [rule.scope for rule in accounts.modes(conn, "loft")] == ["account"]
        assert [rule.scope for rule in accounts.modes(conn, "chalet")] == ["conversation"]


async def test_metrics_tell_the_accounts_apart(one, db, rows):
    halt(db, "chalet")
    text = (await one.get("/metrics")).text
    assert 'nightporter_account_halted{account="chalet"} 1.0' in text
    assert 'nightporter_account_halted{account="loft"} 0.0' in text
    assert "nightporter_halted 1.0" in text


async def test_the_dashboard_has_a_choice_and_remembers_it(one, db, rows):
    halt(db, "chalet")
    page = (await one.get("/")).text
    assert 'class="accounts"' in page
    assert page.count('href="/?account=') == 2
    assert "captcha" in page or "a challenge is shown" in page, "the first account is shown"
    chosen = await one.get("/", params={"account": "loft"})
    assert chosen.cookies["nightporter_account"] == "loft"
    assert 'name="account" value="loft"' in chosen.text
    assert (await one.get("/", params={"account": "nobody"})).status_code == 422


async def test_with_one_account_there_is_nothing_more_to_see(client, db, rows):
    one = client()
    page = (await one.get("/")).text
    assert 'class="accounts"' not in page
    assert 'name="account"' not in page
    assert list((await one.get("/health")).json()["accounts"]) == ["default"]
    assert "nightporter_account_" not in (await one.get("/metrics")).text


def test_status_names_each_account_too(db, listed, rows):
    halt(db, "chalet")
    facts = status._facts(db, listed)
    assert facts["status"] == "degraded"
    assert (facts["account"], facts["halt"]) == ("loft", None), "what is halted stands in accounts"
    assert {name: one["status"] for name, one in facts["accounts"].items()} == {
        "chalet": "halted",
        "loft": "stopped",
    }
    halt(db, "loft", ExitCode.HALTED_PAGE_CHANGED)
    facts = status._facts(db, listed)
    assert (facts["status"], facts["account"]) == ("halted", "loft"), "the one with the highest code"
    assert facts["halt"]["exit_code"] == ExitCode.HALTED_PAGE_CHANGED


def test_a_script_asks_for_the_account_where_there_are_several(listed):
    with pytest.raises(SettingsError, match="chalet, loft"):
        choose(listed, None)
    with pytest.raises(SettingsError, match="'barn' is no account"):
        choose(listed, "barn")
    assert choose(listed, "loft").name == "loft"
    assert choose(listed[:1], None).name == "chalet"


async def test_the_picker_does_not_call_a_chat_stopped_that_is_answered(client, listed, db, rows, clock):
    """No worker reads or sends there: who asks takes the answer."""
    settings = listed[0].settings
    chat = Account("chat", "chat", Path("session") / "chat", settings, ai="webhook")
    with db.write() as conn:
        accounts.ensure(conn, "chat", clock())
        accounts.beat(conn, "chat", AI_WORKER, process_id=1, hostname="here", now=clock(), started=True)
    page = (await client(listed=(*listed, chat)).get("/")).text
    picker = page[page.index('class="accounts"') :].partition("</nav>")[0]
    entries = [entry for entry in picker.split("<a ") if "</a>" in entry]
    assert [("stopped" in entry) for entry in entries] == [True, True, False]
    assert (await client(listed=(*listed, chat)).get("/health")).json()["accounts"]["chat"][
        "status"
    ] == "working"
