"""The positive gate: only a guest's fresh text in a hosted stay gets through, everything else says why not."""

from datetime import timedelta

import pytest

from src.model.gate import Refusal, conversation_refusal, message_refusal, newest_refusal
from src.model.inbox import AuthorRole, MessageKind

MAX_AGE = timedelta(hours=24)

REFUSED_CONVERSATIONS = {
    Refusal.NOT_A_STAY: {"is_stay": False},
    Refusal.NOT_HOSTING: {"is_hosting": False},
    Refusal.VIEWER_IS_NOT_HOST: {"viewer_is_host": False},
}
REFUSED_MESSAGES = [
    (Refusal.FROM_HOST, {"role": AuthorRole.HOST}),
    (Refusal.FROM_HOST, {"role": AuthorRole.TEAM}),
    (Refusal.FROM_SITE, {"role": AuthorRole.SITE}),
    (Refusal.CARD, {"kind": MessageKind.CARD, "text": None}),
    (Refusal.BULLETIN, {"kind": MessageKind.BULLETIN, "text": None}),
    (Refusal.MEDIA, {"kind": MessageKind.MEDIA, "text": None}),
    (Refusal.UNSUPPORTED, {"kind": MessageKind.UNSUPPORTED, "text": None}),
    (Refusal.DELETED, {"deleted": True, "text": None}),
    (Refusal.EMPTY, {"text": " \n\t"}),
    (Refusal.EMPTY, {"text": None}),
    (Refusal.EMPTY, {"text": "\u3164"}),
]


@pytest.mark.parametrize("role", [AuthorRole.GUEST, AuthorRole.COTRAVELLER])
def test_a_fresh_text_of_the_guests_side_in_a_hosted_stay_gets_through(
    clock, make_message, make_conversation, role
):
    seen = make_conversation(make_message("Is there a cot?", role=role))
    assert newest_refusal(seen, now=clock(), max_age=MAX_AGE) is None


@pytest.mark.parametrize(("refusal", "facts"), REFUSED_CONVERSATIONS.items())
def test_a_conversation_that_is_not_a_hosted_stay_of_ours_is_refused(
    clock, make_message, make_conversation, refusal, facts
):
    seen = make_conversation(make_message(), **facts)
    assert conversation_refusal(seen) is refusal
    assert newest_refusal(seen, now=clock(), max_age=MAX_AGE) is refusal


@pytest.mark.parametrize(("refusal", "facts"), REFUSED_MESSAGES)
def test_a_message_that_is_not_a_guests_text_is_refused(
    clock, make_message, make_conversation, refusal, facts
):
    message = make_message(**facts)
    assert message_refusal(message, now=clock(), max_age=MAX_AGE) is refusal
    assert newest_refusal(make_conversation(message), now=clock(), max_age=MAX_AGE) is refusal


def test_a_card_is_refused_whoever_wrote_it(clock, make_message):
    for role in AuthorRole:
        card = make_message(None, role=role, kind=MessageKind.CARD)
        assert message_refusal(card, now=clock(), max_age=MAX_AGE) is not None


def test_a_message_is_too_old_one_moment_after_its_age_is_reached(clock, make_message):
    message = make_message(sent_at=clock())
    clock.advance(24 * 3600)
    assert message_refusal(message, now=clock(), max_age=MAX_AGE) is None
    clock.advance(0.001)
    assert message_refusal(message, now=clock(), max_age=MAX_AGE) is Refusal.TOO_OLD


def test_the_newest_message_decides_whatever_came_before(clock, make_message, make_conversation):
    question = make_message("Is there a cot?")
    for newest in (make_message("Yes", role=AuthorRole.HOST), make_message(None, kind=MessageKind.CARD)):
        seen = make_conversation(question, newest)
        assert newest_refusal(seen, now=clock(), max_age=MAX_AGE) is not None


def test_a_conversation_without_messages_is_refused(clock, make_conversation):
    assert newest_refusal(make_conversation(), now=clock(), max_age=MAX_AGE) is Refusal.EMPTY


def test_every_kind_of_message_but_text_has_a_refusal_of_its_own(clock, make_message):
    kinds = {kind for kind in MessageKind if kind is not MessageKind.TEXT}
    refusals = {
        message_refusal(make_message(None, kind=kind), now=clock(), max_age=MAX_AGE) for kind in kinds
    }
    assert len(refusals) == len(kinds)
    assert None not in refusals
