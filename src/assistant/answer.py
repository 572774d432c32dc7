"""The pipeline: a guest's burst goes in, a decision comes out. Reads no files, no clock and no database by itself.

    0 guard ─▶ 1 read ─▶ 2 rules ─▶ 3 triage ─▶ 4 facts ─▶ 5 draft ─▶ 6 gate ─▶ 7 check ─▶ 8 decide

Each step may end it: with an escalation (a person answers; the guest gets the host's holding text), or with
`ignore`. No step can let out what another one held.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NoReturn

from src.assistant.agents import Agents
from src.assistant.burst import Burst
from src.assistant.check import SHAPE as CHECK_SHAPE
from src.assistant.check import Check, check_prompt, lay_draft
from src.assistant.decide import Looks, decide, lay_confidence
from src.assistant.draft import SHAPE as DRAFT_SHAPE
from src.assistant.draft import Draft, draft_prompt
from src.assistant.endings import URGENT, Endings, finished
from src.assistant.knowledge.loading import Knowledge
from src.assistant.models import Ladder, ModelFailure
from src.assistant.parts import Around, Drafted, Ended, Finding, Later, Parts, Run
from src.assistant.prompting import cited, lay_facts, lay_guest, make_canary, make_nonce
from src.assistant.reading import Language, detect_language
from src.assistant.retrieve import Chosen
from src.assistant.secrets import mask, placeholders
from src.assistant.stay import lay_stay, with_dates
from src.assistant.steps import given_steps
from src.assistant.structured import Parsed, Shape
from src.assistant.triage import Triage, triage_prompt, triage_shape
from src.assistant.values import Action, Decision, Fact, Source, Turn
from src.assistant.voice import lay_examples
from src.assistant_settings import AssistantSettings, ModelAddress
from src.model.confidence_steps import Steps

_TOO_LATE = timedelta(seconds=5)
_QUICK, _QUICK_EXCHANGES = timedelta(seconds=15), 4
_FACT_LANGUAGES = 4
_GUEST_IS_TOLD = frozenset({"contradiction", "secret_not_due"})
"""Holds that only the host can end, and that no approval of the draft as it stands does: the guest hears that."""


class Assistant:
    """Answers one request after another; may be asked many at once."""

    def __init__(self, settings: AssistantSettings, ladder: Ladder, parts: Parts) -> None:
        self._settings = settings
        self._ladder = ladder
        self._parts = parts
        self._endings = Endings(settings, parts)

    async def answer(
        self,
        burst: Burst,
        *,
        knowledge: Knowledge,
        agents: Agents,
        now: datetime,
        over_budget: bool = False,
        examples: Sequence[str] = (),
        confidence_steps: Steps | None = None,
    ) -> Decision | Later:
        """What to do with this request. ``now`` is aware. Repeatable; nothing is stored or sent.

        ``examples`` are texts of the host's own, masked: how the reply shall sound (``voice.py``).
        ``confidence_steps``: those of the settings where none are given.
        """
        listing = knowledge.listing(burst.listing_id)
        run = Run(
            burst=replace(burst, stay=with_dates(burst.stay, listing)),
            knowledge=knowledge,
            agents=agents,
            now=now,
            deadline=time.monotonic() + self._settings.assistant_deadline_sec,
            listing=listing,
            examples=tuple(examples),
            confidence_steps=confidence_steps or given_steps(self._settings),
        )
        try:
            return await self._go(run, over_budget=over_budget)
        except Ended as end:
            return end.outcome

    async def _go(self, run: Run, *, over_budget: bool) -> Decision | Later:
        if run.burst.is_test:
            self._endings.ignore(run, "test_call")
        self._read(run)
        self._guard(run)
        await self._apply_rules(run)
        if over_budget:
            self._endings.escalate(run, "over_budget")
        triage = await self._triage(run)
        facts = await self._facts(run, triage)
        draft, finding, around, second_try = await self._draft(run, triage, facts)
        check = None
        if finding is None:
            check = await self._check(run, triage, draft, around)
        looks = Looks(
            triage=triage,
            draft=draft,
            gate=finding.reason if finding else None,
            check=check,
            second_try=second_try,
            close=facts.close,
            unsure_language=not (run.language and run.language.sure),
        )
        return self._decide(run, looks, around)

    def end_of(self, burst: Burst, later: Later, *, knowledge: Knowledge, now: datetime) -> Decision:
        """What a request ends with that was put off long enough, or that has no queue behind it."""
        return self._endings.end_of(burst, later, knowledge=knowledge, now=now)

    # --- 0 to 2: without a model -------------------------------------------------------------------------

    def _guard(self, run: Run) -> None:
        burst = run.burst
        if not burst.text:
            self._endings.escalate(run, "not_text")
        if burst.reply_by is not None and burst.reply_by - run.now < _TOO_LATE:
            self._endings.escalate(run, "too_late", holding=False)
        if _are_two_machines(burst):
            self._endings.escalate(run, "two_machines", holding=False)

    def _read(self, run: Run) -> None:
        burst = run.burst
        run.language = detect_language(burst.text, burst.guest_texts)
        secrets = run.knowledge.secrets_of(burst.listing_id)
        if secrets:
            history = [replace(turn, text=mask(turn.text, secrets)) for turn in burst.history]
            run.burst = burst.masked(mask(burst.text, secrets), history)
        run.note("read", run.code or "no_words", "" if run.language and run.language.sure else "unsure")

    async def _apply_rules(self, run: Run) -> None:
        burst = run.burst
        code = run.code if run.language and run.language.sure else None  # unsure: every list judges
        # In a thread: the first text of a language has its lists compiled, which takes a second.
        hits = await asyncio.to_thread(self._parts.find_classes, burst.text, code)
        found = set(hits) - self._endings.answerable
        run.note("rules", "hit" if found else "clear", ", ".join(sorted(found)))
        if found:
            self._endings.escalate_class(run, found)
        ours_before = bool(burst.history) and burst.history[-1].role != "guest"
        if ours_before and await asyncio.to_thread(self._parts.is_closing, burst.text, code):
            self._endings.ignore(run, "closing")

    # --- 3 to 7: with models -----------------------------------------------------------------------------

    async def _triage(self, run: Run) -> Triage:
        burst = run.burst
        agents = [(agent.name, agent.answers) for agent in run.agents.all]
        languages = _languages_of(_known(run))
        triage = await self._ask(
            run,
            triage_shape(run.agents.names, languages),
            Triage,
            self._settings.ladder(self._settings.assistant_triage_model),
            triage_prompt(agents, languages),
            lay_guest(burst.text, burst.guest_name, burst.history),
        )
        run.agent, run.topic = run.agents.by_name(triage.agent), triage.known_topic
        if not (run.language and run.language.sure) and _is_code(triage.language):
            said = triage.language.lower()
            run.language = Language(said, sure=run.code == said)
        if hard := triage.hard - self._endings.answerable:
            draft = None
            if len(triage.questions) > 1 and not hard & URGENT:
                draft = await self._draft_for_host(run, triage)
            self._endings.escalate_class(run, hard, draft=draft)
        asks = "?" in burst.text or "？" in burst.text
        if not triage.needs_answer and not asks and triage.confidence >= self._settings.assistant_send_from:
            self._endings.ignore(run, "no_answer_needed", confidence=triage.confidence)
        return triage

    async def _facts(self, run: Run, triage: Triage) -> Chosen:
        known = _known(run)
        chosen = await self._parts.choose(known, triage.queries())
        run.note("facts", "degraded" if chosen.degraded else "ok", f"{len(chosen.facts)} of {len(known)}")
        if not chosen.facts:
            self._endings.missing(run, triage, [one.question for one in triage.questions])
        return chosen

    async def _draft(
        self, run: Run, triage: Triage, facts: Chosen
    ) -> tuple[Draft, Finding | None, Around, bool]:
        """The draft that the gate lets through, or the second one with what the gate says of it."""
        again, second_try = "", False
        while True:
            draft, around = await self._write(run, facts, again)
            if draft.action == "ignore" and not draft.text and "?" not in run.burst.text:
                self._endings.ignore(run, "no_answer_needed", confidence=draft.confidence)
            if draft.action != "answer" or not draft.text:
                missing = draft.missing or [one.question for one in triage.questions]
                self._endings.missing(run, triage, missing, confidence=draft.confidence)
            finding = await self._inspect(run, draft, around)
            if finding is None or not finding.mendable or second_try:
                break
            again, second_try = finding.detail, True
        if draft.missing:
            self._endings.missing(run, triage, draft.missing, draft=None if finding else draft.text)
        return draft, finding, around, second_try

    async def _write(self, run: Run, facts: Chosen, again: str) -> tuple[Draft, Around]:
        burst, agent = run.burst, run.agent or run.agents.default
        nonce, canary = make_nonce(facts.facts, run.local_now.date()), make_canary()
        draft = await self._ask(
            run,
            DRAFT_SHAPE,
            Draft,
            self._settings.ladder(agent.model),
            draft_prompt(
                voice=agent.voice,
                facts=lay_facts(facts.facts),
                stay=self._lay_stay(run),
                language=run.code or "en",
                nonce=nonce,
                canary=canary,
                examples=lay_examples(run.examples),
                again=again,
            ),
            lay_guest(burst.text, burst.guest_name, burst.history),
        )
        return draft, Around(run, cited(facts.facts, draft.sources), facts.facts, canary, nonce)

    async def _draft_for_host(self, run: Run, triage: Triage) -> str | None:
        """The answer to the easy part of a message that a person answers, for the host's eyes."""
        chosen = await self._parts.choose(_known(run), triage.queries())
        if not chosen.facts:
            return None
        try:
            draft, around = await self._write(run, chosen, "")
        except Ended:
            return None
        if not draft.text or await self._inspect(run, draft, around) is not None:
            return None
        return draft.text

    async def _inspect(self, run: Run, draft: Draft, around: Around) -> Finding | None:
        sources = tuple(fact.id for fact in around.cited)
        looked_at = Drafted(
            draft.text, sources, tuple(draft.missing), tuple(draft.promises), run.code or "en"
        )
        finding = await asyncio.to_thread(self._parts.inspect, looked_at, around)
        run.note("gate", finding.reason if finding else "clear")
        return finding

    async def _check(self, run: Run, triage: Triage, draft: Draft, around: Around) -> Check:
        questions = [one.question for one in triage.questions]
        check = await self._ask(
            run,
            CHECK_SHAPE,
            Check,
            self._settings.ladder(self._settings.assistant_check_model),
            check_prompt(
                facts=lay_facts(around.cited),
                stay=self._lay_stay(run),
                nonce=around.nonce,
                canary=make_canary(),
            ),
            lay_draft(questions, draft.text, run.code or "en"),
            draft=draft.text,
        )
        run.steps[-1] = run.steps[-1].ended("ok", check.hold or "clear")
        return check

    async def _ask(
        self,
        run: Run,
        shape: Shape,
        model: type[Parsed],
        rungs: Sequence[ModelAddress],
        system: str,
        user: str,
        draft: str | None = None,
    ) -> Parsed:
        asked = await self._ladder.ask(
            shape, model, rungs=rungs, system=system, user=user, deadline=run.deadline
        )
        run.steps += asked.steps
        if isinstance(asked, ModelFailure):
            self._failed(run, asked, draft)
        return asked.value

    def _lay_stay(self, run: Run) -> str:
        stay = run.burst.stay
        return lay_stay(stay, run.listing, run.now, placeholders(run.listing, stay, run.now))

    # --- 8: the end ----------------------------------------------------------------------------------------

    def _failed(self, run: Run, failure: ModelFailure, draft: str | None) -> NoReturn:
        if failure.kind.later:
            raise Ended(Later(failure.kind, failure.retry_after, tuple(run.steps)))
        self._endings.escalate(run, str(failure.kind), draft=draft)

    def _decide(self, run: Run, looks: Looks, around: Around) -> Decision:
        verdict = decide(looks, run.confidence_steps)
        said = lay_confidence(looks, run.confidence_steps)
        run.note("decide", verdict.hold or verdict.reason or "send", said)
        if verdict.action is Action.ESCALATE:
            decision = self._endings.escalation(
                run, verdict.reason or "low_confidence", draft=looks.draft.text
            )
        elif verdict.hold == "secret_in_text":  # not even a draft may hold it: a draft is a row
            decision = self._endings.escalation(run, verdict.hold)
        else:
            message = looks.draft.text + self._endings.disclosure(run)
            sources = tuple(Source(fact.title, fact.id) for fact in around.cited)
            decision = Decision(Action.ANSWER, message=message, hold=verdict.hold, sources=sources)
            if verdict.hold in _GUEST_IS_TOLD:
                decision = replace(decision, holding_message=self._endings.holding_text(run, None))
        return finished(run, replace(decision, confidence=verdict.confidence))


def _known(run: Run) -> tuple[Fact, ...]:
    """All that this guest may be told today; the agent's own first."""
    burst, agent = run.burst, run.agent.name if run.agent else None
    return run.knowledge.facts_for(burst.listing_id, burst.stay.stage, run.local_now.date(), agent)


def _languages_of(facts: Sequence[Fact]) -> tuple[str, ...]:
    """The languages that the facts are in, most facts first; found where no file says it."""
    said = Counter(fact.language for fact in facts if fact.language)
    unsaid = " ".join(fact.text for fact in facts if not fact.language)[:400]
    found = detect_language(unsaid) if unsaid else None
    codes = [code for code, _ in said.most_common()]
    if found is not None and found.code not in codes:
        codes.append(found.code)
    return tuple(codes[:_FACT_LANGUAGES])


def _is_code(language: str) -> bool:
    return language.isascii() and language.isalpha() and len(language) in {2, 3} and language != "und"


def _are_two_machines(burst: Burst) -> bool:
    """Whether the guest has answered us within seconds again and again: no person types like that."""
    times: list[Turn] = [*burst.history, Turn("guest", burst.text, burst.first_sent_at)]
    quick = 0
    for before, after in pairwise(times):
        if (before.role, after.role) != ("assistant", "guest"):
            continue
        both = before.sent_at is not None and after.sent_at is not None
        fast = both and timedelta(0) <= after.sent_at - before.sent_at < _QUICK  # type: ignore[operator]
        quick = quick + 1 if fast else 0
    return quick >= _QUICK_EXCHANGES
