"""The API's port: having it, or finding who has it. Loads no server: a start looks before it needs one."""

from __future__ import annotations

import errno
import json
import socket
import urllib.error
import urllib.request
from typing import Literal

from loguru import logger

from src.errors import SettingsError

Neighbour = Literal["same", "other", "none"]

_LARGEST_HEALTH = 64 * 1024
_WAITING_CALLERS = 512
_BY_THE_PORT = {errno.EADDRINUSE, errno.EACCES, errno.EPERM}
"""Taken, or kept for the system (below 1024). Whatever else is wrong with an address is the host's part of it."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises ``SettingsError`` naming API_HOST or API_PORT, whichever is in the way."""
    sock = _bound(host, port)
    try:
        sock.listen(_WAITING_CALLERS)
    except OSError as error:
        sock.close()
        raise _refused(host, port, error) from error
    return sock


def check_host(host: str) -> None:
    """SettingsError naming API_HOST if it is no address of this machine. Asks nobody but the system's resolver."""
    _bound(host, 0).close()


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        sock = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:  # a name that cannot be one is a UnicodeError
        raise _no_address(host, error) from error
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
    except OSError as error:
        sock.close()
        raise _refused(host, port, error) from error
    return sock


def _refused(host: str, port: int, error: OSError) -> SettingsError:
    if error.errno not in _BY_THE_PORT:
        return _no_address(host, error)
    return SettingsError([f"API_PORT: {host}:{port} cannot be used ({error.strerror}); choose another port"])


def _no_address(host: str, error: OSError | UnicodeError) -> SettingsError:
    why = error.strerror if isinstance(error, OSError) else "no host can have this name"
    return SettingsError(
        [f"API_HOST: {host!r} is no address of this machine ({why}); write one of its own, like 127.0.0.1"]
    )


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
