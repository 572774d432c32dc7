"""When a reply waits for a person because there were too many, or because two machines seem to talk."""

from datetime import UTC, datetime, timedelta

import pytest

from src.model.caps import (
    PROMPT,
    Caps,
    HoldReason,
    Line,
    Replies,
    count_equal,
    over_cap,
    quick_rounds,
    same_again,
)

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
FEW = Replies(0, 0, 0)
LONG = "Thank you for your message. Our office is closed, we will answer you on Monday morning at nine."


def talk(*lines, minutes=1.0):
    """``talk("guest: Hello", "us: Hi")``: a message every few minutes; ``us!`` is a reply that a person approved."""
    made = []
    for number, line in enumerate(lines):
        who, _, text = line.partition(": ")
        origin = {"us": "assistant", "us!": "assistant"}.get(who, who)
        at = NOON + timedelta(minutes=number * minutes)
        made.append(Line(origin, "text", text, at, approved=who == "us!"))
    return made


def ping_pong(rounds, minutes=1.0):
    return talk(
        *[line for n in range(rounds) for line in (f"guest: g{n}", f"us: u{n}")],
        "guest: end",
        minutes=minutes,
    )


@pytest.mark.parametrize(
    ("replies", "reason"),
    [
        (Replies(5, 19, 59), None),
        (Replies(6, 6, 6), HoldReason.CONVERSATION_HOUR),
        (Replies(5, 20, 20), HoldReason.CONVERSATION_DAY),
        (Replies(5, 5, 60), HoldReason.ACCOUNT_HOUR),
    ],
)
def test_the_caps_are_six_an_hour_twenty_a_day_and_sixty_for_the_inbox(replies, reason):
    assert over_cap(Caps(), replies, []) == reason


def test_eight_quick_rounds_without_a_person_are_the_last_ones():
    assert over_cap(Caps(), FEW, ping_pong(7)) is None
    assert over_cap(Caps(), FEW, ping_pong(8)) == HoldReason.ROUNDS


def test_a_guest_who_takes_time_to_answer_looks_like_a_person():
    quick, slow = PROMPT.total_seconds() / 60, PROMPT.total_seconds() / 60 + 1
    assert quick_rounds(ping_pong(5, minutes=quick)) == 5
    assert quick_rounds(ping_pong(5, minutes=slow)) == 0


@pytest.mark.parametrize("person", ["host: I am here", "team: I am here", "us!: Approved by hand"])
def test_a_person_on_our_side_begins_the_counting_anew(person):
    lines = talk(*(["guest: hm", "us: yes"] * 9), person, "guest: hm", "us: yes", "guest: hm")
    assert (quick_rounds(lines), same_again(lines)) == (1, 2)


def test_what_the_site_writes_in_between_counts_for_nothing():
    lines = talk("guest: a", "us: b", "site: The stay was changed", "guest: c", "us: d", "guest: e")
    assert quick_rounds(lines) == 2


def test_two_replies_without_a_message_between_them_are_no_round():
    assert quick_rounds(talk("us: a", "us: b", "guest: c")) == 1
    assert quick_rounds(talk("us: a")) == 0
    assert quick_rounds([]) == same_again([]) == 0


def test_the_same_message_a_third_time_is_for_a_person():
    lines = talk("guest: Are you there?", "us: Yes.", "guest: are  you THERE?", "us: Yes!")
    assert over_cap(Caps(), FEW, [*lines, *talk("guest: Where is the key?")]) is None
    assert over_cap(Caps(), FEW, [*lines, *talk("guest: Are you there?")]) == HoldReason.SAME_MESSAGE


def test_a_long_text_that_differs_a_little_is_the_same():
    texts = [LONG, LONG.replace("Monday", "Tuesday"), LONG.replace("nine", "ten")]
    assert (
        same_again(talk(f"guest: {texts[0]}", "us: a", f"guest: {texts[1]}", "us: b", f"guest: {texts[2]}"))
        == 3
    )


@pytest.mark.parametrize(
    "other",
    [
        LONG.replace("nine", "9"),
        "yes",
        "no",
        "Thanks, and good night!",
        f"{LONG} By the way: is there a cot for the baby?",
    ],
)
def test_other_texts_are_other_texts(other):
    assert same_again(talk(f"guest: {LONG}", "us: a", f"guest: {other}", "us: b", "guest: yep")) == 1


def test_a_burst_of_the_same_word_is_one_turn():
    assert same_again(talk("guest: Hello?", "guest: Hello?", "guest: Hello?")) == 1
    assert same_again(talk("guest: Hello?", "guest: Hello?", "us: a", "guest: Hello?", "guest: Hello?")) == 2


# --- the AI says the same ---------------------------------------------------------------------------------------


def test_the_third_equal_reply_is_over_the_cap():
    assert over_cap(Caps(), FEW, [], 1) is None
    assert over_cap(Caps(), FEW, [], 2) == HoldReason.SAME_REPLY


def test_replies_are_equal_but_for_white_space_and_invisible_signs():
    said = ["The key is  under\nthe mat.", "The\u200b key is under the mat. ", "The key is under a mat.", ""]
    assert count_equal("The key is under the mat.", said) == 2
