"""What the widget says, in the languages of the catalogues. ``{name}`` and ``{n}`` are filled in by the script."""

from __future__ import annotations

from src.languages import language, sentence

_WORDS = {
    "open": sentence("Open the chat"),
    "close": sentence("Close the chat"),
    "unread": sentence("{n} new"),
    "hello": sentence("An AI answers here. A person can read along and take over."),
    "write": sentence("Write a message"),
    "send": sentence("Send"),
    "conversation": sentence("Conversation"),
    "you": sentence("You"),
    "ai": sentence("AI"),
    "team": sentence("Our team"),
    "joined": sentence("{name} has joined"),
    "left": sentence("{name} has left; the AI answers again"),
    "sending": sentence("Sending…"),
    "offline": sentence("Not connected. Trying again…"),
    "busy": sentence("Too many messages. This one goes out in a moment."),
    "anew": sentence("Your earlier conversation cannot be continued. This is a new one."),
    "private": sentence("Your browser keeps nothing of this page: the conversation ends when you leave."),
    "long": sentence("This is too long: 4,000 characters at most."),
    "refused": sentence("This message was not taken. Please write it differently."),
}


def words_in(code: str) -> dict[str, str]:
    """Every sentence by its name, in one language."""
    words = language(code)
    return {name: words.say(text) for name, text in _WORDS.items()}
