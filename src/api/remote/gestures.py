"""What a viewer's browser sends, checked strictly, as gestures. No error says what was typed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from src.model.remote import (
    LETTERS_WITH_CONTROL,
    LONGEST_TEXT,
    NAMED_KEYS,
    Gesture,
    Key,
    Mouse,
    Size,
    Text,
    Touch,
)

MOST_AT_ONCE = 200

Place = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Pixels = Annotated[float, Field(ge=-5_000, le=5_000, allow_inf_nan=False)]


class _Sent(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class MouseSent(_Sent):
    type: Literal["mouse"]
    kind: Literal["move", "down", "up", "wheel"]
    x: Place
    y: Place
    dx: Pixels = 0.0
    dy: Pixels = 0.0

    def gesture(self) -> Gesture:
        return Mouse(self.kind, self.x, self.y, self.dx, self.dy)


class TouchSent(_Sent):
    type: Literal["touch"]
    kind: Literal["start", "move", "end"]
    x: Place
    y: Place

    def gesture(self) -> Gesture:
        return Touch(self.kind, self.x, self.y)


class KeySent(_Sent):
    type: Literal["key"]
    name: str
    shift: bool = False
    control: bool = False

    @field_validator("name")
    @classmethod
    def _is_a_key(cls, name: str) -> str:
        if name not in NAMED_KEYS | LETTERS_WITH_CONTROL:
            raise ValueError("is no key that is passed on")
        return name

    def gesture(self) -> Gesture:
        return Key(self.name, self.shift, self.control or self.name in LETTERS_WITH_CONTROL)


class TextSent(_Sent):
    type: Literal["text"]
    text: Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]
    pasted: bool = False

    def gesture(self) -> Gesture:
        return Text(self.text, self.pasted)


class SizeSent(_Sent):
    type: Literal["size"]
    width: Annotated[int, Field(ge=1, le=10_000)]
    height: Annotated[int, Field(ge=1, le=10_000)]

    def gesture(self) -> Gesture:
        return Size(self.width, self.height)


class GesturesBody(_Sent):
    gestures: Annotated[
        list[Annotated[MouseSent | TouchSent | KeySent | TextSent | SizeSent, Field(discriminator="type")]],
        Field(max_length=MOST_AT_ONCE),
    ]


class EnterBody(_Sent):
    token: Annotated[str, Field(min_length=1, max_length=200)]
