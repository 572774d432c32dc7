"""A sentence for every status, reason and refusal. Keys are what the database holds."""

from __future__ import annotations

from src.account import DEFAULT_CHANNEL
from src.languages import Language
from src.languages import sentence as _

DONE = {
    "approved": _("Approved: it is on its way to the guest."),
    "written": _("Your message is on its way to the guest."),
    "taken_back": _("Taken back: it is a draft again."),
    "rejected": _("Rejected: it will not be sent."),
    "cancelled": _("Cancelled: it will not be sent."),
    "retried": _("It is tried again."),
    "confirmed": _("Noted: it was sent."),
    "again": _("A new reply with the same text is on its way."),
    "paused": _("Paused: nothing is sent until you resume. Drafts are still made."),
    "resumed": _("Sending goes on."),
    "mode": _("The mode is set."),
    "taken_over": _("You have taken over. The visitor sees it, and nothing goes out here by itself."),
    "given_back": _("The AI answers this visitor again."),
    "seen_to": _("Noted: no answer is needed. If the guest writes again, it waits for you again."),
    "fact_kept": _("Kept as a fact."),
    "fact_added": _("Kept as a fact: the next guest who asks is answered from it."),
    "fact_dismissed": _("Noted: this question is not asked of you again."),
    "not_translated": _(
        "The model could not translate it now. The text stays as it is; try again in some minutes."
    ),
    "autonomy": _("Noted. What may go out by itself now stands below."),
    "logged_out": _("You are logged out."),
}

DONE_BUT = {
    "approved": _("Approved, but it does not go out now."),
    "written": _("Your message is kept, but it does not go out now."),
    "retried": _("It is in the queue again, but does not go out now."),
    "again": _("A new reply with the same text was made, but it does not go out now."),
    "resumed": _("The pause is over, but nothing goes out now."),
}
"""The same of what is to be sent, where something hinders it."""
NOTES = {
    "joined": _("A person took over; the visitor was told."),
    "left": _("The person gave back to the AI; the visitor was told."),
}
"""What stands among the messages of a site's visitor: ``messages.detail`` of a note."""
HINDRANCES = {
    "halted": _("Halted: nothing is read or sent until a person reconnects."),
    "paused": _("Sending is paused: nothing goes out until you resume."),
    "reply_mode_off": _(
        "REPLY_MODE is off: nothing is sent until that is changed in .env and Nightporter is started again."
    ),
    "nobody_sends": _("Nobody sends: the SEND worker does not run. Replies wait."),
}
"""Why what is due does not go out now: ``services.status.what_hinders``."""
_IN_A_MOMENT = _("Approved: it goes out in some seconds.")
_FOR_CALLER = {
    "approved": _("Approved: whoever asked for it may take it now."),
    "written": _("Your message is kept: whoever asked may take it now."),
}
_PAUSED_ONLY = _("Paused: nothing is sent until you resume.")
_MODE_BUT = _("REPLY_MODE is off: nothing is answered, whatever is set here.")

NOT_LET_IN = _(
    "This dashboard is not open to this address, and it has no password yet. Set DASHBOARD_PASSWORD in .env and "
    "start Nightporter again."
)
TOO_MANY_GUESSES = _("Too many wrong keys came from your address. Wait a little, then try again.")
WRONG_HOST = _(
    "The dashboard does not answer at this address. Open it as localhost or by its IP address, or "
    "write its address into DASHBOARD_URL and start Nightporter again."
)
NOT_FOUND = _("There is no page, conversation or reply with this address. It may have been typed wrong.")
NO_DATABASE = _("Nothing was changed. Try again in a moment; if it stays like this, the log says more.")
CONFLICT = _("Things have moved on since this page was shown. Look at how they stand now.")
NOT_USABLE = _("What was sent cannot be used.")
CONFLICTS = {
    "cannot_take_over": _("Only the visitors of a site's chat can be told that a person has joined."),
    "form_expired": _("This form has expired. Go back, load the page again, and send it once more."),
    "is_pending": _("Somebody was quicker: this reply is approved already."),
    "is_processing": _("This reply is being sent right now, so nothing can be changed any more."),
    "is_sent": _("This reply is sent already."),
    "is_cancelled": _("This reply was cancelled meanwhile, by a person or because it was overtaken."),
    "is_failed": _("This reply could not be delivered. You can try it again."),
    "is_unconfirmed": _(
        "Send was pressed for this reply and the proof is missing. Look at the conversation first."
    ),
    "is_draft": _("This reply is a draft: approve it or reject it."),
    "cannot_write": _("Nobody can write there from here."),
    "reply_mode_off": _("REPLY_MODE is off for this account: nothing is sent."),
    "not_answerable": _("This is no conversation in which guests are answered: write on the site itself."),
    "guest_wrote_again": _("The guest wrote again meanwhile. Read it first, then send your words."),
    "being_sent": _(
        "A reply of the AI is being sent in this moment. Look at it first, then send your words."
    ),
    "caller_has_answer": _("Whoever asked has got the reply. Nothing can be sent before they ask again."),
    "no_remote_view": _(
        "This process cannot open the browser. Use scripts/reconnect_airbnb.py on the machine."
    ),
    "remote_busy": _("Somebody is at it right now, in another window or on another device."),
    "remote_not_halted": _("There is no halt, so there is nothing to reconnect."),
    "is_answered": _("Somebody was quicker: this question is answered already."),
    "learned_not_usable": _(
        "The file learned.csv cannot be read as it is, so that nothing was added. The page Knowledge says what is "
        "wrong."
    ),
    "not_writable": _("The knowledge folder cannot be written to. Check its rights on the machine."),
    "no_model": _("No model is configured, so that nothing can be tried."),
    "overtaken": _("The guest or the host wrote after this draft was made, so it does not fit any more."),
    "too_late": _("The message that this draft answers is too old by now for an answer of this kind."),
}
HOLDS_SECRET = _(
    "Your text has a code in it that stands in a secrets.toml. Write its placeholder instead, such as "
    "{{door_code}}: the code itself is filled in when the reply is typed."
)
MALFORMED = {
    "is empty": _("The text is empty. Nothing was sent."),
    "has a character that cannot be typed": _(
        "The text has a character that cannot be typed. Nothing was sent."
    ),
}

OUTBOX = {
    "draft": _("Draft"),
    "pending": _("To be sent"),
    "processing": _("Being sent"),
    "sent": _("Sent"),
    "unconfirmed": _("Unconfirmed"),
    "failed": _("Failed"),
    "cancelled": _("Cancelled"),
}
OUTBOX_MEANS = {
    "draft": _("It waits for you."),
    "pending": _("It waits for its turn."),
    "processing": _("The SEND worker has it in hand."),
    "sent": _("It is in the conversation; that is proven."),
    "unconfirmed": _(
        "Send was pressed, or may have been, and the message was not found. It is never pressed again."
    ),
    "failed": _("It could not be delivered. Send was not pressed."),
    "cancelled": _("It was no longer wanted. Send was not pressed."),
}
WAITS = {
    "draft": OUTBOX["draft"],
    "unconfirmed": OUTBOX["unconfirmed"],
    "failed": OUTBOX["failed"],
    "unanswered": _("Left to you"),
    "unreadable": _("Photo or card"),
    "stuck": _("Does not get out"),
    "late": _("Not answered yet"),
}
"""What waits for a person, in a word: the same in every list."""
INBOX = {
    "pending": _("waits to be given to the AI"),
    "processing": _("is being given to the AI"),
    "waiting": _("was given to the AI, whose answer is awaited"),
    "answered": _("was answered by the AI"),
    "ignored": _("needs no answer, says the AI"),
    "escalated": _("left to you"),
    "cancelled": _("needs no answer any more"),
    "expired": _("got no answer in time"),
    "failed": _("could not be given to the AI"),
}

REASONS = {
    # why a reply or a request is no longer wanted, or is held
    "approval_required": _("You are asked first: you decide."),
    "approval_taken_back": _("You took your approval back."),
    "topic_needs_approval": _("You decide on this topic: it is not allowed to go out by itself."),
    "host_answered": _("You, or a co-host, wrote in the conversation after the guest."),
    "guest_wrote_again": _("The guest wrote again; the AI is asked again with everything."),
    "guest_wrote_first": _("The person wrote before our first message did, and is answered instead."),
    "start_too_old": _("The conversation had begun too long ago for a first message."),
    "denies_being_ai": _("It says that a person writes. Your AI must not say that: please change it."),
    "earlier_part_missing": _("An earlier part of this answer was not sent, or nobody knows: please look."),
    "guest_changed_message": _("The guest changed the message; the AI is asked again."),
    "guest_unsent_message": _("The guest took the message back."),
    "not_the_newest": _(
        "Something that is no guest's text (a card, a photo, a notice) came after the message."
    ),
    "not_answerable": _("This conversation, or its newest message, is not one that the AI answers."),
    "already_answered": _("Another reply to the same message is there."),
    "expired": _("An answer would come too late to be of use."),
    "rejected": _("You rejected the draft."),
    "cancelled_by_person": _("You cancelled it."),
    "forgotten": _("Its guest was forgotten, as asked."),
    "replaced": _("A newer reply took its place."),
    "no_proof": _("The message was not found in the conversation after Send was pressed."),
    "no_answer_in_time": _("The AI gave no answer while it would have been of use."),
    "not_accepted_in_time": _("The AI could not be reached while an answer would have been of use."),
    "escalated_by_ai": _("The AI asks a person to answer."),
    "no_answer_needed": _("The AI says that no answer is needed."),
    "mode_off": _("It is switched off here: nothing is answered."),
    "reply_mode_off": _("It is switched off here: nothing is answered."),
    "could_not_be_sent": _("Sending it failed several times before Send was pressed: a person should look."),
    "secret_not_due": _("It names a code that this guest may not have yet, or not any more."),
    "unknown_placeholder": _("It names a placeholder that the listing's secrets.toml does not have."),
    "cannot_transcribe": _("The voice message could not be written down: listen to it yourself."),
    "undeliverable": _("The service says that it cannot deliver it."),
    "window_closed": _(
        "The person's last message is more than 24 hours old: free words are not possible now."
    ),
    "quality_limit": _(
        "The service limits the number because people complained: you decide about the reply."
    ),
    "no_composer": _("Airbnb offers nothing to write with in this conversation."),
    "no_such_conversation": _("Airbnb does not open this conversation."),
    "cap_conversation_hour": _(
        "Many replies went into this conversation within an hour: you decide about the next."
    ),
    "cap_conversation_day": _(
        "Many replies went into this conversation within a day: you decide about the next."
    ),
    "cap_account_hour": _("Many replies went out within an hour: you decide about the next."),
    "cap_rounds": _(
        "It looks as if two machines were talking to each other: you decide about the next reply."
    ),
    "same_reply_again": _(
        "The AI says the same for the third time within a day: you decide about the reply."
    ),
    "same_message_again": _("The guest's side writes the same again and again: you decide about the reply."),
    # why the assistant holds its own answer
    "held_by_ai": _("The AI wants you to look at it first."),
    "with_an_escalation": _("A person answers; this is a draft for you."),
    "low_confidence": _("The assistant is not sure enough."),
    "not_gated": _("It was not checked by the fixed rules."),
    "not_checked": _("Nobody took a second look at it."),
    "not_supported": _("It says something that your facts do not."),
    "not_all_answered": _("It does not answer everything that the guest asks."),
    "tone": _("Its tone is not right."),
    "check_says_hold": _("The second look says: wait."),
    "instructions_in_text": _("The guest's message gives orders to a machine."),
    "too_long": _("It is too long."),
    "not_plain": _("It is not plain text."),
    "secret_in_text": _("It has a code in it that must not be written down."),
    "prompt_leak": _("It repeats the assistant's own instructions."),
    "echo": _("It mostly repeats the guest's words."),
    "contact": _("It has an address, a link or a phone number in it."),
    "number_not_in_facts": _("It has a number that stands in none of its sources."),
    "promise": _("It promises something."),
    "no_source": _("It rests on none of your facts."),
    "contradiction": _("Your facts disagree on this."),
    "language": _("It is not in the guest's language."),
    "person": _("It is about a person: the guest asks for one, or the text claims to be one."),
    "same_again": _("It repeats the last reply."),
    "other_listing": _("It names another listing."),
    # why the assistant hands a message over
    "safety": _("Somebody may be in danger."),
    "medical": _("Somebody may be hurt or ill."),
    "access": _("The guest cannot get in."),
    "refund": _("It is about money back."),
    "payment": _("It is about a payment."),
    "legal": _("It is about the law."),
    "discrimination": _("It is about unequal treatment."),
    "complaint": _("The guest complains."),
    "damage": _("Something was damaged or lost."),
    "price": _("It is about the price."),
    "booking": _("It is about the booking: dates, times, changes."),
    "guests": _("It is about more people, pets or a party."),
    "offplatform": _("It leads away from the platform."),
    "missing_fact": _("Your facts do not say it."),
    "over_budget": _("The tokens of the day are used up."),
    "not_text": _("There is no text to answer."),
    "two_machines": _("It looks as if two machines were talking to each other."),
    "too_late": _("It is too late for an answer."),
    "closing": _("The guest only says thank you or goodbye."),
    "model_down": _("The model service did not answer for ten minutes."),
    "model_busy": _("The model service has too much to do."),
    "model_slow": _("The model was too slow."),
    "model_refused": _("The model refused to answer."),
    "model_unreadable": _("What the model said could not be used."),
    "model_unknown": _("The model service does not know this model."),
    "model_key_refused": _("The model service refuses the key, or there is no credit."),
    # why a message is not given to the AI
    "not_a_stay": _("This is no conversation with a guest about a stay."),
    "not_hosting": _("Airbnb does not file this conversation under your hosting."),
    "viewer_is_not_host": _("You are not the host in this conversation."),
    "from_host": _("It was written by you or your team."),
    "from_site": _("It was written by Airbnb."),
    "card": _("It is a card of Airbnb, such as a request or a change of dates: those are for you."),
    "bulletin": _("It is a notice of Airbnb."),
    "media": _("It is a photo or a file without text."),
    "unsupported": _("It is of a kind that is not known."),
    "reaction": _("It is a mark on another message: it asks for nothing."),
    "deleted": _("Its author took it back."),
    "empty": _("There is no text in it."),
    "too_old": _("It was too old when it was first seen: history, not work."),
    "crossed_our_reply": _("It arrived in the very moment in which a reply was sent: a person should look."),
    "words_not_sent": _("What you wrote was not sent."),
    "cannot_be_opened": _(
        "The inbox lists it, but Airbnb does not open its conversation: a person should look."
    ),
}

HELD = {
    "expired": _("It rests on a fact that has ended."),
    "empty": _("The assistant wrote nothing."),
}
"""Of a draft that waits, where a code means something else than it does for a message."""

HALTS = {
    "challenge": _("Airbnb asks whether you are human"),
    "logged_out": _("Airbnb ended the login"),
    "blocked": _("Airbnb refuses to answer for now"),
    "credentials": _("The service refuses the key or password"),
    "nothing_leaves": _("WhatsApp does not acknowledge what the gateway sends"),
    "session_lost": _("The gateway is not logged in to WhatsApp any more"),
    "no_session": _("The gateway knows no session of the configured name"),
    "page_changed": _("Airbnb's page looks different from what is known"),
    "crash_loop": _("Nightporter crashed again and again"),
    "other_account": _("The saved login belongs to another host"),
}
HALT_HELP = {
    "challenge": _(
        "Nothing is solved by machine. Solve it yourself in the browser, then everything goes on."
    ),
    "logged_out": _("Log in again in the browser, then everything goes on."),
    "nothing_leaves": _("The gateway is asked to connect again; if it asks for a code then, scan it."),
    "session_lost": _("Scan a code with the phone that has the number, then everything goes on."),
    "no_session": _("Create the session at the gateway, or mend its name in the settings."),
    "credentials": _("Write a key that is good into .env, start Nightporter again, and let it look again."),
    "blocked": _("Wait some hours, then look at the inbox yourself before you let it go on."),
    "page_changed": _(
        "Nothing is guessed. Update Nightporter, then let it look again; the log has a picture of the page."
    ),
    "crash_loop": _("The log says at what. When the cause is gone, let it look again."),
    "other_account": _("Log in as the host whose inbox this database holds."),
}

_HALTS_ELSEWHERE = {
    "challenge": _("The service asks whether you are human"),
    "logged_out": _("The service ended the login"),
    "blocked": _("The service refuses to answer for now"),
    "page_changed": _("What the service says looks different from what is known"),
    "other_account": _("The login belongs to another account"),
}
_HELP_ELSEWHERE = {
    "logged_out": _("Log in again, then everything goes on."),
    "page_changed": _("Nothing is guessed. Update Nightporter, then let it look again; the log says more."),
    "other_account": _("Log in to the account whose conversations this database holds."),
}
"""Of accounts of other channels than Airbnb, where their words differ."""

MODES = {
    "auto": _("Automatic"),
    "draft": _("Ask me first"),
    "off": _("Off"),
}
"""Never *draft*: a draft is a reply that waits for approval, whatever the mode is."""
MODE_MEANS = {
    "auto": _("answers go out by themselves"),
    "draft": _("each answer waits for you as a draft"),
    "off": _("only reads, answers nothing"),
}
STAGES = {
    "inquiry": _("Inquiry"),
    "request": _("Request to book"),
    "booked": _("Booked"),
    "staying": _("Staying now"),
    "past": _("Stay is over"),
    "cancelled": _("Booking cancelled"),
}
"""Where a stay stands (``model/stages.py``)."""
STAY = {
    "listing_name": _("Name of the listing"),
    "check_in": _("Check-in"),
    "check_out": _("Check-out"),
    "guests": _("Guests"),
    "trip_stage": _("Trip"),
    "reservation_status": _("Reservation"),
    "summary": _("What Airbnb says"),
    "confirmation_code": _("Confirmation code"),
}
ORIGINS = {
    "assistant": _("Nightporter"),
    "host": _("Host"),
    "team": _("Co-host"),
    "site": _("Airbnb"),
    "guest": _("Guest"),
    "cotraveller": _("Co-traveller"),
}


def done(
    code: str, hindrance: str | None, *, reads: bool, called_for: bool, waits: bool = False
) -> list[str]:
    """What is said after a deed: what was done, and what follows of it as things stand; nothing for no deed.

    ``reads``: the inbox is being read. ``called_for``: whoever asked takes the reply. ``waits``: the approved reply
    is not due yet.
    """
    if code not in DONE:
        return []
    if code in DONE_BUT and hindrance is not None:
        return [DONE_BUT[code], HINDRANCES[hindrance]]
    if code in _FOR_CALLER and called_for:
        return [_FOR_CALLER[code]]
    if code == "approved" and waits:
        return [_IN_A_MOMENT]
    if code == "paused" and not reads:
        return [_PAUSED_ONLY]
    return [DONE[code], _MODE_BUT] if code == "mode" and hindrance == "reply_mode_off" else [DONE[code]]


def reason(lang: Language, code: str | None, *, held: bool = False) -> str:
    """The sentence for a reason. What the AI or a person gave as one is shown as it is. ``held``: of a draft."""
    if not code:
        return ""
    if held and code in HELD:
        return lang.gettext(HELD[code])
    return lang.gettext(REASONS[code]) if code in REASONS else code


def halt(lang: Language, kind: str | None, channel: str) -> str:
    """Why an account of this channel is halted; the kind itself where there are no words for it."""
    return _halt_words(lang, _HALTS_ELSEWHERE, HALTS, kind, channel) or kind or ""


def halt_help(lang: Language, kind: str | None, channel: str) -> str:
    """What to do about it; nothing where nothing is to be said."""
    return _halt_words(lang, _HELP_ELSEWHERE, HALT_HELP, kind, channel)


def _halt_words(
    lang: Language, elsewhere: dict[str, str], here: dict[str, str], kind: str | None, channel: str
) -> str:
    table = here if channel == DEFAULT_CHANNEL else here | elsewhere
    return lang.gettext(table[kind]) if kind in table else ""


def of(lang: Language, table: dict[str, str], code: str) -> str:
    """The words for a code; the code itself if there are none."""
    return lang.gettext(table[code]) if code in table else code
