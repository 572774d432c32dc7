"""The way of one value through the code: who is handed it, and who hands it on. For tests/repository/test_shape.py.

Read from the source alone. A call is followed where its receiver is a function or class of ours by name, a method of
``self``, of an attribute that ``__init__`` filled with one of our classes, or of a parameter whose type is one of
them; ``partial`` and ``asyncio.to_thread`` pass through. A part of the value (``settings.api_port``) is not the value,
and where the function says that it takes something else (a slice, a protocol) the walk ends.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

PASSES_THROUGH = {"partial", "asyncio.to_thread"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(slots=True)
class Module:
    """A file of ours, and what its names stand for."""

    path: str
    names: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Name → (module, name there)."""
    functions: dict[str, Function] = field(default_factory=dict)
    """``name`` or ``Class.name``."""
    classes: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Walk:
    """Where a value is held, in the order of reading."""

    stays: tuple[tuple[str, str], ...]
    """(file, function)."""

    @property
    def files(self) -> set[str]:
        return {path for path, _ in self.stays}

    @property
    def returns(self) -> int:
        """How often one is led back to a file that was left already."""
        paths = [path for path, _ in self.stays]
        moves = [after for before, after in pairwise(paths) if before != after]
        return len(moves) - len(set(moves) - {paths[0]})


class House:
    """The code below a folder ``src``."""

    def __init__(self, root: Path) -> None:
        self._modules: dict[str, Module] = {}
        for path in sorted((root / "src").rglob("*.py")):
            name = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
            self._modules[name] = _module(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))

    def walk(self, module: str, function: str, value: str) -> Walk:
        """From this function on, by the name that the value has there. KeyError if there is no such function."""
        stays: list[tuple[str, str]] = []
        kind = self._kind(module, function, value)
        self._enter(module, function, value, kind, stays, set())
        return Walk(tuple(stays))

    def _kind(self, module: str, function: str, value: str) -> str | None:
        """What the function says the value is."""
        for one in _arguments(self._modules[module].functions[function]):
            if one.arg == value and one.annotation is not None:
                return ast.unparse(one.annotation).removesuffix(" | None")
        return None

    def _enter(
        self,
        module: str,
        function: str,
        value: str,
        kind: str | None,
        stays: list[tuple[str, str]],
        seen: set[tuple[str, str, str]],
    ) -> None:
        if (module, function, value) in seen:
            return
        seen.add((module, function, value))
        home = self._modules[module]
        stays.append((home.path, function))
        for call in _calls(home.functions[function], value):
            target = self._target(home, module, function, call.func)
            if target is not None:
                bound = self._bound(*target, call, value)
                if bound is not None and self._kind(*target, bound) == kind:
                    self._enter(*target, bound, kind, stays, seen)

    def _target(self, home: Module, module: str, function: str, called: ast.expr) -> tuple[str, str] | None:
        """Which function of ours is called, as (module, name)."""
        if isinstance(called, ast.Name):
            return self._function(*home.names.get(called.id, (module, called.id)))
        if not isinstance(called, ast.Attribute):
            return None
        owner = self._owner(home, module, function, called.value)
        return self._function(owner[0], f"{owner[1]}.{called.attr}") if owner else None

    def _owner(self, home: Module, module: str, function: str, of: ast.expr) -> tuple[str, str] | None:
        """The class, as (module, name), that an expression is or is one of."""
        if isinstance(of, ast.Name) and of.id == "self":
            return module, function.partition(".")[0]
        if isinstance(of, ast.Name):
            for one in _arguments(home.functions[function]):
                if one.arg == of.id and one.annotation is not None:
                    return self._class(home, module, ast.unparse(one.annotation))
            return self._class(home, module, of.id)
        if isinstance(of, ast.Attribute) and ast.unparse(of.value) == "self":
            owner = function.partition(".")[0]
            begin = home.functions.get(f"{owner}.__init__")
            for node in ast.walk(begin) if begin else ():
                if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == ast.unparse(of):
                    made = node.value.func if isinstance(node.value, ast.Call) else node.value
                    if isinstance(made, ast.Name) and not isinstance(node.value, ast.Call):
                        return self._owner(home, module, f"{owner}.__init__", made)
                    return self._class(home, module, ast.unparse(made))
        return None

    def _class(self, home: Module, module: str, name: str) -> tuple[str, str] | None:
        where, there = home.names.get(name, (module, name))
        where, there = self._followed(where, there)
        found = self._modules.get(where)
        return (where, there) if found and there in found.classes else None

    def _function(self, module: str, name: str) -> tuple[str, str] | None:
        module, name = self._followed(module, name)
        found = self._modules.get(module)
        if found is None:
            return None
        if name in found.classes:
            name = f"{name}.__init__"
        return (module, name) if name in found.functions else None

    def _followed(self, module: str, name: str) -> tuple[str, str]:
        """Where a name that a package only passes on is really made."""
        first, dot, rest = name.partition(".")
        while (found := self._modules.get(module)) and first in found.names:
            module, first = found.names[first]
        return module, f"{first}{dot}{rest}"

    def _bound(self, module: str, function: str, call: ast.Call, value: str) -> str | None:
        """What the value is called in the function that is called."""
        names = [one.arg for one in _arguments(self._modules[module].functions[function])]
        if "." in function and names[:1] in (["self"], ["cls"]):
            names = names[1:]
        for name, given in zip(names, call.args, strict=False):
            if _is(given, value):
                return name
        return next((one.arg for one in call.keywords if _is(one.value, value)), None)


def _module(path: str, text: str) -> Module:
    made, tree = Module(path), ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("src"):
            for alias in node.names:
                made.names[alias.asname or alias.name] = (node.module or "", alias.name)
    for node in tree.body:
        if isinstance(node, Function):
            made.functions[node.name] = node
        elif isinstance(node, ast.ClassDef):
            made.classes.add(node.name)
            made.functions |= {
                f"{node.name}.{one.name}": one for one in node.body if isinstance(one, Function)
            }
    return made


def _arguments(function: Function) -> list[ast.arg]:
    given = function.args
    return [*given.posonlyargs, *given.args, *given.kwonlyargs]


def _is(given: ast.expr, value: str) -> bool:
    return isinstance(given, ast.Name) and given.id == value


def _calls(function: Function, value: str) -> Iterator[ast.Call]:
    """The calls that are handed the value, in the order in which they stand."""
    found = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    for call in sorted(found, key=lambda one: (one.lineno, one.col_offset)):
        if not any(_is(given, value) for given in [*call.args, *(one.value for one in call.keywords)]):
            continue
        if ast.unparse(call.func) in PASSES_THROUGH and call.args:
            yield ast.Call(call.args[0], call.args[1:], call.keywords)
        else:
            yield call
