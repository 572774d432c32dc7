"""How a gateway is linked with a phone: codes that change, and a picture of each."""

from __future__ import annotations

import hashlib
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Literal

_MODULES, _SCALE, _QUIET = 29, 8, 4


class Link:
    """A code is good until the next one; ``lasts_sec`` says for how long. A gateway that is linked has none."""

    def __init__(self, make: Callable[[], bytes]) -> None:
        self._make = make
        self._code: bytes | None = None
        self._made_at = 0.0
        self.lasts_sec = 20.0
        self.gives: Literal["at_once", "after_restart", "never"] = "at_once"
        """Whether it has a code after a loss: some have none until they are restarted, and some never."""
        self.is_dead = False
        """It says that it is connected, and nothing leaves."""
        self.restarts = 0

    def begin(self, *, after_restart: bool = False) -> None:
        """There is something to scan from now on."""
        ready = self.gives == "at_once" or (self.gives == "after_restart" and after_restart)
        self._code = self._make() if ready else None
        self._made_at = time.monotonic()

    @property
    def code(self) -> bytes | None:
        """The PNG of the code that is good now."""
        if self._code is not None and time.monotonic() - self._made_at > self.lasts_sec:
            self._code, self._made_at = self._make(), time.monotonic()
        return self._code

    def scan(self, code: bytes) -> bool:
        """Whether a phone was linked by this code."""
        if code != self.code:
            return False
        self._code = None
        return True


def picture_of_code(text: str) -> bytes:
    """A PNG that looks like a QR code of ``text``: another one for each text. No phone could read it."""
    bits = iter(_bits(text))
    rows = [[_is_dark(x, y, bits) for x in range(_MODULES)] for y in range(_MODULES)]
    side = (_MODULES + 2 * _QUIET) * _SCALE
    light = b"\xff" * (_QUIET * _SCALE)
    margin = (b"\x00" + b"\xff" * side) * (_QUIET * _SCALE)
    lines = [
        (b"\x00" + light + b"".join((b"\x00" if dark else b"\xff") * _SCALE for dark in row) + light) * _SCALE
        for row in rows
    ]
    about = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    data = zlib.compress(margin + b"".join(lines) + margin)
    parts = [(b"IHDR", about), (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, body) for kind, body in parts)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _bits(text: str) -> list[bool]:
    found = b"".join(hashlib.sha512(f"{text}{part}".encode()).digest() for part in range(4))
    return [bool(byte >> bit & 1) for byte in found for bit in range(8)]


def _is_dark(x: int, y: int, bits: Iterator[bool]) -> bool:
    for left, top in ((0, 0), (_MODULES - 7, 0), (0, _MODULES - 7)):
        dx, dy = x - left, y - top
        if (
            -1 <= dx <= 7 and -1 <= dy <= 7
        ):  # one of the three squares in the corners, and the light around it
            far = max(abs(dx - 3), abs(dy - 3))
            return far in (0, 1, 3)
    return next(bits)
