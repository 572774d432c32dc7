"""What Meta's calls tell: who is let in, which kinds there are, whose message it is."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from sandbox.whatsapp import bodies
from src.channels.whatsapp import is_conversation_id, wire_cloud
from src.channels.whatsapp.settings import WhatsappSettings
from src.channels.whatsapp.wire import Answer, Refused, Slower, Taken, Unknown, Wall
from src.errors import CallRefused
from src.model.inbox import AuthorRole, MessageKind
from src.model.sending import Delivery, Press
from tests.support.whatsapp import GERDA, incoming

SECRET, PHONE, AT = "the-apps-secret", "106540352242922", 1_763_700_000
SETTINGS = WhatsappSettings(
    phone_id=PHONE,
    token=SecretStr("EAAG"),
    app_secret=SecretStr(SECRET),
    verify_token=SecretStr("our-word"),
)


def told(body: dict, **headers: str):
    raw = bodies.encoded(body)
    return wire_cloud.hear(SETTINGS, incoming(raw, bodies.signed(raw, SECRET) | headers))


def hear_one(message: dict, field: str = "messages", name: str = "Gerda"):
    told_of = {"message_echoes" if field == "smb_message_echoes" else "messages": [message]}
    contacts = [bodies.contact(GERDA, name)]
    return told(bodies.webhook(bodies.change(PHONE, field, contacts=contacts, **told_of)))


def only(heard):
    (view,) = heard.views
    (message,) = view.messages
    return message


# --- who is let in ---------------------------------------------------------------------------------------


def test_the_address_is_verified_by_our_word_and_gives_the_challenge_back():
    query = {"hub.mode": "subscribe", "hub.verify_token": "our-word", "hub.challenge": "1158201444"}
    heard = wire_cloud.hear(SETTINGS, incoming(b"", {}, method="GET", **query))
    assert heard.answer == b"1158201444"
    for wrong in ({**query, "hub.verify_token": "another"}, {**query, "hub.mode": "delete"}, {}):
        with pytest.raises(CallRefused) as caught:
            wire_cloud.hear(SETTINGS, incoming(b"", {}, method="GET", **wrong))
        assert caught.value.status == 401


def test_the_signature_is_over_the_very_bytes_as_meta_escapes_them():
    heard = hear_one(bodies.message(GERDA, "wamid.1", AT, body="Où est l'entrée ? https://a.example/b"))
    assert only(heard).text == "Où est l'entrée ? https://a.example/b"


@pytest.mark.parametrize("shown", ["", "sha256=", "sha256=00", "sha1=0a", "sha256=é", "x" * 5000])
def test_a_wrong_or_missing_signature_is_refused(shown):
    raw = bodies.encoded(bodies.webhook(bodies.change(PHONE)))
    with pytest.raises(CallRefused) as caught:
        wire_cloud.hear(SETTINGS, incoming(raw, {"x-hub-signature-256": shown}))
    assert caught.value.status == 401


def test_a_signature_of_other_bytes_is_refused():
    raw = bodies.encoded(bodies.webhook(bodies.change(PHONE)))
    with pytest.raises(CallRefused):
        wire_cloud.hear(SETTINGS, incoming(raw + b" ", bodies.signed(raw, SECRET)))


def test_a_number_that_is_not_ours_is_for_another_account():
    message = bodies.message(GERDA, "wamid.1", AT, body="Hello")
    heard = told(bodies.webhook(bodies.change("999", messages=[message])))
    assert (heard.mine, heard.for_others, heard.views) == (False, True, ())
    both = told(
        bodies.webhook(bodies.change("999", messages=[message]), bodies.change(PHONE, messages=[message]))
    )
    assert (both.mine, both.for_others, len(both.views)) == (True, True, 1)


# --- kinds -----------------------------------------------------------------------------------------------


def test_a_text_is_told_with_its_writer_and_time():
    heard = hear_one(bodies.message(GERDA, "wamid.1", AT, body="Is it free?"))
    (view,) = heard.views
    message = only(heard)
    assert (view.external_id, view.guest_name) == (GERDA, "Gerda")
    assert (message.external_id, message.role, message.kind) == (
        "wamid.1",
        AuthorRole.GUEST,
        MessageKind.TEXT,
    )
    assert message.sent_at == datetime.fromtimestamp(AT, UTC)
    assert heard.not_understood == ()


@pytest.mark.parametrize(
    ("kind", "content", "made", "text"),
    [
        ("button", {"text": "Yes please", "payload": "YES"}, MessageKind.TEXT, "Yes please"),
        (
            "interactive",
            {"type": "button_reply", "button_reply": {"id": "1", "title": "Late"}},
            MessageKind.TEXT,
            "Late",
        ),
        (
            "interactive",
            {"type": "list_reply", "list_reply": {"id": "1", "title": "Two"}},
            MessageKind.TEXT,
            "Two",
        ),
        ("image", {"id": "m1", "caption": "The door"}, MessageKind.MEDIA, "The door"),
        ("document", {"id": "m1", "filename": "a.pdf"}, MessageKind.MEDIA, None),
        ("video", {"id": "m1"}, MessageKind.MEDIA, None),
        ("sticker", {"id": "m1"}, MessageKind.MEDIA, None),
        ("location", {"latitude": 1.0, "longitude": 2.0}, MessageKind.MEDIA, None),
        ("reaction", {"message_id": "wamid.0", "emoji": "👍"}, MessageKind.REACTION, None),
        (
            "system",
            {"body": "Gerda changed the number", "type": "user_changed_number"},
            MessageKind.REACTION,
            None,
        ),
        ("unsupported", {}, MessageKind.UNSUPPORTED, None),
        ("order", {"catalog_id": "1"}, MessageKind.UNSUPPORTED, None),
        ("hologram", {}, MessageKind.UNSUPPORTED, None),
    ],
)
def test_every_kind_is_told_as_what_it_is(kind, content, made, text):
    heard = hear_one(bodies.message(GERDA, "wamid.1", AT, kind, **content))
    assert (only(heard).kind, only(heard).text, only(heard).detail) == (made, text, kind)
    assert heard.not_understood == (("kind_hologram",) if kind == "hologram" else ())


def test_an_edit_and_a_deletion_are_of_the_message_that_they_name():
    now = {"context": {}, "type": "text", "text": {"body": "At nine"}}
    changed = {
        **bodies.message(GERDA, "wamid.2", AT + 60, "edit"),
        "edit": {"original_message_id": "wamid.1", "message": now},
    }
    message = only(hear_one(changed))
    assert (message.external_id, message.text, message.kind) == ("wamid.1", "At nine", MessageKind.TEXT)
    assert message.edited_at == datetime.fromtimestamp(AT + 60, UTC)
    gone = bodies.message(GERDA, "wamid.3", AT + 90, "revoke", original_message_id="wamid.1")
    assert (only(hear_one(gone)).external_id, only(hear_one(gone)).deleted) == ("wamid.1", True)


def test_what_a_person_writes_on_the_phone_is_the_hosts():
    heard = hear_one(bodies.echo(GERDA, "wamid.9", AT, body="I will be there"), "smb_message_echoes")
    assert (only(heard).role, heard.views[0].external_id) == (AuthorRole.HOST, GERDA)


def test_a_person_who_hides_the_number_is_known_by_the_id_in_its_place():
    hidden = "US.13491208655302741918"
    body = bodies.change(
        PHONE,
        contacts=[bodies.contact(hidden, "Gerda")],
        messages=[bodies.message(hidden, "wamid.1", AT, body="Hello")],
    )
    (view,) = told(bodies.webhook(body)).views
    assert (view.external_id, view.guest_name, is_conversation_id(hidden)) == (hidden, "Gerda", True)
    call = wire_cloud.text_call(SETTINGS, hidden, "Hello", Press("job-1", None))
    assert call.json is not None
    assert (call.json["recipient"], "to" in call.json) == (hidden, False)


def test_a_message_of_a_group_is_left_alone():
    message = {**bodies.message(GERDA, "wamid.1", AT, body="Hello all"), "group_id": "g1"}
    heard = hear_one(message)
    assert (heard.views, heard.not_understood) == ((), ())


@pytest.mark.parametrize(
    "odd",
    [
        {"id": "wamid.1"},
        {"from": GERDA, "timestamp": str(AT), "type": "text", "text": {"body": "x"}},
        {"from": "../x", "id": "a", "timestamp": str(AT), "type": "text", "text": {"body": "x"}},
        {"from": GERDA, "id": "a", "timestamp": "soon", "type": "text", "text": {"body": "x"}},
        {"from": GERDA, "id": "a", "timestamp": "9" * 30, "type": "text", "text": {"body": "x"}},
        {"from": GERDA, "id": 7, "timestamp": str(AT), "type": "text", "text": {"body": "x"}},
    ],
)
def test_what_is_not_understood_is_named_and_the_rest_is_taken(odd):
    right = bodies.message(GERDA, "wamid.2", AT, body="Hello")
    heard = told(bodies.webhook(bodies.change(PHONE, messages=[odd, right])))
    assert heard.not_understood == ("message",)
    assert only(heard).external_id == "wamid.2"


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b"[" * 100_000, b'{"object": "page"}', b"\xff\xfe"])
def test_a_signed_body_of_no_known_form_is_kept_for_a_person(raw):
    heard = wire_cloud.hear(SETTINGS, incoming(raw, bodies.signed(raw, SECRET)))
    assert heard.not_understood != ()
    assert heard.views == ()


@pytest.mark.parametrize("field", ["account_update", "history", "message_template_status_update"])
def test_what_tells_of_no_message_is_passed_over(field):
    body = {
        "object": "whatsapp_business_account",
        "entry": [{"id": "1", "changes": [{"field": field, "value": {}}]}],
    }
    heard = told(body)
    assert (heard.mine, heard.views, heard.not_understood) == (True, (), ())


def test_several_entries_changes_and_messages_come_in_one_body():
    messages = [bodies.message(GERDA, f"wamid.{n}", AT + n, body=f"Text {n}") for n in (2, 1)]
    other = bodies.message("4915112345678", "wamid.7", AT, body="Hallo")
    body = bodies.webhook(bodies.change(PHONE, messages=messages), bodies.change(PHONE, messages=[other]))
    body["entry"].append(
        {"id": "2", "changes": [bodies.change(PHONE, statuses=[bodies.status("w", "read", GERDA, AT)])]}
    )
    heard = told(body)
    assert {view.external_id: [m.text for m in view.messages] for view in heard.views} == {
        GERDA: ["Text 1", "Text 2"],
        "4915112345678": ["Hallo"],
    }
    assert [note.standing for note in heard.deliveries] == [Delivery.READ]


@pytest.mark.parametrize(
    ("said", "standing"),
    [
        ("sent", "server"),
        ("delivered", "delivered"),
        ("read", "read"),
        ("played", "read"),
        ("failed", "failed"),
    ],
)
def test_a_status_brings_our_key_back(said, standing):
    code = 131026 if said == "failed" else None
    status = bodies.status("wamid.5", said, GERDA, AT, "job-1", code)
    (note,) = told(bodies.webhook(bodies.change(PHONE, statuses=[status]))).deliveries
    assert (note.external_id, note.standing, note.key) == ("wamid.5", standing, "job-1")
    assert note.error == ("131026" if code else None)


# --- out -------------------------------------------------------------------------------------------------


def test_a_text_goes_out_as_the_service_wants_it():
    call = wire_cloud.text_call(SETTINGS, GERDA, "Yes", Press("job-1", "wamid.1"))
    assert call.url == f"https://graph.facebook.com/v21.0/{PHONE}/messages"
    assert call.headers == {"authorization": "Bearer EAAG"}
    assert "EAAG" not in repr(call)
    assert call.json == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": GERDA,
        "type": "text",
        "text": {"preview_url": False, "body": "Yes"},
        "biz_opaque_callback_data": "job-1",
    }


def answer(status: int, code: object = None, details: str = "", retry_after: str | None = None) -> Answer:
    body = (
        {"error": {"code": code, "message": "(#1) no", "error_data": {"details": details}}}
        if code is not None
        else {}
    )
    return Answer(status, json.dumps(body).encode(), retry_after)


@pytest.mark.parametrize(
    ("came", "verdict"),
    [
        (Answer(200, b'{"messages": [{"id": "wamid.1"}]}'), Taken("wamid.1")),
        (Answer(200, b"{}"), Unknown("the answer names no message")),
        (Answer(200, b"<html>"), Unknown("the answer names no message")),
        (answer(400, 130429), Slower(None, everybody=True)),
        (answer(400, 4), Slower(None, everybody=True)),
        (answer(400, 80007, retry_after="30"), Slower(30.0, everybody=True)),
        (answer(400, 131056), Slower(None, everybody=False)),
        (answer(429, retry_after="7"), Slower(7.0, everybody=True)),
        (answer(401, 190), Wall("credentials", "Meta refuses the token (code 190)")),
        (answer(403, 10), Wall("credentials", "Meta refuses the token (code 10)")),
        (answer(403, 200), Wall("credentials", "Meta refuses the token (code 200)")),
        (answer(401), Wall("credentials", "Meta refuses the token (HTTP 401)")),
        (answer(403, 368), Wall("blocked", "Meta has restricted the account (code 368)")),
        (answer(403, 131031), Wall("blocked", "Meta has restricted the account (code 131031)")),
        (answer(400, 131047), Refused("131047", "window_closed")),
        (answer(400, 131048), Refused("131048", "quality_limit")),
        (answer(400, 131026), Refused("131026")),
        (answer(400, 100, "Param text['body'] must be a string"), Refused("100 text.body")),
        (
            answer(400, 131009, "Parameter value is not valid: messaging_product"),
            Refused("131009 messaging_product"),
        ),
        (answer(500, 131000), Unknown("the service answered 500")),
        (answer(503), Unknown("the service answered 503")),
        (answer(302), Unknown("the service answered 302")),
        (answer(404), Unknown("the service answered 404")),
        (answer(400, "190"), Unknown("the service answered 400")),
    ],
)
def test_each_answer_has_one_meaning(came, verdict):
    assert wire_cloud.judge(came) == verdict


def test_a_number_of_a_person_is_not_taken_for_the_name_of_a_field():
    found = wire_cloud.judge(answer(400, 100, f"(#100) recipient {GERDA} is not in the list"))
    assert GERDA not in found.error
