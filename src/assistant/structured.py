"""Structured outputs: how a schema is asked for, and how an answer to it is read. Pure.

    json_schema (strict) ──▶ the schema as a tool ──▶ json_object, the schema in the prompt

What a server can do is found by the ladder (``models.py``) at its first call.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

Schema = Mapping[str, Any]
Parsed = TypeVar("Parsed", bound=BaseModel)

_THOUGHTS = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_LONGEST_REASON = 300


class Form(StrEnum):
    """The ways to ask for an object, best first."""

    JSON_SCHEMA = "json_schema"
    TOOL = "tool"
    JSON_OBJECT = "json_object"


class Unreadable(Exception):
    """The model's words are not one object of the schema. The text says what is wrong, for the next try."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a step asks for: ``name`` is the step's, ``schema`` a JSON schema for strict outputs."""

    name: str
    schema: Schema

    def request(self, form: Form) -> dict[str, Any]:
        """The parameters of a call that ask for this shape."""
        schema = dict(self.schema)
        match form:
            case Form.JSON_SCHEMA:
                wanted = {"name": self.name, "strict": True, "schema": schema}
                return {"response_format": {"type": "json_schema", "json_schema": wanted}}
            case Form.TOOL:
                function = {
                    "name": self.name,
                    "description": f"Hand in the {self.name}.",
                    "parameters": schema,
                }
                choice = {"type": "function", "function": {"name": self.name}}
                return {"tools": [{"type": "function", "function": function}], "tool_choice": choice}
            case Form.JSON_OBJECT:
                return {"response_format": {"type": "json_object"}}

    def in_words(self) -> str:
        """The schema as the end of a prompt, for a server that cannot be given it otherwise."""
        written = json.dumps(self.schema, ensure_ascii=False, separators=(",", ":"))
        return f'Answer with one JSON object named "{self.name}", and nothing else, after this schema:\n{written}'


def an_object(properties: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON schema of an object that has all of these properties and no other, as strict outputs ask for."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def read(text: str, model: type[Parsed]) -> Parsed:
    """The object in a model's words. Prose or a fence around it is peeled off; all else is ``Unreadable``."""
    found = the_only_object(text)
    try:
        return model.model_validate_json(json.dumps(found), strict=True)
    except ValidationError as error:
        places = [
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        raise Unreadable("; ".join(places)[:_LONGEST_REASON]) from None


def the_only_object(text: str) -> dict[str, Any]:
    """The one JSON object that stands in a text. ``Unreadable`` if there is none, a broken one, or two."""
    text = _THOUGHTS.sub("", text)
    if not text.strip():
        raise Unreadable("the output was empty")
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    start = text.find("{")
    if start < 0 or text.lstrip().startswith("["):
        raise Unreadable("the output had no JSON object")
    try:
        found, end = decoder.raw_decode(text, start)
    except (ValueError, RecursionError):
        raise Unreadable("the output was not valid JSON") from None
    if "{" in text[end:]:
        raise Unreadable("the output had more than one JSON object")
    if not isinstance(found, dict):
        raise Unreadable("the output was not a JSON object")
    return found


def _refuse_constant(_: str) -> None:
    raise ValueError
