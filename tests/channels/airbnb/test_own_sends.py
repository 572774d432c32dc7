"""Which message is ours, row by row as docs/own-messages.md has it: what is heard, and what follows."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from src.channels.airbnb import ids
from src.channels.airbnb.own_sends import OwnSend, OwnSends
from src.model.inbox import AuthorRole, MessageKind, SeenConversation, SeenMessage
from src.model.sending import Press

NUMBER = 1234567
CONVERSATION = ids.encode("MessageThread", NUMBER)
TEXT = "Oui 👍"
UUID = "6f1d7c3e-8f0a-4c59-9a51-0d3c0e6b7a11"
OTHER_UUID = "00000000-1111-4222-8333-444444444444"
GUESTS, OURS, NEXT = (ids.encode("Message", n) for n in (11, 12, 13))


def request(text=TEXT, number=NUMBER, unique_id=UUID):
    message = {
        "content": {"textContent": {"body": text}},
        "uniqueIdentifier": unique_id,
        "loggingExtras": None,
    }
    variables = {"actAs": "PARTICIPANT", "messages": [message], "messageThreadId": number}
    return json.dumps({"operationName": "CreateBulkMessagesMutation", "variables": variables}).encode()


def answer(*messages):
    nodes = [{"__typename": "Message", "id": i, **({"uuid": u} if u else {})} for i, u in messages]
    return {"data": {"createBulkMessages": {"messages": nodes}}, "extensions": {"traceId": "abc"}}


def pressed(text=TEXT):
    return OwnSend("job-1", CONVERSATION, text, frozenset({GUESTS}), page=1)


def message(external_id, text, role=AuthorRole.HOST, **facts):
    at = datetime(2026, 5, 1, 12, ids.message_number(external_id), tzinfo=UTC)
    seen = SeenMessage(external_id, "1", None, role, MessageKind.TEXT, "TEXT_CONTENT", text, at)
    return replace(seen, **facts)


def view(*messages, **facts):
    first = message(GUESTS, "Y a-t-il un lit ?", AuthorRole.GUEST)
    seen = SeenConversation(
        CONVERSATION,
        "HOME_BOOKING",
        True,
        True,
        "1",
        True,
        (),
        (first, *messages),
        first.sent_at,
        opened=True,
    )
    return replace(seen, **facts)


def emptied():
    own = pressed()
    own.emptied = True
    return own


# --- the page's own send ---------------------------------------------------------------------------------------


def test_our_text_sent_to_this_conversation_is_our_press():
    own = pressed()
    assert own.hear_request(request())
    assert own.unique_ids == {UUID}


@pytest.mark.parametrize("place", [NUMBER, str(NUMBER), CONVERSATION])
def test_however_the_send_names_the_conversation(place):
    assert pressed().hear_request(request(number=place))


@pytest.mark.parametrize("text", ["Oui  👍 ", "Oui\n👍"])
def test_white_space_may_differ(text):
    assert pressed().hear_request(request(text))


@pytest.mark.parametrize(
    "body",
    [
        request(number=NUMBER + 1),
        request("Oui"),
        request("Oui 👍 et merci"),
        b"",
        None,
        b"not JSON",
        b"\xff\xfe",
        json.dumps({"messageThreadId": NUMBER, "typing": True}).encode(),
    ],
)
def test_what_is_not_our_text_to_this_conversation_is_not_our_press(body):
    own = pressed()
    assert not own.hear_request(body)
    assert own.unique_ids == set()


# --- its answer ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("uuid", [UUID, UUID.upper(), None, OTHER_UUID])
def test_an_answer_that_names_one_message_names_ours(uuid):
    own = pressed()
    own.hear_request(request())
    own.hear_answer(answer((OURS, uuid)))
    assert own.made == OURS


def test_of_several_messages_the_one_that_carries_the_pages_id_is_ours():
    own = pressed()
    own.hear_request(request())
    own.hear_answer(answer((NEXT, OTHER_UUID), (OURS, UUID)))
    assert own.made == OURS


@pytest.mark.parametrize(
    "told",
    [
        answer(),
        {},
        None,
        answer((OURS, None), (NEXT, None)),
        answer((GUESTS, None)),
        {**answer((OURS, UUID)), "errors": [{"message": "no"}]},
    ],
    ids=["none", "empty", "null", "two", "known before", "errors"],
)
def test_an_answer_that_leaves_a_doubt_names_nothing(told):
    own = pressed()
    own.hear_request(request())
    own.hear_answer(told)
    assert own.made is None


def test_after_a_lost_answer_the_conversation_shows_the_id_that_the_page_made():
    own = pressed()
    own.hear_request(request())
    own.hear({"data": {"threadData": {"messageData": {"messages": [{"id": OURS, "uuid": UUID}]}}}})
    assert own.made == OURS


def test_nothing_that_was_there_before_the_press_is_ours():
    own = pressed()
    own.hear_request(request())
    own.hear({"messages": [{"id": GUESTS, "uuid": UUID}]})
    assert own.made is None


# --- without a word of the wire --------------------------------------------------------------------------------


def test_the_one_new_message_of_the_account_with_our_letters_is_ours_where_the_composer_was_emptied():
    assert emptied().only_candidate(view(message(OURS, "Oui"))) == OURS


def test_what_others_wrote_meanwhile_makes_no_doubt():
    others = message(NEXT, "Merci", AuthorRole.GUEST), message(NEXT, "Salut", AuthorRole.TEAM)
    for other in others:
        assert emptied().only_candidate(view(message(OURS, "Oui"), other)) == OURS


@pytest.mark.parametrize(
    "seen",
    [
        view(),
        view(message(OURS, "Oui"), message(NEXT, "Oui")),
        view(message(OURS, "Oui"), message(NEXT, None, kind=MessageKind.MEDIA)),
        view(message(OURS, "À demain")),
        view(message(OURS, "Oui", AuthorRole.TEAM)),
        view(message(OURS, "Oui", AuthorRole.GUEST)),
        view(message(OURS, None, deleted=True)),
        view(message(OURS, None, kind=MessageKind.MEDIA)),
        view(message(OURS, "Oui"), gapless=False),
    ],
    ids=[
        "none",
        "two",
        "a photo too",
        "other words",
        "co-host",
        "guest",
        "taken back",
        "photo",
        "told alone",
    ],
)
def test_any_doubt_leaves_it_unconfirmed(seen):
    assert emptied().only_candidate(seen) is None


def test_a_composer_that_still_holds_the_text_leaves_it_unconfirmed():
    own = pressed()
    own.emptied = False
    assert own.only_candidate(view(message(OURS, "Oui"))) is None


def test_a_send_that_the_site_refused_leaves_it_unconfirmed():
    own = emptied()
    own.hear_request(request())
    own.hear_answer({"data": None, "errors": [{"message": "no"}]})
    assert own.only_candidate(view(message(OURS, "Oui"))) is None


def test_a_message_with_another_id_than_the_page_made_leaves_it_unconfirmed():
    """The host's, from the phone, while ours was lost."""
    own = emptied()
    own.hear_request(request())
    own.hear({"messages": [{"id": OURS, "uuid": OTHER_UUID}]})
    assert own.only_candidate(view(message(OURS, "Oui"))) is None


def test_emoji_alone_have_no_letters_to_compare():
    own = emptied()
    own.text = "👍"
    assert own.only_candidate(view(message(OURS, "Oui"))) is None


# --- several presses -------------------------------------------------------------------------------------------


def test_only_the_last_press_hears_a_request():
    sends = OwnSends()
    sends.begin(Press("job-1", GUESTS), view(), TEXT, 1)
    sends.begin(Press("job-2", GUESTS), view(), "Non", 1)
    assert sends.hear_request(request) is None
    assert sends.hear_request(lambda: request("Non")) is sends.last


def test_each_press_keeps_what_it_made_under_its_key():
    sends = OwnSends()
    for key, made in (("job-1", OURS), ("job-2", NEXT)):
        sends.begin(Press(key, GUESTS), view(), TEXT, 1)
        sends.hear_request(request)
        sends.last.hear_answer(answer((made, None)))
    assert sends.made_in(CONVERSATION) == {"job-1": OURS, "job-2": NEXT}
    assert sends.made_in(ids.encode("MessageThread", 1)) == {}


def test_twenty_presses_are_remembered():
    sends = OwnSends()
    for number in range(50):
        sends.begin(Press(f"job-{number}", None), view(), TEXT, 1)
        sends.last.made = ids.encode("Message", 100 + number)
    assert list(sends.made_in(CONVERSATION)) == [f"job-{number}" for number in range(30, 50)]
