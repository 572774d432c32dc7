"""A learned vote on the guest's text, beside the word lists: does a person answer this, and for which class?

A linear classifier (ADR 0073): each feature of a text (`features.py`) has a weight, their sum is the score, and a
score above the language's threshold holds the message. The weights are learned beforehand, by
`scripts/learn_vote.py`, from the labelled messages of the repository, and lie in `rules/vote.bin`. Nothing is
learned while the program runs, and no package and no model is asked. Like a list, the vote can only hold.

The file is one line of JSON, then the weights of zlib-packed signed bytes: `BUCKETS` for the score, then
`CLASS_BUCKETS` for each class in the order of the line's ``classes``.
"""

from __future__ import annotations

import json
import zlib
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import sqrt
from pathlib import Path
from typing import Any

from src.assistant.features import BUCKETS, find_features
from src.assistant.values import HardClass

FILE = Path(__file__).with_name("rules") / "vote.bin"
CLASS_BUCKETS = 1 << 13
"""The class is told by fewer numbers than the vote itself: it only names what is held anyway."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What was learned. `about` is the file's first line: thresholds, the messages' hash, held-out figures."""

    about: Mapping[str, Any]
    hard: Sequence[int]
    classes: Mapping[HardClass, Sequence[int]]


@cache
def load_vote() -> Weights:
    """The weights of the shipped file: some 20 ms, better spent in a thread. ValueError if it is not whole."""
    line, _, packed = FILE.read_bytes().partition(b"\n")
    about = json.loads(line)
    weights = array("b", zlib.decompress(packed))
    names = [HardClass(name) for name in about["classes"]]
    if len(weights) != BUCKETS + CLASS_BUCKETS * len(names):
        raise ValueError(f"{FILE.name} is not whole; run  python scripts/learn_vote.py")
    parts = [weights[at : at + CLASS_BUCKETS] for at in range(BUCKETS, len(weights), CLASS_BUCKETS)]
    return Weights(about, weights[:BUCKETS], dict(zip(names, parts, strict=True)))


def vote(text: str, language: str | None) -> HardClass | None:
    """The class that a person answers, or None where the vote does not hold the raw text. Pure but for the file.

    Args:
        text: as the guest wrote it; it is folded here.
        language: ISO 639-1 code. For None, and a language without a threshold, the highest threshold counts.
    """
    weights = load_vote()
    features = find_features(text)
    if not features:
        return None
    thresholds: Mapping[str, float] = weights.about["thresholds"]
    if score(weights, features) <= thresholds.get(language or "", max(thresholds.values())):
        return None
    small = [one % CLASS_BUCKETS for one in features]
    return max(weights.classes, key=lambda name: sum(map(weights.classes[name].__getitem__, small)))


def score(weights: Weights, features: Sequence[int]) -> float:
    """How much the features speak for a person, in no unit; longer texts count no more than short ones."""
    total = sum(map(weights.hard.__getitem__, features))
    return float(weights.about["step"] * total / sqrt(len(features) + 1))
