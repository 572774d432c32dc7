"""Rows of an account: whether it may be touched, its workers, its modes, what a person should know."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from src.model.values import LinkState, ReplyMode


@dataclass(frozen=True, slots=True)
class AccountState:
    """One inbox (table ``accounts``)."""

    account: str
    channel: str | None
    """Where its conversations are (a folder of ``src/channels``); null until it first works."""
    external_id: str | None
    """The site's id of the person whose inbox it is; another one there later is a halt."""
    link_state: LinkState
    halt_kind: str | None
    halt_detail: str | None
    halt_exit_code: int | None
    halt_evidence: str | None
    halted_at: datetime | None
    halt_cleared_at: datetime | None
    """When the last halt ended; replies that waited during it were judged again from here on."""
    paused_at: datetime | None
    """Set by a person: reading goes on, nothing is sent."""
    disclosed_at: datetime | None
    """When a person confirmed that people are told there that an AI answers."""
    swept_through: datetime | None
    """Everything in the list with activity before this time has been taken in."""
    bell: str | None
    """Whether the remote announces what is new: rings, or none; null where there is no bell to speak of."""
    updated_at: datetime

    @property
    def halted(self) -> bool:
        return self.link_state is LinkState.HALTED

    @property
    def paused(self) -> bool:
        return self.paused_at is not None


@dataclass(frozen=True, slots=True)
class WorkerBeat:
    """The last signs of life of a worker (table ``workers``)."""

    account: str
    worker: str
    process_id: int
    hostname: str
    started_at: datetime
    beat_at: datetime
    """The last sign of life, also between two cycles."""
    last_cycle_at: datetime | None
    last_duration_ms: int | None
    last_outcome: str | None
    last_good_at: datetime | None
    """The end of the last cycle that did what it was for."""
    rows_seen: int | None
    """How many conversations the last good look at the list found; null for other workers."""
    cycles: int
    failures_in_a_row: int
    stopped_at: datetime | None


@dataclass(frozen=True, slots=True)
class StoredIncident:
    """Something that a person should know (table ``incidents``)."""

    id: str
    account: str
    kind: str
    """``IncidentKind`` (``model/incidents.py``)."""
    subject: str
    """Which one, where there may be several of a kind: our id of a reply or a message; else ''."""
    detail: str
    """A stable word that says more (the kind of a halt, the reason of a draft); nothing of a guest."""
    opened_at: datetime
    last_seen_at: datetime
    """When it was last found to be so."""
    closed_at: datetime | None
    tell_at: datetime | None
    """When somebody is told (again); null: never again."""
    told: int
    """How often an alert about it has gone out."""
    failures: int
    """Alerts in a row that nobody took."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A reply mode that a person has set (table ``reply_modes``)."""

    account: str
    scope: str
    scope_id: str
    mode: ReplyMode
    updated_at: datetime
