"""The assistant while the program runs: on the folder as it is now, within its budget, every run written down.

payload ─▶ respond ─▶ Asked      as an AI's webhook responds; None: ask again later
payload ─▶ decide ─▶ Decision    as it would end without a queue, for `assistant ask` and `/api/assistant/try`
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from loguru import logger

from src.assistant.agents import Agents, load_agents
from src.assistant.answer import Assistant
from src.assistant.burst import Burst, read_burst
from src.assistant.indexing import Indexer
from src.assistant.knowledge import Knowledge, LiveFolder
from src.assistant.making import make_parts, make_search
from src.assistant.models import FailureKind, Ladder
from src.assistant.parts import Later, Parts
from src.assistant.prompting import prompt_version
from src.assistant.reading import load_identifier
from src.assistant.secrets import mask
from src.assistant.steps import given_steps, steps_for
from src.assistant.translate import Translator
from src.assistant.values import Decision, Step
from src.assistant.voice import choose_examples
from src.assistant.vote import load_vote
from src.assistant.wire import as_response, sources_json, steps_json
from src.assistant.wordlist import load_all
from src.assistant_settings import AssistantSettings
from src.db import missing_facts, runs
from src.db.engine import Database
from src.db.results import judged_drafts
from src.db.voice import host_texts
from src.model.asking import Asked
from src.model.confidence_steps import NEWEST, Steps
from src.model.rows import AssistantRun
from src.model.values import utc_now

PUT_OFF_AT_MOST = timedelta(minutes=10)
"""How long a request is retried while no model answers. Then it goes to a person."""
_TROUBLE = frozenset(FailureKind)
_VOICE_OF = timedelta(days=365)
_TEXTS_LOOKED_AT = 300
_JUDGED_OF, _STEPS_GOOD_FOR = timedelta(days=180), timedelta(hours=1)
_MISSING_AT_MOST, _LONGEST_QUESTION = 5, 300


@dataclass(frozen=True, slots=True)
class _Tried:
    """What one try gave."""

    found: Decision | Later
    burst: Burst


@dataclass(frozen=True, slots=True)
class _OfHost:
    """What an answer takes from the host: facts, voices, how the host writes, and what confidence was worth."""

    knowledge: Knowledge
    agents: Agents
    examples: tuple[str, ...]
    steps: Steps


class LiveAssistant:
    """One for a process. May be asked many things at once."""

    def __init__(
        self,
        settings: AssistantSettings,
        db: Database | None = None,
        *,
        account: str = "default",
        clock: Callable[[], datetime] = utc_now,
        parts: Parts | None = None,
    ) -> None:
        """Without ``db`` nothing is written down and there is no budget: for a look from a terminal.

        ``account`` is whose runs they are where a payload does not say it.
        """
        self._settings = settings
        self._db = db
        self._account = account
        self._clock = clock
        self._ladder = Ladder(timeout_sec=settings.assistant_timeout_sec)
        self._loaded = False
        self._trouble: str | None = None
        """How the last call of a model went wrong; None since one went well."""
        self._folder = LiveFolder(settings.assistant_knowledge_dir, self._agent_names)
        search = make_search(settings)
        self._steps: dict[str, tuple[datetime, Steps]] = {}
        """By account: the steps of confidence, and when they were fitted."""
        self._assistant = Assistant(settings, self._ladder, parts or make_parts(settings, search))
        self._indexer = Indexer(db, self._folder, search, clock=clock) if db is not None else None

    @property
    def refused_services(self) -> dict[str, str]:
        """The model services that refuse their key or have no credit: address to what they said."""
        return self._ladder.refused_services

    @property
    def trouble(self) -> str | None:
        """How the last call of a model went wrong, a short stable word; None since one went well."""
        return self._trouble

    async def load(self) -> None:
        """Import what is heavy, in a thread: the model client and the language identifier. Repeatable."""
        if self._loaded:
            return
        await self._ladder.load()
        await asyncio.to_thread(load_identifier)
        self._loaded = True

    def make_translator(self, db: Database) -> Translator:
        """What translates for the host, on the same models and within the same budget."""
        return Translator(
            self._settings,
            db,
            self._ladder,
            self._folder,
            over_budget=self._over_budget,
            clock=self._clock,
        )

    async def close(self) -> None:
        """Let go of the connections. May be called twice."""
        await self._ladder.close()

    async def work_beside(self) -> None:
        """Compile the word lists; then keep the folder's copy and the search up to date, until it is cancelled."""
        await asyncio.to_thread(load_all)
        await asyncio.to_thread(load_vote)
        if self._indexer is not None:
            await self._indexer.run()

    async def respond(self, payload: Mapping[str, Any], *, kind: str = runs.LIVE) -> Asked:
        """What an AI's webhook would respond to this payload. The run is written down. Repeatable.

        Where somebody waits (the channel `chat`), and after ten minutes of trying, it ends although no model
        answers. Raises TransientError for the database: then nothing is lost by asking again.
        """
        now = self._clock()
        run = await asyncio.to_thread(self._begin, payload, kind, now)
        tried = await self._try(payload, now, over_budget=run is not None and await self._over_budget(now))
        found = tried.found
        self._note_trouble(found)
        if isinstance(found, Later):
            since = run.created_at if run is not None else now
            if tried.burst.channel != "chat" and now - since < PUT_OFF_AT_MOST:
                if run is not None:
                    await asyncio.to_thread(self._put_off, run, found)
                return Asked(None, self._trouble, found.retry_after)
            found = await self._end(tried.burst, found, now)
        if run is not None:
            await asyncio.to_thread(self._note_missing, run, tried.burst, found)
            await asyncio.to_thread(self._finish, run, found)
        return Asked(as_response(found), self._trouble)

    async def decide(self, payload: Mapping[str, Any], *, now: datetime | None = None) -> Decision:
        """The decision as it would be in the end. Nothing is stored or sent. ``now`` is aware."""
        at = now or self._clock()
        tried = await self._try(payload, at, over_budget=await self._over_budget(self._clock()))
        if isinstance(tried.found, Later):
            return await self._end(tried.burst, tried.found, at)
        return tried.found

    async def replay(self, payload: Mapping[str, Any], *, now: datetime) -> Decision | None:
        """The decision on a message of the past, as it would have been then, with the facts of today's files.

        Nothing is sent, and nothing is stored but the run (``kind`` replay). None: the day's budget is used up.
        """
        if await self._over_budget(self._clock()):
            return None
        run = await asyncio.to_thread(self._begin, payload, runs.REPLAY, self._clock())
        tried = await self._try(payload, now, over_budget=False)
        found = tried.found
        if isinstance(found, Later):
            found = await self._end(tried.burst, found, now)
        if run is not None:
            await asyncio.to_thread(self._finish, run, found)
        return found

    async def _try(self, payload: Mapping[str, Any], now: datetime, *, over_budget: bool) -> _Tried:
        burst = read_burst(payload)
        await self.load()
        account = str(payload.get("account") or self._account)
        # One way to a thread and back for all that is read from the disk.
        of_host = await asyncio.to_thread(self._read, burst, account, now)
        found = await self._assistant.answer(
            burst,
            knowledge=of_host.knowledge,
            agents=of_host.agents,
            now=now,
            over_budget=over_budget,
            examples=of_host.examples,
            confidence_steps=of_host.steps,
        )
        return _Tried(found, burst)

    def _read(self, burst: Burst, account: str, now: datetime) -> _OfHost:
        """What there is of the host. Blocking."""
        knowledge = self._folder.current()
        agents = load_agents(self._settings.assistant_agents_dir)
        examples = self._examples(burst, account, knowledge, now)
        return _OfHost(knowledge, agents, examples, self.confidence_steps(account))

    def _examples(self, burst: Burst, account: str, knowledge: Knowledge, now: datetime) -> tuple[str, ...]:
        """How the host writes to guests of this listing at this stage of their stay."""
        if self._db is None or burst.listing_id is None:
            return ()
        with self._db.read() as conn:
            found = host_texts(
                conn,
                account,
                burst.listing_id,
                but=burst.conversation_id,
                since=now - _VOICE_OF,
                until=now,
                limit=_TEXTS_LOOKED_AT,
            )
        secrets = knowledge.secrets_of(burst.listing_id)
        same = [(one.text, one.guest_name) for one in found if one.stage == burst.stay.stage]
        return choose_examples(burst.text, same, lambda text: mask(text, secrets))

    def confidence_steps(self, account: str) -> Steps:
        """From which confidence on this account's answers may go out, and are drafts: set, or fitted to what a
        person made of the drafts of the last months. Fitted anew each hour. Repeatable.
        """
        if self._db is None:
            return given_steps(self._settings)
        now = self._clock()
        known = self._steps.get(account)
        if known is None or now - known[0] > _STEPS_GOOD_FOR:
            with self._db.read() as conn:
                judged = judged_drafts(conn, account, now - _JUDGED_OF, NEWEST)
            known = self._steps[account] = now, steps_for(self._settings, judged)
        return known[1]

    async def _end(self, burst: Burst, later: Later, now: datetime) -> Decision:
        knowledge = await asyncio.to_thread(self._folder.current)
        return self._assistant.end_of(burst, later, knowledge=knowledge, now=now)

    def _note_trouble(self, found: Decision | Later) -> None:
        """A request that no model was asked about says nothing of the models."""
        if isinstance(found, Later):
            self._trouble = str(FailureKind.DOWN)
        elif found.reason in _TROUBLE:
            self._trouble = found.reason
        elif any(step.model and step.outcome == "ok" for step in found.steps):
            self._trouble = None

    # --- asked over HTTP, answered later -----------------------------------------------------------------

    async def keep_words(self, payload: Mapping[str, Any]) -> None:
        """Store the payload with its run, so that a restart can go on with it."""
        await asyncio.to_thread(self._set_words, str(payload["request_id"]), json.dumps(dict(payload)))

    async def drop_words(self, request_id: str) -> None:
        """The answer has been handed in: the words are stored no longer. Repeatable."""
        await asyncio.to_thread(self._set_words, request_id, None)

    async def kept_words(self) -> list[dict[str, Any]]:
        """The payloads whose answers have not been handed in yet, oldest first."""

        def look() -> list[dict[str, Any]]:
            if self._db is None:
                return []
            with self._db.read() as conn:
                return [json.loads(run.payload or "{}") for run in runs.to_take_up(conn, self._account)]

        return await asyncio.to_thread(look)

    def _set_words(self, request_id: str, payload: str | None) -> None:
        if self._db is None:
            return
        with self._db.write() as conn:
            run = runs.of_request(conn, request_id)
            if run is not None:
                runs.finish(conn, run.id, {"payload": payload})

    def _agent_names(self) -> tuple[str, ...]:
        return load_agents(self._settings.assistant_agents_dir).names

    # --- what is written down ----------------------------------------------------------------------------

    async def _over_budget(self, now: datetime) -> bool:
        if self._db is None:
            return False
        return await asyncio.to_thread(self._spent, now) >= self._settings.assistant_tokens_day

    def _spent(self, now: datetime) -> int:
        assert self._db is not None  # noqa: S101 - callers have looked
        with self._db.read() as conn:
            return runs.tokens_since(conn, now.replace(hour=0, minute=0, second=0, microsecond=0))

    def _begin(self, payload: Mapping[str, Any], kind: str, now: datetime) -> AssistantRun | None:
        if self._db is None:
            return None
        request_id, conversation_id = payload.get("request_id"), payload.get("conversation_id")
        with self._db.write() as conn:
            return runs.begin(
                conn,
                str(payload.get("account") or self._account),
                kind=kind,
                request_id=str(request_id) if request_id else None,
                conversation_id=str(conversation_id) if conversation_id else None,
                now=now,
            )

    def _put_off(self, run: AssistantRun, later: Later) -> None:
        self._write(run, later.steps, {"state": "put_off", "reason": str(later.kind)})

    def _note_missing(self, run: AssistantRun, burst: Burst, decision: Decision) -> None:
        """What the host's knowledge does not answer goes to the list of missing facts."""
        if not decision.missing or run.kind != runs.LIVE:
            return
        assert self._db is not None  # noqa: S101 - callers have looked
        with self._db.write() as conn:
            for question in decision.missing[:_MISSING_AT_MOST]:
                missing_facts.ask(
                    conn,
                    burst.listing_id,
                    decision.topic,
                    question[:_LONGEST_QUESTION],
                    request_id=run.request_id,
                    now=self._clock(),
                )

    def _finish(self, run: AssistantRun, decision: Decision) -> None:
        changes = {
            "state": "done",
            "action": str(decision.action),
            "hard_class": decision.hard_class,
            "reason": decision.reason,
            "hold": decision.hold,
            "agent": decision.agent,
            "topic": decision.topic,
            "language": decision.language,
            "confidence": decision.confidence,
            "sources": json.dumps(sources_json(decision.sources), ensure_ascii=False),
            "finished_at": self._clock(),
        }
        self._write(run, decision.steps, changes)

    def _write(self, run: AssistantRun, steps: tuple[Step, ...], changes: dict[str, Any]) -> None:
        assert self._db is not None  # noqa: S101 - callers have looked
        costs = [step.cost for step in steps if step.cost is not None]
        all_steps = [*json.loads(run.steps), *steps_json(steps)]
        changes |= {
            "prompt_version": prompt_version(),
            "steps": json.dumps(all_steps, ensure_ascii=False),
            "prompt_tokens": run.prompt_tokens + sum(step.prompt_tokens for step in steps),
            "completion_tokens": run.completion_tokens + sum(step.completion_tokens for step in steps),
            "cost": (run.cost or 0.0) + sum(costs) if costs or run.cost is not None else None,
        }
        with self._db.write() as conn:
            runs.finish(conn, run.id, changes)
        logger.bind(request_id=run.request_id).debug("the assistant's run {}: {}", run.id, changes["state"])
