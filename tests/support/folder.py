"""A channel's folder as the registry would find it, for a channel that the test makes."""

from collections.abc import Callable
from typing import Any

from src.channels.airbnb.settings import AirbnbSettings
from tests.support.channel import FakeChannel


class FakeFolder:
    """To be passed in: ``Parts(find_channel=folder.find)``. Keeps every channel that was built."""

    SETTINGS = AirbnbSettings
    CAPABILITIES = FakeChannel.capabilities

    def __init__(self, site: Any, make: Callable[[Any], Any] = FakeChannel) -> None:
        self.site = site
        self.channels: list[Any] = []
        self.spoil: Callable[[Any], object] = lambda _channel: None
        """Called with each new channel."""
        self._make = make

    def find(self, *_name: str) -> Any:
        return self

    def build(self, _settings: Any, *_: Any, **__: Any) -> Any:
        channel = self._make(self.site)
        channel.is_open = False
        self.spoil(channel)
        self.channels.append(channel)
        return channel

    def is_conversation_id(self, external_id: str) -> bool:
        return external_id.startswith("thread-")
