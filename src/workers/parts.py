"""What a process of workers is made of, put together here and nowhere else. Tests pass other parts in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from src.assistant.keystroke import KeystrokeSecrets
from src.channels import registry
from src.channels.base import Channel, Place
from src.db.account_lock import AccountLock
from src.db.connection_proof import prove_connection
from src.db.engine import Database
from src.model.secrets import Secrets
from src.model.values import ReplyMode, utc_now
from src.services.ai_webhook import AiWebhook
from src.services.askers import Asker, BuiltInAsker
from src.services.caps import caps_of
from src.services.intake import Rules
from src.services.send import Send
from src.services.sync import Sync
from src.settings import Settings, load_settings
from src.workers.exclusion import Exclusion
from src.workers.halts import HaltLatch, stored_halt, write_halt
from src.workers.lease import Lease
from src.workers.locks import place_of
from src.workers.turns import Turns
from src.workers.watchdog import Watchdog


def make_asker(settings: Settings, db: Database) -> Asker | None:
    """The built-in assistant where it answers; None: the AI at AI_WEBHOOK_URL, if there is one."""
    if settings.ai != "assistant":
        return None
    from src.assistant.live import LiveAssistant  # noqa: PLC0415 - it takes its time to load

    return BuiltInAsker(LiveAssistant(settings.assistant, db, account=settings.account))


FINISH_SEC = 45.0
"""After a stop signal the look for a message that was pressed may take so long (pm2.json allows 60 s).

Whatever else is in hand ends within five seconds.
"""


@dataclass(frozen=True, slots=True)
class Parts:
    """The product's own parts and times; each may be replaced by one of the same kind."""

    find_channel: Callable[[], registry.ChannelFolder] = registry.find
    make_sync: Callable[..., Sync] = Sync
    make_send: Callable[..., Send] = Send
    make_webhook: Callable[..., AiWebhook] = AiWebhook
    make_asker: Callable[[Settings, Database], Asker | None] = make_asker
    make_watchdog: Callable[[], Watchdog] = Watchdog
    load_settings: Callable[..., Settings] = load_settings
    open_database: Callable[[str], Database] = Database.open
    clock: Callable[[], datetime] = utc_now
    finish_sec: float = FINISH_SEC
    give_up_sec: float = 5.0
    """So long what is at work may take to end after a halt or a mistake, before it is cancelled."""
    other_copy_sec: float = 10.0
    """A copy that is just ending may take so long to let go of its lock."""
    ai_grace_sec: float = 2.0
    """A slow AI is not waited for at the end: the request is posted again, under the same id, by the next start."""
    grace_sec: float = 1.0
    """So long a step on the page may go on after a stop signal while nothing is at stake; then it is broken off."""
    leave_sec: float = 1.5
    """So long a step that was broken off may take to put things away."""
    end_sec: float = 4.5
    """All of it together, with the closing of the browser; what is left of that ends with the process."""
    halt_look_sec: float = 2.0
    """So often a process that waits at a halt looks whether it is over."""

    def make_channel(self, settings: Settings, *, headless: bool | None = None) -> Channel:
        """The account's channel on its saved login; opens nothing yet. ``headless`` overrides the setting."""
        folder = self.find_channel()
        place = Place(
            account=settings.account,
            session_dir=settings.playwright_session_dir,
            executable=str(settings.browser_executable_path) if settings.browser_executable_path else None,
            evidence_dir=evidence_dir(settings),
            memory_limit_mb=settings.browser_memory_mb,
            headless=headless,
            prove=prove_connection,
        )
        return folder.build(settings.of(folder.SETTINGS), place)

    def make_exclusion(
        self, settings: Settings, db: Database, mark: Callable[[str], None] = lambda _: None
    ) -> Exclusion:
        """What keeps other processes out of the account's browser."""
        return Exclusion(lock_folders(settings, db), account_lock(settings, db), mark=mark)

    def make_turns(
        self,
        settings: Settings,
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
            lambda: self.make_channel(settings, headless=headless),
            self.make_exclusion(settings, db, mark),
            mark=mark,
        )
        account = settings.account
        latch = HaltLatch(lambda: stored_halt(db, account), lambda halt: write_halt(db, account, halt))
        return Turns(lease, latch if mind_halts else HaltLatch(), mark=mark)


def evidence_dir(settings: Settings) -> Path:
    """Where screenshots are kept of what was not understood."""
    return settings.log_dir / "evidence"


def rules_of(settings: Settings) -> Rules:
    """The settings that decide about messages."""
    return Rules(
        max_age=timedelta(hours=settings.max_message_age_hours),
        grouping_delay=timedelta(seconds=settings.grouping_delay_sec),
        grouping_max=timedelta(seconds=settings.grouping_max_sec),
        human_pause=timedelta(minutes=settings.human_pause_min),
        default_mode=ReplyMode(settings.reply_mode),
        caps=caps_of(settings),
        secrets=secrets_of(settings),
    )


def secrets_of(settings: Settings) -> Secrets:
    """What is filled in while a reply is typed, and taken out of all that is read."""
    return KeystrokeSecrets(settings.assistant.assistant_knowledge_dir)


def lock_folders(settings: Settings, db: Database) -> list[Path]:
    """Where the browser is locked: by its profile, and by the account in the database (whatever its profile)."""
    folders = [settings.playwright_session_dir]
    if db.path is not None:
        folders.append(db.path.with_name(f"{db.path.name}.{settings.account}.lock"))
    return folders


def account_lock(settings: Settings, db: Database) -> AccountLock | None:
    """The lock between machines; None with SQLite, which is on one machine."""
    if db.path is not None:
        return None
    return AccountLock(db, settings.account, place_of(settings.playwright_session_dir))
