"""What architecture.md promises of the shape of the house, as far as import-linter cannot say it."""

import ast
import re
from pathlib import Path

import pytest

from tests.support.walks import House

ROOT = Path(__file__).resolve().parents[2]
RETRY = "src/model/retry.py"
NO_RETRIES = {"src/api/sessions.py"}
"""Powers of two that are no pause before another try: what others may try at our door."""


def trees(folder="src"):
    """Each of our modules, by its path."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def doubles(tree):
    """Whether a number is doubled again and again there."""
    return any(
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Pow)
        and isinstance(node.left, ast.Constant)
        and node.left.value == 2
        and not isinstance(node.right, ast.Constant)
        for node in ast.walk(tree)
    )


def counts_stale_tries(tree):
    """Whether a loop of it catches StaleJob around a whole transaction and goes round a number of times."""
    return any(
        isinstance(loop, ast.For)
        and isinstance(loop.iter, ast.Call)
        and ast.unparse(loop.iter.func) == "range"
        and any(
            isinstance(node, ast.ExceptHandler) and node.type and "StaleJob" in ast.unparse(node.type)
            for node in ast.walk(loop)
        )
        for loop in ast.walk(tree)
    )


@pytest.mark.parametrize("breaks", [doubles, counts_stale_tries])
def test_the_rules_of_trying_again_stand_in_one_module(breaks):
    found = {path for path, tree in trees() if breaks(tree)}
    assert RETRY in found
    assert found - NO_RETRIES == {RETRY}


def has_own_loop(tree):
    """Whether a worker (a class with ``run(self, stop)``) goes round by itself in it."""
    return any(
        isinstance(function, ast.AsyncFunctionDef)
        and function.name == "run"
        and any(isinstance(node, ast.While) for node in ast.walk(function))
        for function in ast.walk(tree)
    )


def test_no_worker_has_a_loop_of_its_own():
    assert {path for path, tree in trees("src/workers") if has_own_loop(tree)} == {"src/workers/loop.py"}


KNOW_ALL_SETTINGS = {"src/settings.py", "src/workers/parts.py", "src/services/message_queue.py"}
"""The last is what the one-line look at the queue imports: it begins by itself, as a command does.

The commands may, too: they put the rooms together. Every other part is given its account, its rules or a small value.
"""


def knows_all_settings(tree):
    """Whether it names the settings of the whole, or reads them."""
    return any(
        isinstance(node, ast.ImportFrom)
        and node.module == "src.settings"
        and {alias.name for alias in node.names} & {"Settings", "load_settings"}
        for node in ast.walk(tree)
    )


def test_the_settings_are_handed_whole_to_nobody():
    found = {path for path, tree in trees() if knows_all_settings(tree)}
    assert "src/commands/assembly.py" in found
    assert {path for path in found - KNOW_ALL_SETTINGS if not path.startswith("src/commands/")} == set()


ARCHITECTURE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")


def rows_under(heading):
    """The cells of each row of the table below this heading of architecture.md."""
    text = ARCHITECTURE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"
    ]
    assert len(rows) > 2, heading
    return rows[2:]


def test_what_is_to_be_read_and_edited_for_a_change_is_there():
    for _, read, edit in rows_under("What you read to change something"):
        named = [one for one in re.findall(r"`([^`]+)`", f"{read} {edit}") if "/" in one]
        assert named
        for path in named:
            assert (ROOT / path).exists(), path


@pytest.mark.parametrize("row", rows_under("How far a value goes"), ids=lambda row: row[0])
def test_a_value_goes_no_further_than_architecture_says(row):
    value, begin, functions, files, _ = row
    path, function = re.findall(r"`([^`]+)`", begin)
    walk = House(ROOT).walk(path.removesuffix(".py").replace("/", "."), function, value.strip("`"))
    assert len(walk.stays) > 1, "the walk lost its way at once"
    assert (len(walk.stays) <= int(functions), len(walk.files) <= int(files)) == (True, True), walk.stays


def test_a_walk_follows_a_value_by_every_way_that_it_knows(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src/a.py").write_text(
        "from src.b import Rows, note\n"
        "class Step:\n"
        "    def __init__(self, rows: Rows) -> None:\n"
        "        self._rows = rows\n"
        "    async def run(self, job: Job) -> None:\n"
        "        await asyncio.to_thread(self._rows.arm, job)\n"
        "        self._end(job)\n"
        "        print(job.id)\n"
        "    def _end(self, job: Job) -> None:\n"
        "        note('sent', about=job)\n"
        "        note(job.id)\n"
    )
    (tmp_path / "src/b.py").write_text(
        "class Rows:\n"
        "    def arm(self, one: Job | None) -> None:\n"
        "        lose(one)\n"
        "def note(word: str, about: Job) -> None: ...\n"
        "def lose(one: object) -> None: ...\n"
    )
    walk = House(tmp_path).walk("src.a", "Step.run", "job")
    assert [function for _, function in walk.stays] == ["Step.run", "Rows.arm", "Step._end", "note"]
    assert (walk.files, walk.returns) == ({"src/a.py", "src/b.py"}, 2)
