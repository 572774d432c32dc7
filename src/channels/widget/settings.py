"""The channel's own variables."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from src.setting_types import LANGUAGES, ApiKey, Count, Origins
from src.settings import Variables, variable

_SITE = re.compile(r"[a-z0-9-]{1,32}")
_COLOUR = re.compile(r"#[0-9a-f]{6}", re.IGNORECASE)


def _site(text: str) -> str:
    if not _SITE.fullmatch(text):
        raise ValueError("must be 1 to 32 of a-z, 0-9 and -")
    return text


def _colour(text: str) -> str:
    if not _COLOUR.fullmatch(text):
        raise ValueError("must be a colour like #0b5cad")
    return text.lower()


def _languages(text: str) -> str:
    found = text.replace(",", " ").lower().split()
    if not found or not set(found) <= set(LANGUAGES):
        raise ValueError(f"must be of {' '.join(LANGUAGES)}, with spaces or commas between them")
    return " ".join(found)


class WidgetSettings(Variables):
    """``WIDGET_*``: a chat on the pages of a site."""

    prefix = "WIDGET_"

    site: Annotated[str, AfterValidator(_site)] | None = variable(
        None,
        "what the pages call the site (data-site)",
        "1 to 32 of a-z, 0-9 and -",
        shown="the account's name",
    )
    origins: Origins = variable(
        "", "the pages that may show the widget, exactly", "origins with spaces between them", shown="none"
    )
    title: Annotated[str, Field(min_length=1, max_length=60)] = variable(
        "Chat", "what stands above the conversation, and who the AI is called", "a few words"
    )
    colour: Annotated[str, AfterValidator(_colour)] = variable(
        "#0b5cad", "the button and the visitor's messages", "#rrggbb"
    )
    languages: Annotated[str, AfterValidator(_languages)] = variable(
        "en,fr", "the first is spoken where a visitor's own is none of them", "en, fr"
    )
    person: Annotated[str, Field(min_length=1, max_length=60)] | None = variable(
        None,
        "how a person who answers is called who gives no name",
        "a name",
        shown="“Our team”, in the visitor's language",
    )
    identify_key: ApiKey | None = variable(
        None,
        "the key by which your site says who a visitor is (docs/channels/widget.md)",
        "at least 16 characters",
    )
    rate_visitor_min: Count = variable(
        10, "messages of one visitor that are let in within a minute", "messages"
    )
    rate_address_min: Count = variable(30, "the same for all visitors of one address", "messages")
    rate_site_hour: Count = variable(200, "new visitors that are let in within an hour", "visitors")

    @property
    def pages(self) -> frozenset[str]:
        """The origins, each as a browser says it."""
        return frozenset(self.origins.split())

    @property
    def spoken(self) -> tuple[str, ...]:
        """The codes of the languages, the default first."""
        return tuple(self.languages.split())


SETTINGS = WidgetSettings
