"""What recordings are, and how long they last."""

from __future__ import annotations

import pytest

from src.model.audio import container_of, seconds_of
from tests.support.recordings import EXECUTABLE, MP3, m4a, ogg, wav


@pytest.mark.parametrize(
    ("data", "ending"),
    [
        (ogg(), "ogg"),
        (wav(), "wav"),
        (m4a(), "m4a"),
        (MP3, "mp3"),
        (b"\xff\xfb\x90\x00", "mp3"),
        (b"fLaC\0\0\0\x22", "flac"),
        (b"\x1a\x45\xdf\xa3", "webm"),
        (b"#!AMR\n", "amr"),
    ],
)
def test_a_recording_is_known_by_its_first_bytes(data, ending):
    found = container_of(data)
    assert found is not None
    assert found[0] == ending


@pytest.mark.parametrize("data", [b"", b"O", EXECUTABLE, b"<html>", b"\xff", b"\xff\x00\x00", b"PK\x03\x04"])
def test_what_is_no_recording_is_none(data):
    assert container_of(data) is None


@pytest.mark.parametrize("data", [ogg(7.5), wav(7.5), m4a(7.5)])
def test_a_recording_says_how_long_it_lasts(data):
    assert seconds_of(data) == pytest.approx(7.5, abs=0.01)


@pytest.mark.parametrize("data", [MP3, b"", b"RIFF", ogg()[:50], m4a()[:40], b"\0\0\0\x18ftypmvhd"])
def test_one_that_does_not_say_it_or_is_cut_off_says_nothing(data):
    assert seconds_of(data) in (None, 0.0)
