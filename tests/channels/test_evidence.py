"""How many screenshots are kept: few, whatever happens how often."""

import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.channels import evidence


def pictures(folder):
    return sorted(path.name for path in folder.glob("*.png"))


def make_older(path, seconds):
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_only_the_newest_pictures_are_kept(tmp_path):
    made = [evidence.keep(tmp_path, "captcha", b"picture") for _ in range(evidence.KEEP + 5)]
    assert pictures(tmp_path) == [path.name for path in made[5:]]
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in made[5:])


def test_their_sum_is_bounded_and_the_newest_is_kept_however_large(tmp_path, monkeypatch):
    monkeypatch.setattr(evidence, "KEEP_BYTES", 100)
    made = [evidence.keep(tmp_path, "captcha", b"x" * 40) for _ in range(4)]
    assert pictures(tmp_path) == [path.name for path in made[2:]]
    large = evidence.keep(tmp_path, "captcha", b"x" * 400)
    assert pictures(tmp_path) == [large.name]


def test_a_picture_is_recent_for_its_own_kind_and_some_minutes_only(tmp_path):
    assert evidence.recent(tmp_path / "nothing", "page") is None
    kept = evidence.keep(tmp_path, "page", b"picture")
    assert evidence.recent(tmp_path, "page") == kept
    assert evidence.recent(tmp_path, "other_page") is None
    assert evidence.recent(tmp_path, "captcha") is None
    make_older(kept, evidence.INTERVAL_SEC + 1)
    assert evidence.recent(tmp_path, "page") is None


@pytest.mark.parametrize("wrong_by", [-86_400, 86_400])
def test_a_clock_that_was_set_hides_no_evidence_for_longer(tmp_path, wrong_by):
    make_older(evidence.keep(tmp_path, "page", b"picture"), wrong_by)
    assert evidence.recent(tmp_path, "page") is None


@given(st.lists(st.tuples(st.sampled_from(["captcha", "blocked"]), st.integers(0, 3_000_000)), max_size=60))
def test_whatever_is_kept_the_folder_stays_within_its_bounds(tmp_path_factory, kept):
    folder = tmp_path_factory.mktemp("evidence")
    for kind, size in kept:
        newest = evidence.keep(folder, kind, b"\0" * size)
        files = list(folder.glob("*.png"))
        assert newest in files
        assert len(files) <= evidence.KEEP
        assert sum(path.stat().st_size for path in files) <= evidence.KEEP_BYTES
