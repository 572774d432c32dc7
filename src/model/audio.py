"""Recordings: which kind they are, by their first bytes, and how long they last. Pure."""

from __future__ import annotations

import struct

_OGG_PAGE = b"OggS"
_OPUS_RATE = 48_000
"""An Opus stream counts in 48,000ths of a second, whatever it was recorded with (RFC 7845, 4)."""


def container_of(data: bytes) -> tuple[str, str] | None:
    """The ending of a file's name and its media type, by the first bytes; None for what is no known recording."""
    head = data[:16]
    if head.startswith(_OGG_PAGE):
        return "ogg", "audio/ogg"
    if head.startswith(b"RIFF") and head[8:12] == b"WAVE":
        return "wav", "audio/wav"
    if head.startswith(b"fLaC"):
        return "flac", "audio/flac"
    if head[4:8] == b"ftyp":
        return "m4a", "audio/mp4"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "webm", "audio/webm"
    if head.startswith(b"#!AMR"):
        return "amr", "audio/amr"
    if head.startswith(b"ID3") or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 in (0xE2, 0xE0)):
        return "mp3", "audio/mpeg"
    return None


def seconds_of(data: bytes) -> float | None:
    """How long a recording lasts, where its container says so (Ogg with Opus, WAV, MP4); None where it does not."""
    try:
        if data.startswith(_OGG_PAGE) and b"OpusHead" in data[:128]:
            last = data.rindex(_OGG_PAGE)
            (position,) = struct.unpack_from("<q", data, last + 6)
            return float(max(position, 0)) / _OPUS_RATE
        if data.startswith(b"RIFF"):
            (rate,) = struct.unpack_from("<I", data, 28)
            return (len(data) - 44) / rate if rate else None
        if data[4:8] == b"ftyp" and b"mvhd" in data:
            at = data.index(b"mvhd") + 4
            shape = ">xxxxQQIQ" if data[at] == 1 else ">xxxxIIII"
            _, _, scale, length = struct.unpack_from(shape, data, at)
            return length / scale if scale else None
    except (struct.error, ValueError, IndexError):
        return None
    return None
