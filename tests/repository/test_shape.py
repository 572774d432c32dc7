"""What architecture.md promises of the shape of the house, as far as import-linter cannot say it."""

import ast
from pathlib import Path

import pytest

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
