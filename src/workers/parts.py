"""What a process of workers is made of, put together here and nowhere else. Tests pass other parts in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf
from pathlib import Path
from typing import Self

from src.account import Account
from src.assistant.host_listings import HostListings
from src.assistant.keystroke import KeystrokeSecrets
from src.assistant_settings import AssistantSettings
from src.channels import registry
from src.channels.base import Channel, Fetches, Hears, Place
from src.db.account_lock import AccountLock
from src.db.connection_proof import prove_connection
from src.db.engine import Database
from src.db.wakeup import Wakeup
from src.errors import PermanentError
from src.model.listings import NO_LISTINGS, Listings
from src.model.secrets import NO_SECRETS, Secrets
from src.model.values import utc_now
from src.services.ai_webhook import AiWebhook
from src.services.askers import Asker, BuiltInAsker
from src.services.hearing import Hearing
from src.services.inquiry_clock import Hours, hold_inquiries
from src.services.intake import Rules
from src.services.send import Send
from src.services.store import StoredHere
from src.services.sync import Sync
from src.services.transcribing import Transcriber, VoiceNotes
from src.settings import Settings, load_settings
from src.voice_settings import VoiceSettings
from src.workers.exclusion import Exclusion
from src.workers.halts import HaltLatch, stored_halt, write_halt
from src.workers.lease import Lease
from src.workers.locks import place_of
from src.workers.turns import Turns
from src.workers.watchdog import Watchdog


def make_askers(accounts: Iterable[Account], assistant: AssistantSettings, db: Database) -> dict[str, Asker]:
    """The built-in assistant of each account that it answers for, by the account's name."""
    found = [account.name for account in accounts if account.ai == "assistant"]
    if not found:
        return {}
    from src.assistant.live import LiveAssistant  # noqa: PLC0415 - it takes its time to load

    # One for all: what it learns of a model service (a key that is refused) holds for every account.
    asker = BuiltInAsker(LiveAssistant(assistant, db))
    return dict.fromkeys(found, asker)


def make_inquiry_clock(
    accounts: Iterable[Account],
    assistant: AssistantSettings,
    db: Database,
    wakeup: Wakeup,
    clock: Callable[[], datetime] = utc_now,
) -> Callable[[], object] | None:
    """Enqueues the holding texts that are due, to be called every minute; None if no account has the assistant."""
    answered = [account for account in accounts if account.ai == "assistant"]
    if not answered:
        return None
    from src.assistant.host_texts import HostTexts  # noqa: PLC0415 - it takes its time to load

    texts = HostTexts(assistant)
    hours = Hours(
        inquiry=timedelta(hours=assistant.assistant_inquiry_holding_hours),
        language=timedelta(hours=assistant.assistant_holding_hours),
    )
    secrets = KeystrokeSecrets(assistant.assistant_knowledge_dir)

    def look() -> None:
        for account in answered:
            hold_inquiries(db, wakeup, account, texts, hours=hours, now=clock(), secrets=secrets)

    return look


OWN_BROWSERS = 3
"""Up to this many accounts have a browser each, on a profile, where a login lasts longest. More share one."""
FINISH_SEC = 45.0
"""How long after a stop signal a pressed message may be looked for (pm2.json allows 60 s).

Whatever else is in hand ends within five seconds.
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """What the channels of all accounts use of this machine."""

    evidence_dir: Path
    """Where screenshots are kept of what was not understood."""
    executable: str | None = None
    """The browser to use; None: the one that is found."""
    browser_memory_mb: float = inf
    common_browser: bool = False
    """The accounts are too many for a browser each."""
    secrets: Secrets = NO_SECRETS
    """What is filled in while a reply is typed."""
    listings: Listings = NO_LISTINGS
    """What the host's files say of a stay."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """As the settings have it."""
        browser = settings.browser_executable_path
        folder = KeystrokeSecrets(settings.assistant.assistant_knowledge_dir)
        return cls(
            settings.log_dir / "evidence",
            str(browser) if browser else None,
            settings.browser_memory_mb,
            sum(account.drives_browser for account in settings.accounts) > OWN_BROWSERS,
            folder,
            HostListings(folder.live),
        )


@dataclass(frozen=True, slots=True)
class Parts:
    """The product's own parts and times; each may be replaced by one of the same kind."""

    find_channel: Callable[[str], registry.ChannelFolder] = registry.find
    """By the channel's name."""
    make_sync: Callable[..., Sync] = Sync
    make_send: Callable[..., Send] = Send
    make_webhook: Callable[..., AiWebhook] = AiWebhook
    make_askers: Callable[[Iterable[Account], AssistantSettings, Database], dict[str, Asker]] = make_askers
    make_inquiry_clock: Callable[..., Callable[[], object] | None] = make_inquiry_clock
    make_watchdog: Callable[[], Watchdog] = Watchdog
    load_settings: Callable[..., Settings] = load_settings
    open_database: Callable[[str], Database] = Database.open
    clock: Callable[[], datetime] = utc_now
    finish_sec: float = FINISH_SEC
    give_up_sec: float = 5.0
    """How long running work may take to end after a halt or a mistake, before it is cancelled."""
    other_copy_sec: float = 10.0
    """How long a copy that is ending may take to release its lock."""
    ai_grace_sec: float = 2.0
    """A slow AI is not waited for at the end: the request is posted again, under the same id, by the next start."""
    grace_sec: float = 1.0
    """How long a step on the page may go on after a stop signal before the press; then it is broken off."""
    leave_sec: float = 1.5
    """How long a step that was broken off may take to clean up."""
    end_sec: float = 4.5
    """All of it together, with the closing of the browser; what is left of that ends with the process."""
    share_sec: float = 0.5
    """The pause between two accounts that a process takes at its start, so that others may take some."""
    stand_by_sec: float = 2.0
    """So often it is looked whether an account that another process serves is free."""
    halt_look_sec: float = 2.0
    """So often a process that waits at a halt looks whether it is over."""

    def is_conversation_id(self, channel: str, external_id: str) -> bool:
        """Whether a channel could have a conversation of this id."""
        return self.find_channel(channel).is_conversation_id(external_id)

    def make_channel(
        self, account: Account, machine: Machine, *, db: Database | None = None, headless: bool | None = None
    ) -> Channel:
        """The account's channel on its saved login; opens nothing yet. ``headless`` overrides the setting.

        With ``db`` it knows what is stored of its conversations.
        """
        rules = Rules.of(account.settings, machine.secrets)
        place = Place(
            account=account.name,
            session_dir=account.session_dir,
            executable=machine.executable,
            evidence_dir=machine.evidence_dir,
            memory_limit_mb=machine.browser_memory_mb,
            common_browser=machine.common_browser,
            headless=headless,
            store=StoredHere(db, account.name, rules, self.clock) if db is not None else None,
            prove=prove_connection,
        )
        return self.find_channel(account.channel).build(account.own, place)

    def make_voice(
        self,
        voice: VoiceSettings,
        accounts: Mapping[str, Account],
        machine: Machine,
        db: Database,
        owner: str,
    ) -> VoiceNotes:
        """What writes voice messages down, on channels of its own: fetching a file takes nobody's turn."""

        @asynccontextmanager
        async def opened(name: str) -> AsyncIterator[Fetches]:
            channel = self.make_channel(accounts[name], machine, db=db)
            if not isinstance(channel, Fetches):
                raise PermanentError(f"The channel of {name} fetches no files.", reason="media_gone")
            try:
                await channel.open()
                yield channel
            finally:
                await channel.close()

        return VoiceNotes(
            db,
            Transcriber(voice),
            opened,
            owner=owner,
            limit=voice.max_audio_bytes,
            accounts=[
                one.name for one in accounts.values() if self.find_channel(one.channel).CAPABILITIES.fetches
            ],
            secrets=machine.secrets,
            clock=self.clock,
        )

    def make_hearing(self, accounts: Iterable[Account], machine: Machine) -> dict[str, Hearing]:
        """The accounts whose service calls us, by name."""
        return {
            account.name: Hearing(
                account.name, channel, Rules.of(account.settings, machine.secrets), machine.evidence_dir
            )
            for account in accounts
            if self.find_channel(account.channel).CAPABILITIES.hears
            and isinstance(channel := self.make_channel(account, machine), Hears)
        }

    def make_exclusion(
        self, account: Account, db: Database, mark: Callable[[str], None] = lambda _: None
    ) -> Exclusion:
        """What keeps other processes out of the account's inbox."""
        return Exclusion(lock_folders(account, db), account_lock(account, db), mark=mark)

    def make_turns(
        self,
        account: Account,
        machine: Machine,
        db: Database,
        *,
        mark: Callable[[str], None] = lambda _: None,
        headless: bool | None = None,
        mind_halts: bool = True,
    ) -> Turns:
        """The account's turns at the inbox; none is given while a halt is stored, by whichever process.

        Without ``mind_halts`` a stored halt is passed over, and none is stored: for the proof that ends one.
        """
        lease = Lease(
            lambda: self.make_channel(account, machine, db=db, headless=headless),
            self.make_exclusion(account, db, mark),
            mark=mark,
        )
        name = account.name
        latch = HaltLatch(lambda: stored_halt(db, name), lambda halt: write_halt(db, name, halt))
        return Turns(lease, latch if mind_halts else HaltLatch(), mark=mark)


def lock_folders(account: Account, db: Database) -> list[Path]:
    """Where an account is locked: by its saved login, and by its name in the database (whatever its login)."""
    folders = [account.session_dir]
    if db.path is not None:
        folders.append(db.path.with_name(f"{db.path.name}.{account.name}.lock"))
    return folders


def account_lock(account: Account, db: Database) -> AccountLock | None:
    """The lock between machines; None with SQLite, which is on one machine."""
    if db.path is not None:
        return None
    return AccountLock(db, account.name, place_of(account.session_dir))
