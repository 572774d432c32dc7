"""The channel's own variables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr

from src.setting_types import HeaderValue, Seconds, http_url, is_loopback, lower
from src.settings import Variables, variable

GRAPH = "https://graph.facebook.com"
"""Where Meta's Cloud API is (its documentation, Get started)."""
META_HOSTS = ("facebook.com", "fbsbx.com", "fbcdn.net", "whatsapp.net", "whatsapp.com")
"""Domains on which Meta hands out files (Cloud API documentation, Media: lookaside.fbsbx.com)."""


def _base_url(text: str) -> str:
    url = urlsplit(http_url(text))
    if url.query or url.fragment:
        raise ValueError("must end before any ? or #; write it like https://host or https://host/path")
    return text.rstrip("/")


def _version(text: str) -> str:
    if not re.fullmatch(r"v\d{1,3}\.\d{1,2}", text):
        raise ValueError("is no version of the Graph API; write it like v21.0")
    return text


def _template(text: str) -> str:
    if text and not re.fullmatch(r"[a-z0-9_]{1,512} [a-zA-Z_]{2,10}", text):
        raise ValueError("must be the name of an approved template and its language, like we_have_news en")
    return text


def _name(text: str) -> str:
    if text and not re.fullmatch(r"[\w.-]{1,128}", text):
        raise ValueError("may hold letters, digits, dots, - and _ only")
    return text


class WhatsappSettings(Variables):
    """``WHATSAPP_*``: a number on WhatsApp."""

    prefix = "WHATSAPP_"

    mode: Annotated[Literal["cloud", "evolution", "waha"], BeforeValidator(lower)] = variable(
        "cloud", "which service is between us and WhatsApp", "cloud, evolution or waha"
    )
    base_url: Annotated[str, AfterValidator(_base_url)] = variable(
        GRAPH, "where the service is", "an address"
    )
    version: Annotated[str, AfterValidator(_version)] = variable(
        "v21.0", "of Meta's Graph API", "a version like v21.0"
    )
    phone_id: Annotated[str, AfterValidator(_name)] = variable(
        "", "the number's id at Meta (not the number itself)", "digits", shown="none"
    )
    token: HeaderValue | None = variable(None, "a permanent token of a system user", "Meta's token")
    app_secret: SecretStr | None = variable(
        None, "the app's secret: with it every call is proven to be Meta's", "Meta's app secret"
    )
    verify_token: SecretStr | None = variable(
        None, "a word of your own, the same as in Meta's webhook settings", "a random word"
    )
    instance: Annotated[str, AfterValidator(_name)] = variable(
        "", "of a gateway: the instance (evolution) or session (waha)", "a name", shown="none"
    )
    api_key: HeaderValue | None = variable(None, "of a gateway: its key", "the gateway's key")
    outside_window: Annotated[Literal["hold", "template"], BeforeValidator(lower)] = variable(
        "hold",
        "24 hours after the person's last message: hold the reply, or send a template",
        "hold or template",
    )
    template: Annotated[str, AfterValidator(_template)] = variable(
        "", "the approved template for that, and its language", "a name and a language", shown="none"
    )
    proof_sec: Seconds = variable(
        5.0, "how long a reply waits for the service to say what became of it", "seconds", ge=0, le=60
    )

    @property
    def logs_in_by_code(self) -> bool:
        """A phone scans a code to log the gateway in."""
        return self.mode != "cloud"

    @property
    def has_window(self) -> bool:
        """Free words are possible only for a time after the person's last message: Meta's own rule."""
        return self.mode == "cloud"

    def problems(self) -> list[str]:
        """What the mode lacks, or what contradicts it: a line each."""
        lacks = [
            f"WHATSAPP_{name}: is not set; {advice}" for name, value, advice in self._needed() if not value
        ]
        if self.mode != "cloud":
            if self.base_url == GRAPH:
                lacks.append("WHATSAPP_BASE_URL: is not set; write the gateway's address")
            if self.outside_window == "template":
                lacks.append(
                    "WHATSAPP_OUTSIDE_WINDOW: a gateway knows no templates; write hold, or leave it out"
                )
            return lacks
        host = urlsplit(self.base_url)
        if self.base_url != GRAPH and not is_loopback(host.hostname or ""):
            lacks.append(f"WHATSAPP_BASE_URL: must be {GRAPH} with mode cloud; leave it out")
        if self.outside_window == "template" and not self.template:
            lacks.append("WHATSAPP_TEMPLATE: is not set; write the template's name and language")
        return lacks

    def _needed(self) -> Iterator[tuple[str, object, str]]:
        """What the mode cannot do without: the variable, its value, what to do."""
        if self.mode == "cloud":
            yield "PHONE_ID", self.phone_id, "write the number's id from Meta's API setup page"
            yield "TOKEN", self.token, "write a system user's permanent token"
            yield "APP_SECRET", self.app_secret, "write the app's secret from its basic settings"
            yield "VERIFY_TOKEN", self.verify_token, "choose a word and write it into Meta's settings, too"
            return
        yield "INSTANCE", self.instance, "write the name of the gateway's instance or session"
        yield "API_KEY", self.api_key, "write the gateway's key"
        if self.mode == "waha":
            signed = self.app_secret or self.verify_token
            yield "APP_SECRET", signed, "write the key of the gateway's HMAC (or WHATSAPP_VERIFY_TOKEN)"

    def may_call(self, url: str) -> bool:
        """Whether a file's address is one of Meta's own over https, or of the service itself."""
        try:
            there, own = urlsplit(url), urlsplit(self.base_url)
            host, port = there.hostname or "", there.port
            if (there.scheme, host, port) == (own.scheme, own.hostname, own.port):
                return True
        except ValueError:
            return False
        return there.scheme == "https" and any(host == one or host.endswith(f".{one}") for one in META_HOSTS)


SETTINGS = WhatsappSettings
