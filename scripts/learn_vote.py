"""Learn the vote on guests' texts, `src/assistant/rules/vote.bin`, from the labelled messages (ADR 0073).

    python scripts/learn_vote.py             # learn, measure on held-out messages, write the file
    python scripts/learn_vote.py --measure   # measure only

Needs numpy (requirements-dev.txt) and some minutes. Run it after each change of tests/assistant/cases; a test says
so if it was forgotten. The same messages give the same file on the same machine; elsewhere the last digit of a
weight may differ.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from src.assistant.features import BUCKETS, find_features
from src.assistant.values import HardClass
from src.assistant.vote import CLASS_BUCKETS, FILE
from src.assistant.wordlist import LANGUAGES

CASES = Path("tests/assistant/cases")
CLASSES = tuple(one for one in HardClass if one is not HardClass.MISSING_FACT)
FOLDS = 5
FALSE_HOLDS = 0.05
"""Share of held-out answerable messages that the vote may hold, in each language."""
COST = 30.0
"""How much a wrong training message costs beside large weights (scikit-learn's C)."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Message:
    """One labelled message. `part` says with which others it is held out together."""

    part: int
    language: str
    hard_class: str | None
    text: str


def training_files() -> list[Path]:
    """The files that are learned from, in a fixed order; orders to a model (injections) teach nothing here."""
    found = [*CASES.glob("*.jsonl"), *CASES.glob("rounds/*.jsonl"), *CASES.glob("taught/*.txt")]
    return sorted(path for path in found if path.name != "injections.jsonl")


def digest_of_files() -> str:
    """SHA-256 of names and contents of the training files: what a weights file was learned from."""
    said = hashlib.sha256()
    for path in training_files():
        said.update(f"{path.relative_to(CASES)}\n".encode() + path.read_bytes())
    return said.hexdigest()


def read_messages() -> tuple[list[Message], dict[str, dict[str, list[str]]]]:
    """All labelled messages of the twelve languages, and each language's openings and endings."""
    found: list[Message] = []
    around: dict[str, dict[str, list[str]]] = {}
    for number, path in enumerate(training_files()):
        if path.suffix == ".txt":
            texts = read_taught(path)
            around[path.stem] = {name: texts.pop(name) for name in ("opening", "ending")}
            for name, lines in texts.items():
                label = None if name == "answer" else name
                found += [Message(at % FOLDS, path.stem, label, text) for at, text in enumerate(lines)]
            continue
        for line in path.read_text(encoding="utf-8").splitlines():
            case = json.loads(line)
            easy = case.get("expect", "answer") in {"answer", "ignore", "missing"}
            if case["language"] in LANGUAGES and (case["class"] or easy):
                # A round is held out whole: its messages are there in several languages.
                found.append(Message(number % FOLDS, case["language"], case["class"], case["message"]))
    return found, around


def read_taught(path: Path) -> dict[str, list[str]]:
    """The lines of a `taught/*.txt` under each `[heading]`: classes, `answer`, `opening`, `ending`."""
    texts: dict[str, list[str]] = {}
    heading = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("[") and line.endswith("]"):
            heading = line[1:-1]
            texts.setdefault(heading, [])
        elif line.strip():
            texts[heading].append(line.strip())
    unknown = set(texts) - {*map(str, CLASSES), "answer", "opening", "ending"}
    if unknown:
        raise SystemExit(f"{path}: [{min(unknown)}] is no class")
    return texts


def lengthen(messages: Sequence[Message], around: Mapping[str, Mapping[str, list[str]]]) -> list[Message]:
    """Each message once more as guests send it: greeted, thanked, with something harmless before or after it."""
    pick = random.Random(20270301)  # noqa: S311 - no secret; the same each time
    harmless: dict[tuple[str, int], list[str]] = {}
    for one in messages:
        if one.hard_class is None:
            harmless.setdefault((one.language, one.part), []).append(one.text)
    longer = []
    for one in messages:
        dense = one.language in {"ja", "zh"}
        comma, stop = ("、", "。") if dense else (", ", ". ")
        parts = [one.text]
        kind = pick.random()
        if kind < 0.5:
            parts[0] = pick.choice(around[one.language]["opening"]) + comma + parts[0]
        if kind > 0.3:
            parts.append(pick.choice(around[one.language]["ending"]))
        if kind > 0.6:
            parts.insert(pick.randrange(2), pick.choice(harmless[one.language, one.part]))
        text = "".join(part if part[-1] in "?!.？。！" else part + stop for part in parts[:-1])
        longer.append(Message(one.part, one.language, one.hard_class, f"{text}{parts[-1]}"))
    return longer


class Table:
    """Texts as a sparse matrix: one row a text, each of its features with the same value, rows of length one."""

    def __init__(self, rows: Sequence[Sequence[int]], width: int) -> None:
        self.width = width
        self.sizes = np.array([len(row) for row in rows])
        self.columns: Ints = np.array([column for row in rows for column in row], dtype=np.int64)
        self.starts: Ints = np.concatenate(([0], np.cumsum(self.sizes)[:-1]))
        self.values: Floats = 1 / np.sqrt(self.sizes + 1.0)

    def times(self, weights: Floats) -> Floats:
        """One number a row: the sum of its features' weights."""
        sums: Floats = np.add.reduceat(weights[self.columns], self.starts)
        return sums * self.values

    def back(self, per_row: Floats) -> Floats:
        """One number a column: what its rows say together."""
        spread = np.repeat(per_row * self.values, self.sizes)
        sums: Floats = np.bincount(self.columns, weights=spread, minlength=self.width).astype(np.float64)
        return sums


class Descent:
    """Adam (Kingma and Ba, 2015), its pace falling to nothing: some numbers towards the least of a function."""

    def __init__(self, shape: int | tuple[int, ...], steps: int) -> None:
        self.at: Floats = np.zeros(shape)
        self._mean, self._square = np.zeros(shape), np.zeros(shape)
        self._step, self._steps = 0, steps

    def go(self, slope: Floats) -> None:
        """One step against the slope at `at`."""
        self._step += 1
        self._mean = 0.9 * self._mean + 0.1 * slope
        self._square = 0.999 * self._square + 0.001 * slope**2
        pace = 0.1 * (1 - (self._step - 1) / self._steps)
        mean = self._mean / (1 - 0.9**self._step)
        square = self._square / (1 - 0.999**self._step)
        self.at = self.at - pace * mean / (np.sqrt(square) + 1e-8)


def learn(table: Table, is_hard: Flags, steps: int = 150) -> Floats:
    """Weights of a logistic regression, both kinds of message weighing the same. The bias is the threshold's."""
    share = np.where(is_hard, 0.5 / is_hard.mean(), 0.5 / (~is_hard).mean()) * COST
    descent, bias = Descent(table.width, steps), Descent(1, steps)
    for _ in range(steps):
        off = share * (1 / (1 + np.exp(-table.times(descent.at) - bias.at)) - is_hard)
        descent.go(table.back(off) + descent.at)
        bias.go(np.array([off.sum()]))
    return descent.at


def learn_classes(table: Table, labels: Ints, steps: int = 100) -> Floats:
    """Weights that name the class of a hard message, one row a class (softmax)."""
    wanted = np.eye(len(CLASSES))[:, labels]
    weighing = (len(labels) / len(CLASSES) / np.bincount(labels, minlength=len(CLASSES)))[labels] * COST
    descent = Descent((len(CLASSES), table.width), steps)
    for _ in range(steps):
        found = np.array([table.times(row) for row in descent.at])
        odds = np.exp(found - found.max(axis=0))
        off = weighing * (odds / odds.sum(axis=0) - wanted)
        descent.go(np.array([table.back(row) for row in off]) + descent.at)
    return descent.at


@dataclass(frozen=True)
class HeldOut:
    """What the vote said of messages that it had not learned from, and what was right."""

    messages: Sequence[Message]
    scores: Floats

    def measure(self) -> tuple[dict[str, float], dict[str, list[int]]]:
        """A threshold for each language, and [hard, held of them, answerable, held of them] beyond it.

        The figures are of the messages as they are written, the thresholds also of the lengthened ones.
        """
        thresholds, figures = {}, {}
        hard = np.array([one.hard_class is not None for one in self.messages])
        for code in LANGUAGES:
            mine = np.array([one.language == code for one in self.messages])
            thresholds[code] = round(float(np.quantile(self.scores[mine & ~hard], 1 - FALSE_HOLDS)), 3)
            held = self.scores > thresholds[code]
            figures[code] = [
                int(both.sum()) for kind in (hard, ~hard) for both in (mine & kind, mine & kind & held)
            ]
        return thresholds, figures


def hold_out(messages: Sequence[Message], table: Table, rows: Sequence[Sequence[int]]) -> HeldOut:
    """Learn from four parts, judge the fifth, five times."""
    parts = np.array([one.part for one in messages])
    hard = np.array([one.hard_class is not None for one in messages])
    scores = np.zeros(len(messages))
    for part in range(FOLDS):
        kept = np.flatnonzero(parts != part)
        weights = learn(Table([rows[int(at)] for at in kept], BUCKETS), hard[kept])
        scores[parts == part] = table.times(weights)[parts == part]
        print(f"part {part + 1} of {FOLDS} judged", flush=True)
    return HeldOut(messages, scores)


def pack(weights: Floats) -> tuple[bytes, float]:
    """Weights as signed bytes, and what one step of them is worth. The few largest are cut."""
    step = float(np.quantile(np.abs(weights[weights != 0]), 0.9995)) / 127
    return np.clip(np.rint(weights / step), -127, 127).astype(np.int8).tobytes(), step


def main() -> None:
    found, around = read_messages()
    messages = [*found, *lengthen(found, around)]
    rows = [find_features(one.text) for one in messages]
    hard = np.array([one.hard_class is not None for one in messages])
    table = Table(rows, BUCKETS)
    print(
        f"{len(found)} messages, {sum(one.hard_class is not None for one in found)} of them hard", flush=True
    )
    thresholds, figures = hold_out(messages, table, rows).measure()
    for code, (all_hard, held_hard, easy, held_easy) in figures.items():
        print(f"{code}: hard held {held_hard / all_hard:.3f}, answerable held {held_easy / easy:.3f}")
    if "--measure" in sys.argv:
        return
    packed, step = pack(learn(table, hard))
    at_hard = np.flatnonzero(hard)
    small = Table([[one % CLASS_BUCKETS for one in rows[int(at)]] for at in at_hard], CLASS_BUCKETS)
    labels = np.array([CLASSES.index(HardClass(str(messages[at].hard_class))) for at in at_hard])
    packed_classes, _ = pack(learn_classes(small, labels))
    about: dict[str, Any] = {
        "learned_from": digest_of_files(),
        "classes": [str(one) for one in CLASSES],
        "step": step,
        "thresholds": thresholds,
        "held_out": figures,
    }
    FILE.write_bytes(json.dumps(about).encode() + b"\n" + zlib.compress(packed + packed_classes, 9))
    print(f"{FILE}: {FILE.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main()
