"""The API's port: having it, or finding who has it. Loads no server: a start looks before it needs one."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from typing import Literal

from loguru import logger

from src.errors import SettingsError

Neighbour = Literal["same", "other", "none"]

_LARGEST_HEALTH = 64 * 1024


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises ``SettingsError`` naming the variable if the address cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        sock = socket.socket(family, kind, protocol)
    except OSError as error:
        raise SettingsError(
            [f"API_HOST: {host!r} is no address of this machine ({error.strerror})"]
        ) from error
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(512)
    except OSError as error:
        sock.close()
        problem = f"API_PORT: {host}:{port} cannot be used ({error.strerror}); choose another port"
        raise SettingsError([problem]) from error
    return sock


def probe(url: str, database_id: str, *, timeout: float = 2.0) -> Neighbour:
    """Who answers ``<url>/health``: ``same`` is this product with this database, ``none`` is nobody. Blocks."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())
    try:
        with opener.open(f"{url.rstrip('/')}/health", timeout=timeout) as response:
            raw = response.read(_LARGEST_HEALTH)
    except urllib.error.HTTPError as error:  # 503 says who it is, too
        with error:
            raw = error.read(_LARGEST_HEALTH)
    except urllib.error.URLError as error:
        return "none" if isinstance(error.reason, ConnectionRefusedError) else "other"
    except (OSError, ValueError) as error:
        logger.debug("the neighbour did not answer as it should: {}", type(error).__name__)
        return "other"
    try:
        health = json.loads(raw)
        same = health["product"] == "nightporter" and health["database_id"] == database_id
    except (ValueError, KeyError, TypeError):
        return "other"
    return "same" if same else "other"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object, **__: object) -> None:
        return None
