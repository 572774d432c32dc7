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
