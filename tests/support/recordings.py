"""Recordings as they come: real containers with nothing in them."""

from __future__ import annotations

import struct


def ogg(seconds: float = 3.0, size: int = 400) -> bytes:
    """Ogg with Opus: the head's page, and a last page whose position says how long it lasts."""
    head = b"OggS\x00\x02" + struct.pack("<q", 0) + b"\0" * 14 + b"OpusHead\x01\x01"
    last = b"OggS\x00\x04" + struct.pack("<q", int(seconds * 48_000)) + b"\0" * 14
    return head + b"\0" * max(0, size - len(head) - len(last)) + last


def wav(seconds: float = 1.0, rate: int = 8_000) -> bytes:
    data = b"\0" * int(seconds * rate)
    head = struct.pack("<IHHIIHH", 16, 1, 1, rate, rate, 1, 8)
    return (
        b"RIFF"
        + struct.pack("<I", 36 + len(data))
        + b"WAVEfmt "
        + head
        + b"data"
        + struct.pack("<I", len(data))
        + data
    )


def m4a(seconds: float = 2.0) -> bytes:
    """MP4 with the box that says how long it lasts, in thousandths."""
    movie = b"mvhd" + struct.pack(">IIIII", 0, 0, 0, 1_000, int(seconds * 1_000))
    return b"\0\0\0\x18ftypM4A \0\0\0\0" + b"\0\0\0\x6cmoov" + b"\0\0\0\x1c" + movie + b"\0" * 40


MP3 = b"ID3\x04\0\0\0\0\0\0" + b"\0" * 100
EXECUTABLE = b"MZ\x90\0" + b"\0" * 100
