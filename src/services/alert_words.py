"""Alerts in words, in the language of the settings. No guest's name and no guest's words: see the runbook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from src.account import DEFAULT_CHANNEL
from src.languages import Language, language
from src.languages import sentence as _
from src.model.incidents import IncidentKind
from src.services.alerts import Notice
from src.settings import AlertSettings

_K = IncidentKind


@dataclass(frozen=True, slots=True)
class Words:
    """An alert as a person reads it."""

    title: str
    text: str
    link: str


@dataclass(frozen=True, slots=True)
class Told:
    """An alert with its words, and whose it is."""

    notice: Notice
    words: Words
    account: str


_TITLES = {
    _K.HALTED: _("Nightporter has stopped: a person is needed"),
    _K.PAGE_CHANGED: _("Nightporter has stopped: Airbnb's page has changed"),
    _K.NOTHING_READ: _("Nightporter has not read the inbox for a while"),
    _K.NOTHING_TOLD: _("A service does not call Nightporter any more"),
    _K.AI_UNREACHABLE: _("Your AI cannot be reached"),
    _K.OVER_BUDGET: _("The assistant has used up its tokens of today"),
}
_OVER = {
    _K.HALTED: _("Nightporter works again"),
    _K.PAGE_CHANGED: _("Nightporter works again"),
    _K.NOTHING_READ: _("Nightporter reads the inbox again"),
    _K.NOTHING_TOLD: _("The service calls again"),
    _K.AI_UNREACHABLE: _("Your AI can be reached again"),
    _K.UNCONFIRMED: _("No reply is without proof any more"),
    _K.INQUIRY: _("No guest waits for 20 hours any more"),
    _K.STUCK: _("Replies get out again"),
}
_MEANS = {
    _K.HALTED: _("Nothing is read or sent until you act. You can do it from your phone."),
    _K.PAGE_CHANGED: _("Nothing is guessed, read or sent. Look at the inbox yourself, then at the runbook."),
    _K.NOTHING_READ: _(
        "New messages are not seen. Look whether the machine, its network and the workers run."
    ),
    _K.NOTHING_TOLD: _(
        "Replies go out, and for hours nothing has come back: no message, no status. Look whether the webhook's "
        "address is still right and subscribed; doctor asks the service."
    ),
    _K.AI_UNREACHABLE: _("Guests' messages wait, and are given to it when it answers again."),
    _K.UNCONFIRMED: _("Send was pressed, and the message was not found. Look whether it is there."),
    _K.DRAFT: _("Approve it, change it or reject it."),
    _K.UNANSWERED: _("The AI leaves it to you, or gave no answer. Read it and answer the guest."),
    _K.URGENT: _("Danger, an injury, or a door that does not open. Call the guest or answer now."),
    _K.INQUIRY_WAITS: _("Airbnb counts a first answer within 24 hours. Half of them are over."),
    _K.OVER_BUDGET: _(
        "Until tomorrow (UTC) every message is left to you. ASSISTANT_TOKENS_DAY says how many there are."
    ),
    _K.UNREADABLE: _("A photo, a card or a kind of message that no machine reads. Look at it yourself."),
    _K.INQUIRY: _("Airbnb counts an answer within 24 hours. Less than 4 are left."),
    _K.STUCK: _("A text of somebody else may stand in the composer, or each try fails."),
    _K.NOT_UNDERSTOOD: _(
        "Messages in it may be missing. What came is kept in the folder of the logs, under evidence."
    ),
    _K.FAILED: _("Send was not pressed. Look why, and answer the guest yourself or try it again."),
}
_HALT_KINDS = {
    "challenge": _("Airbnb asks whether you are human."),
    "logged_out": _("Airbnb ended the login."),
    "blocked": _("Airbnb refuses to answer for now."),
    "crash_loop": _("It crashed again and again."),
    "other_account": _("The saved login belongs to another host."),
    "session_lost": _("The WhatsApp gateway is not logged in any more: a phone has to scan a code."),
    "nothing_leaves": _("WhatsApp does not acknowledge what the gateway sends."),
    "credentials": _("The service refuses the key or password."),
}
_HALTS_ELSEWHERE = {
    "challenge": _("The service asks whether you are human."),
    "logged_out": _("The service ended the login."),
    "blocked": _("The service refuses to answer for now."),
    "other_account": _("The login belongs to another account."),
}
"""Of accounts of other channels than Airbnb, where their words differ."""
_MEANS_ELSEWHERE = {
    _K.INQUIRY_WAITS: _("Somebody new has waited for half a day. Answer soon."),
    _K.INQUIRY: _("A guest has waited for most of a day. Answer now."),
}
_CHANGED_ELSEWHERE = _("Nightporter has stopped: what the service says has changed")
_PLACES = {
    _K.HALTED: "/reconnect",
    _K.PAGE_CHANGED: "/reconnect",
    _K.NOTHING_READ: "/",
    _K.NOTHING_TOLD: "/",
    _K.AI_UNREACHABLE: "/",
    _K.UNCONFIRMED: "/outbox?state=unconfirmed",
    _K.DRAFT: "/outbox?state=draft",
    _K.UNANSWERED: "/",
    _K.URGENT: "/",
    _K.INQUIRY_WAITS: "/",
    _K.OVER_BUDGET: "/",
    _K.UNREADABLE: "/",
    _K.INQUIRY: "/",
    _K.STUCK: "/outbox?state=pending",
    _K.NOT_UNDERSTOOD: "/",
    _K.FAILED: "/outbox?state=failed",
}


def words_for(
    notice: Notice, settings: AlertSettings, *, channel: str = DEFAULT_CHANNEL, one_of_several: bool = False
) -> Words:
    """Title, text and link of an alert; it begins with the account's name where there are several."""
    lang = language(settings.dashboard_language)
    link = settings.dashboard_url + ("/" if notice.over else _PLACES[notice.kind])
    who = ""
    if one_of_several:
        who = f"{notice.account}: "
        link += f"{'&' if '?' in link else '?'}account={notice.account}"
    if notice.over:
        return Words(who + _over(lang, notice), lang.say(_("This is over; nothing is to be done.")), link)
    elsewhere = channel != DEFAULT_CHANNEL
    changed = elsewhere and notice.kind is _K.PAGE_CHANGED
    title = lang.say(_CHANGED_ELSEWHERE) if changed else _title(lang, notice)
    if notice.again:
        title = lang.say(_("Still so: %(title)s"), title=title)
    return Words(who + title, _text(lang, notice, elsewhere=elsewhere), link)


def words_for_several(told: Sequence[Told], settings: AlertSettings) -> Words:
    """One alert that tells of several: how many, then the title of each in a line of its own."""
    lang = language(settings.dashboard_language)
    title = lang.say_many("%(num)s thing that could wait", "%(num)s things that could wait", len(told))
    lines = "\n".join(f"• {one.words.title}" for one in told)
    return Words(title, lines, f"{settings.dashboard_url}/")


def words_of_test(settings: AlertSettings) -> Words:
    """What is sent to see whether alerts arrive."""
    lang = language(settings.dashboard_language)
    return Words(
        lang.say(_("A test of Nightporter's alerts")),
        lang.say(_("If you read this, alerts reach you.")),
        f"{settings.dashboard_url}/",
    )


def _title(lang: Language, notice: Notice) -> str:
    number = len(notice.incidents)
    match notice.kind:
        case _K.UNCONFIRMED:
            return lang.say_many("%(num)s reply without proof", "%(num)s replies without proof", number)
        case _K.DRAFT:
            return lang.say_many("%(num)s reply waits for you", "%(num)s replies wait for you", number)
        case _K.UNANSWERED:
            return lang.say_many(
                "%(num)s guest's message is left to you", "%(num)s guests' messages are left to you", number
            )
        case _K.UNREADABLE:
            return lang.say_many(
                "%(num)s photo or card of a guest waits for you",
                "%(num)s photos or cards of guests wait for you",
                number,
            )
        case _K.URGENT:
            return lang.say_many(
                "Urgent: %(num)s guest needs you now", "Urgent: %(num)s guests need you now", number
            )
        case _K.INQUIRY_WAITS:
            return lang.say_many(
                "%(num)s new inquiry has waited for 12 hours",
                "%(num)s new inquiries have waited for 12 hours",
                number,
            )
        case _K.INQUIRY:
            return lang.say_many(
                "Urgent: %(num)s guest still waits", "Urgent: %(num)s guests still wait", number
            )
        case _K.STUCK:
            return lang.say_many("%(num)s reply does not get out", "%(num)s replies do not get out", number)
        case _K.NOT_UNDERSTOOD:
            return lang.say_many(
                "%(num)s kind of call of a channel's service is not understood",
                "%(num)s kinds of calls of a channel's service are not understood",
                number,
            )
        case _K.FAILED:
            return lang.say_many(
                "%(num)s reply could not be sent", "%(num)s replies could not be sent", number
            )
        case kind:
            return lang.say(_TITLES[kind])


def _text(lang: Language, notice: Notice, *, elsewhere: bool) -> str:
    detail = notice.incidents[0].detail
    halts = _HALT_KINDS | _HALTS_ELSEWHERE if elsewhere else _HALT_KINDS
    said = [lang.say(halts[detail])] if notice.kind is _K.HALTED and detail in halts else []
    means = _MEANS | _MEANS_ELSEWHERE if elsewhere else _MEANS
    return " ".join([*said, lang.say(means[notice.kind])])


def _over(lang: Language, notice: Notice) -> str:
    if not notice.left:
        return lang.say(_OVER[notice.kind])
    settled = lang.say_many("%(num)s thing is settled", "%(num)s things are settled", len(notice.incidents))
    return f"{settled}; " + lang.say(_("%(left)d still to see to"), left=notice.left)
