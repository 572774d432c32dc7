"""The tables of an account: whether it may be touched, its workers, its modes, what a person should know."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column
from sqlmodel import Field, SQLModel

from src.model.columns import UtcDateTime, enum_of, partial_index
from src.model.values import DEFAULT_ACCOUNT, LinkState, ReplyMode, new_id, utc_now


class Meta(SQLModel, table=True):
    """Facts of this database: its id and the secret that callback tokens are derived from."""

    __tablename__ = "meta"

    key: str = Field(primary_key=True)
    value: str


class Account(SQLModel, table=True):
    """One inbox: whether we may touch it, why not, and how far it has been read."""

    __tablename__ = "accounts"

    account: str = Field(default=DEFAULT_ACCOUNT, primary_key=True)
    channel: str | None = None
    """Where its conversations are (a folder of ``src/channels``); null until it first works."""
    external_id: str | None = None
    """The site's id of the person whose inbox it is; another one there later is a halt."""
    link_state: LinkState = Field(
        default=LinkState.OK,
        sa_column=Column(enum_of(LinkState, "link_state"), nullable=False, server_default="ok"),
    )
    halt_kind: str | None = None
    halt_detail: str | None = None
    halt_exit_code: int | None = None
    halt_evidence: str | None = None
    halted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    halt_cleared_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When the last halt ended; replies that waited during it were judged again from here on."""
    paused_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """Set by a person: reading goes on, nothing is sent."""
    disclosed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When a person confirmed that people are told there that an AI answers."""
    swept_through: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """Everything in the list with activity before this time has been taken in."""
    bell: str | None = None
    """Whether the remote announces what is new: rings, or none; null where there is no bell to speak of."""
    updated_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)


class WorkerState(SQLModel, table=True):
    """The last sign of life of each worker, for `status`, `/health` and the dashboard."""

    __tablename__ = "workers"

    account: str = Field(default=DEFAULT_ACCOUNT, primary_key=True)
    worker: str = Field(primary_key=True)
    process_id: int
    hostname: str
    started_at: datetime = Field(sa_type=UtcDateTime)
    beat_at: datetime = Field(sa_type=UtcDateTime)
    """The last sign of life, also between two cycles."""
    last_cycle_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_duration_ms: int | None = None
    last_outcome: str | None = None
    last_good_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """The end of the last cycle that did what it was for."""
    rows_seen: int | None = None
    """How many conversations the last good look at the list found; null for other workers."""
    cycles: int = 0
    failures_in_a_row: int = 0
    stopped_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class ModeRule(SQLModel, table=True):
    """A reply mode set by a person for the account, a listing or a conversation; the narrowest one wins."""

    __tablename__ = "reply_modes"

    account: str = Field(default=DEFAULT_ACCOUNT, primary_key=True)
    scope: str = Field(primary_key=True)
    scope_id: str = Field(primary_key=True)
    mode: ReplyMode = Field(sa_column=Column(enum_of(ReplyMode, "reply_mode"), nullable=False))
    updated_at: datetime = Field(default_factory=utc_now, sa_type=UtcDateTime)


class Incident(SQLModel, table=True):
    """Something that a person should know, from when it was noticed until it is over; alerts are made from it."""

    __tablename__ = "incidents"
    __table_args__ = (
        partial_index(
            "uq_incidents_open", "account", "kind", "subject", where="closed_at IS NULL", unique=True
        ),
        partial_index("ix_incidents_to_tell", "account", "tell_at", where="tell_at IS NOT NULL"),
    )

    id: str = Field(default_factory=new_id, primary_key=True)
    account: str = DEFAULT_ACCOUNT
    kind: str
    """``IncidentKind`` (``model/incidents.py``)."""
    subject: str = ""
    """Which one, where there may be several of a kind: our id of a reply or a message; else ''."""
    detail: str = ""
    """A stable word that says more (the kind of a halt, the reason of a draft); nothing of a guest."""
    opened_at: datetime = Field(sa_type=UtcDateTime)
    last_seen_at: datetime = Field(sa_type=UtcDateTime)
    """When it was last found to be so."""
    closed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    tell_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When somebody is told (again); null: never again."""
    told: int = 0
    """How often an alert about it has gone out."""
    failures: int = 0
    """Alerts in a row that nobody took."""
