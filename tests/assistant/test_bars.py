"""The bars of the whole pipeline, on the labelled messages, with scripted models."""

import asyncio
import zlib
from pathlib import Path

import pytest

from src.assistant.agents import load_agents
from src.assistant.answer import Assistant
from src.assistant.burst import read_burst
from src.assistant.cases import load_cases
from src.assistant.evaluate import is_sent, judge, measure
from src.assistant.knowledge.loading import load
from src.assistant.making import make_parts, make_search
from src.assistant.models import Ladder
from src.assistant.reading import clean_text
from src.assistant.values import Action
from src.assistant.wordlist import LANGUAGES
from tests.support.assistant import settings_for
from tests.support.model_answers import good_triage
from tests.support.model_server import ModelServer

HERE = Path(__file__).parent
CASES = load_cases(HERE / "cases")
# A plain answer in each language: whether a right draft is held by mistake.
ANSWERS = {
    "en": "Yes, you find it in the flat, and everything that you need is beside it.",
    "fr": "Oui, vous le trouvez dans l'appartement, avec tout le nécessaire à côté.",
    "de": "Ja, das finden Sie in der Wohnung, und alles Nötige liegt daneben.",
    "es": "Sí, lo encuentra en el piso, con todo lo necesario al lado.",
    "it": "Sì, lo trova nell'appartamento, con tutto il necessario accanto.",
    "pt": "Sim, está no apartamento, com tudo o que é preciso ao lado.",
    "nl": "Ja, dat vindt u in het appartement, met alles wat nodig is ernaast.",
    "pl": "Tak, jest w mieszkaniu, a wszystko, co potrzebne, leży obok.",
    "ru": "Да, это есть в квартире, и всё необходимое лежит рядом.",
    "ja": "はい、お部屋の中にあり、必要なものはその横に置いてあります。",
    "zh": "有的，就在公寓里面，需要的东西都放在旁边。",
    "ko": "네, 숙소 안에 있고 필요한 것은 모두 옆에 놓여 있습니다.",
}


async def decide_all(server, cases):
    settings = settings_for(server)
    ladder = Ladder(timeout_sec=settings.assistant_timeout_sec)
    assistant = Assistant(settings, ladder, make_parts(settings, make_search(settings)))
    knowledge, agents = load(HERE / "folder"), load_agents(HERE / "folder" / "agents")
    places = asyncio.Semaphore(8)

    async def one(case):
        async with places:
            burst = read_burst(case.payload)
            return judge(
                case, await assistant.answer(burst, knowledge=knowledge, agents=agents, now=case.now)
            )

    try:
        return await asyncio.gather(*(one(case) for case in cases))
    finally:
        await ladder.close()


def by_message(cases):
    return {clean_text(case.message): case for case in cases}


def triage_with_errors(cases):
    """Names the right class, but for one message in twenty, whatever the rules say of it."""
    labelled = by_message(cases)

    def triage(call):
        case = labelled[call.data["guest_message"]]
        wrong = zlib.crc32(case.id.encode()) % 20 == 0
        classes = [case.hard_class] if case.hard_class and not wrong else []
        return {**good_triage(call), "classes": classes, "language": case.language or "und"}

    return triage


def draft_in_the_guests_language(cases):
    labelled = by_message(cases)

    def draft(call):
        case = labelled[call.data["guest_message"]]
        return {
            "action": "answer", "message": ANSWERS[case.language], "sources": ["f1"], "missing": [], "promises": [],
            "confidence": 0.95,
        }  # fmt: skip

    return draft


async def test_hard_classes_reach_a_person_with_one_error_of_triage_in_twenty():
    cases = [case for case in CASES if case.hard_class]
    with ModelServer() as server:
        server.script["triage"] = triage_with_errors(cases)
        _, bars = measure(await decide_all(server, cases))
    assert bars["hard_classes_caught"].ok, bars["hard_classes_caught"]
    assert (bars["safety_and_medical_caught"].value or 0) >= 0.98


async def test_hard_classes_reach_a_person_although_the_model_is_blind():
    cases = [case for case in CASES if case.hard_class and case.language in LANGUAGES]
    with ModelServer() as server:
        results = await decide_all(server, cases)
    assert sum(one.decision.action is Action.ESCALATE for one in results) >= 0.95 * len(results)


async def test_answerable_messages_are_not_held():
    cases = [case for case in CASES if case.expect == {"answer"} and case.language in ANSWERS]
    with ModelServer() as server:
        server.script["triage"] = triage_with_errors(cases)
        server.script["draft"] = draft_in_the_guests_language(cases)
        results = await decide_all(server, cases)
    held = [
        (one.case.id, one.decision.hold or one.decision.reason)
        for one in results
        if not is_sent(one.decision)
    ]
    assert len(held) <= 0.05 * len(results), held


async def test_thanks_stay_unanswered_without_a_model():
    cases = [case for case in CASES if case.expect == {"ignore"}]
    with ModelServer() as server:
        results = await decide_all(server, cases)
        assert server.calls == []
    assert all(one.ok for one in results)


async def test_what_is_not_in_the_folder_is_never_answered():
    cases = [case for case in CASES if case.expect == {"missing"}]
    with ModelServer() as server:
        results = await decide_all(server, cases)
    assert [one.case.id for one in results if is_sent(one.decision)] == []


@pytest.mark.parametrize("language", sorted(ANSWERS))
async def test_an_answer_in_another_language_is_held(language):
    cases = [case for case in CASES if case.expect == {"answer"} and case.language == language][:4]
    other = {clean_text(case.message): ANSWERS["de" if language != "de" else "fr"] for case in cases}
    with ModelServer() as server:
        server.script["draft"] = lambda call: {
            "action": "answer", "message": other[call.data["guest_message"]], "sources": ["f1"], "missing": [],
            "promises": [], "confidence": 0.95,
        }  # fmt: skip
        results = await decide_all(server, cases)
    assert {one.decision.hold for one in results} == {"language"}
