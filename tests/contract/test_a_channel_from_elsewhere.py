"""A channel in a folder of its own, outside of ``src``: found by its name, and run by the product as it stands."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from src.channels import registry
from src.channels.base import Place, Watches
from src.channels.registry import ChannelFolder
from src.model.statuses import OutboxStatus
from src.model.values import utc_now
from src.services.send import Pace, Send
from src.settings import load_settings
from src.workers.parts import Machine, Parts
from tests.support.house import RULES, House

NAME = "letters.inbox"
CHANNEL = '''
    """Letters in a folder: each conversation a file, each line "who: text"."""

    from dataclasses import dataclass
    from datetime import UTC, datetime
    from pathlib import Path

    from src.channels.base import Capabilities, Place
    from src.errors import ChannelGone, PermanentError, TransientError
    from src.model.inbox import AuthorRole, InboxGlance, MessageKind, SeenConversation, SeenMessage, SeenPerson
    from src.model.sending import Finding, Receipt
    from src.variables import Variables, variable


    class LetterSettings(Variables):
        prefix = "LETTERS_"
        folder: Path = variable(Path("./letters"), "where the letters lie", "a folder")


    SETTINGS = LetterSettings
    CAPABILITIES = Capabilities(watches=True, longest_text=200)


    def is_conversation_id(external_id):
        return external_id.isalpha()


    def build(settings, place):
        return Letters(settings, place)


    class Letters:
        name = "letters.inbox"
        capabilities = CAPABILITIES

        def __init__(self, settings, place: Place):
            self._folder, self._open, self._text = settings.folder, False, None

        is_conversation_id = staticmethod(is_conversation_id)

        async def open(self):
            self._folder.mkdir(exist_ok=True)
            self._open = True

        async def close(self):
            self._open = False

        def _view(self, name):
            if not self._open:
                raise ChannelGone
            path = self._folder / name
            if not path.exists():
                raise PermanentError("There is no such letter.", reason="no_such_conversation")
            at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            messages = []
            for number, line in enumerate(path.read_text().splitlines()):
                who, _, text = line.partition(": ")
                role = AuthorRole.HOST if who == "us" else AuthorRole.GUEST
                messages.append(
                    SeenMessage(f"{name}-{number}", who, who, role, MessageKind.TEXT, "line", text, at)
                )
            people = (SeenPerson("us", AuthorRole.HOST, "Us"), SeenPerson("them", AuthorRole.GUEST, "Them"))
            return SeenConversation(
                name, "letter", True, True, "us", True, people, tuple(messages), at, opened=True
            )

        async def glance(self, since, *, thorough=False):
            if not self._open:
                raise ChannelGone
            return InboxGlance("us", tuple(self._view(p.name) for p in sorted(self._folder.iterdir())), True)

        async def wait_for_news(self, timeout):
            return False

        async def read(self, external_id, *, enough=lambda _: True, anew=False):
            return self._view(external_id)

        async def reread(self, external_id):
            return self._view(external_id)

        async def write(self, external_id, text):
            self._text = text

        async def clear(self, external_id):
            self._text = None

        async def press_send(self, external_id, press):
            with (self._folder / external_id).open("a") as file:
                file.write(f"us: {self._text}\\n")
            return Receipt(self._view(external_id).messages[-1].external_id)

        async def follow(self, external_id, until, timeout):
            view = self._view(external_id)
            return view if until(view) else None

        async def find(self, external_id, press):
            return Finding.UNKNOWN
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ChannelFolder]:
    """The channel, as somebody has it beside the product."""
    package = tmp_path / "elsewhere" / "letters"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "inbox.py").write_text(textwrap.dedent(CHANNEL))
    monkeypatch.syspath_prepend(tmp_path / "elsewhere")
    yield registry.find(NAME)
    for name in [name for name in sys.modules if name.partition(".")[0] == "letters"]:
        del sys.modules[name]


def test_it_is_found_by_its_dotted_name_and_offers_what_every_folder_does(folder):
    assert folder.SETTINGS.prefix == "LETTERS_"
    assert folder.CAPABILITIES.watches
    assert NAME not in registry.names()
    with pytest.raises(ModuleNotFoundError):
        registry.find("letters.nothing")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_product_answers_there_without_another_line(folder, db, tmp_path):
    letters = tmp_path / "letters"
    letters.mkdir()
    (letters / "anna").write_text("them: Is there a cot?\n")
    place = Place(account="default", session_dir=tmp_path, evidence_dir=tmp_path)
    channel = folder.build(folder.SETTINGS(folder=letters), place)
    assert isinstance(channel, Watches)
    with House(db, utc_now, rules=RULES) as house:
        send = Send(
            db, account=house.account, owner="w", rules=RULES, wakeup=house.wakeup, clock=utc_now, pace=Pace()
        )
        await channel.open()
        report = await house.sync.run_once(channel)
        assert report.queued == 1
        with db.write() as conn:
            conn.exec_driver_sql("UPDATE queue_inbox SET due_at = created_at")
        (request,) = house.ask_ai()
        vars(house)["channel"] = channel  # the callback asks it for the form of its ids
        job = house.answer(request, "Yes, in the wardrobe.").job
        assert await send.run_once(channel) == 1
        assert house.job(job).status is OutboxStatus.SENT
        await channel.close()
    assert (letters / "anna").read_text().splitlines() == [
        "them: Is there a cot?",
        "us: Yes, in the wardrobe.",
    ]


def test_a_process_makes_it_as_any_other(folder, tmp_path):
    (tmp_path / "accounts.toml").write_text(
        f'[[account]]\nname = "post"\nchannel = "{NAME}"\nfolder = "the-letters"\n', encoding="utf-8"
    )
    settings = load_settings(tmp_path, {})
    (account,) = settings.accounts
    assert account.channel == NAME
    assert account.own.model_dump() == {"folder": tmp_path / "the-letters"}
    made = Parts().make_channel(account, Machine.of(settings))
    assert made.name == NAME
    assert made.capabilities is folder.CAPABILITIES
