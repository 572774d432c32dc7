"""What a channel's folder says that it can do, and what its class has, are the same."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from src.channels import registry
from src.channels.base import Attended, Capabilities, Channel, Fetches, Hears, ShowsTyping, Watches
from tests.support.channel import FakeChannel

PROTOCOLS = {"watches": Watches, "hears": Hears, "shows_typing": ShowsTyping, "fetches": Fetches}
OPTIONAL = {
    name: {method for method in vars(protocol) if not method.startswith("_")}
    for name, protocol in {**PROTOCOLS, "attended": Attended}.items()
}


def channel_class(folder: str) -> type[Any]:
    """The one class of the folder that is a channel."""
    module = importlib.import_module(f"src.channels.{folder}.channel")
    (found,) = [
        one
        for one in vars(module).values()
        if isinstance(one, type) and one.__module__ == module.__name__ and hasattr(one, "press_send")
    ]
    return found


def test_the_folders_are_found():
    assert "airbnb" in registry.names()


@pytest.mark.parametrize("name", registry.names())
def test_a_folder_offers_what_the_registry_asks_for(name: str):
    folder = registry.find(name)
    assert isinstance(folder.CAPABILITIES, Capabilities)
    assert folder.SETTINGS.prefix
    assert callable(folder.build)
    assert folder.is_conversation_id("../etc/passwd") is False


@pytest.mark.parametrize("made", [*map(channel_class, registry.names()), FakeChannel])
def test_a_channel_has_the_methods_of_what_it_says_it_can_do_and_no_others(made: type[Any]):
    required = {name for name in dir(Channel) if not name.startswith("_")}
    assert required - {"name", "capabilities"} <= set(dir(made))
    for capability, protocol in PROTOCOLS.items():
        says, has = getattr(made.capabilities, capability), OPTIONAL[capability] & set(dir(made))
        assert has == (OPTIONAL[capability] if says else set()), f"{capability}: {protocol.__name__}"
    attended = OPTIONAL["attended"] & set(dir(made))
    assert attended in (set(), OPTIONAL["attended"]), "a login is kept and shown as a whole, or not at all"


@pytest.mark.parametrize("name", registry.names())
def test_the_class_and_its_folder_say_the_same(name: str):
    assert channel_class(name).capabilities is registry.find(name).CAPABILITIES
    assert channel_class(name).name == name
