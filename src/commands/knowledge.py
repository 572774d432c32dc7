"""``knowledge add|list|search|check|example``: the host's folder of facts, from a terminal."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from datetime import date
from pathlib import Path

from src.assistant.agents import load_agents
from src.assistant.embeddings import Vectors, make_embedder
from src.assistant.knowledge import Document, Finding, Knowledge, Level, load, may_be_told
from src.assistant.knowledge.documents import is_valid_on
from src.assistant.knowledge.writing import (
    AlreadyThere,
    NotUsable,
    PathRefused,
    folder_of_listing,
    write_file,
)
from src.assistant.reading import detect_language
from src.assistant.retrieve import Search, tokens_of
from src.assistant.values import Audience, Fact, Stage
from src.assistant_settings import AssistantSettings
from src.settings import ROOT, load_settings

EXAMPLE = ROOT / "knowledge.example"
_STAGE_OF = {Audience.ANYONE: Stage.INQUIRY, Audience.BOOKED: Stage.BOOKED, Audience.STAYING: Stage.STAYING}


def run_add(file: Path, listing_id: str | None, *, overwrite: bool) -> int:
    """Copy a file into the folder; 1 and nothing copied if it could not be used there."""
    folder = load_settings().assistant.assistant_knowledge_dir
    try:
        content = file.read_bytes()
    except OSError as error:
        return _refuse(f"{file}: cannot be read ({error.strerror}); check its name")
    path = str((folder_of_listing(folder, listing_id) / file.name) if listing_id else file.name)
    try:
        warnings = write_file(folder, path, content, overwrite=overwrite, secrets_too=True)
    except PathRefused as error:
        return _refuse(f"{path}: {error}")
    except AlreadyThere:
        return _refuse(f"{folder / path}: is there already; add --overwrite to replace it")
    except NotUsable as error:
        return _refuse("\n".join(_line(one) for one in error.findings) + "\nNothing was copied.")
    knowledge = _loaded(load_settings().assistant)
    findings = [one for one in knowledge.check(_today()) if one.path == path] or list(warnings)
    facts = [len(one.facts) for one in knowledge.documents if one.path == path]
    print(f"{folder / path}: {sum(facts)} fact{'' if sum(facts) == 1 else 's'}")
    print("\n".join(_line(one) for one in findings), end="\n" if findings else "")
    return 1 if any(one.level is Level.ERROR for one in findings) else 0


def run_list(*, as_json: bool) -> int:
    """What is in the folder, a line for each file with facts."""
    knowledge = _loaded(load_settings().assistant)
    rows = [_row(one) for one in knowledge.documents]
    if as_json:
        print(json.dumps({"documents": rows, "findings": _as_json(knowledge.check(_today()))}, indent=2))
        return 0
    if not rows:
        print(
            f"{knowledge.folder}: no facts yet. An example to begin with:  python src/main.py knowledge example"
        )
    for row in rows:
        of = f"listing {row['listing']}" if row["listing"] else "all listings"
        print(f"{row['path']}: {row['facts']} facts for {of}, audience {row['audience']}{_until(row)}")
    known = [fact for document in knowledge.documents for fact in document.facts]
    print(f"{len(known)} facts, about {tokens_of(known)} tokens; listings: {_listings(knowledge)}")
    findings = knowledge.check(_today())
    if findings:
        print(f"{len(findings)} findings; see them with:  python src/main.py knowledge check")
    return 0


def run_search(question: str, listing_id: str | None, audience: str, limit: int, *, as_json: bool) -> int:
    """The facts that fit a question best; 1 if there are none."""
    settings = load_settings()
    knowledge = _loaded(settings.assistant)
    try:
        stage = _STAGE_OF[Audience(audience)]
    except ValueError:
        return _refuse(f"--audience {audience}: is not known; write one of {', '.join(Audience)}")
    facts = knowledge.facts_for(listing_id, stage, _today()) if listing_id else _of_all(knowledge, stage)
    hits = asyncio.run(_search(settings.assistant, facts, question, limit))
    if as_json:
        print(json.dumps([{"id": f.id, "score": round(s, 3), "text": f.text} for f, s in hits], indent=2))
    else:
        for fact, score in hits:
            print(f"{score:.2f}  {fact.id}\n      {' '.join(fact.text.split())}")
    if not hits:
        sys.stderr.write(f"nothing found among {len(facts)} facts\n")
    return 0 if hits else 1


async def _search(
    settings: AssistantSettings, facts: tuple[Fact, ...], question: str, limit: int
) -> list[tuple[Fact, float]]:
    embedder = make_embedder(settings)
    vectors = Vectors(embedder) if embedder else None
    if vectors and embedder:
        texts = [fact.text for fact in facts]
        for begin in range(0, len(texts), embedder.at_once):
            await vectors.make(texts[begin : begin + embedder.at_once])
    language = detect_language(question)
    hits = await Search(vectors).find(facts, {(language.code if language else ""): question}, limit)
    return [(hit.fact, hit.score) for hit in hits]


def run_check(*, as_json: bool) -> int:
    """Everything that is wrong with the folder; 1 if there are errors."""
    knowledge = _loaded(load_settings().assistant)
    findings = knowledge.check(_today())
    if as_json:
        print(json.dumps({"findings": _as_json(findings)}, indent=2))
    else:
        print("\n".join(_line(one) for one in findings), end="\n" if findings else "")
        errors = sum(one.level is Level.ERROR for one in findings)
        facts = sum(len(one.facts) for one in knowledge.documents)
        print(
            f"{facts} facts in {len(knowledge.documents)} files: {errors} errors, {len(findings) - errors} warnings"
        )
    return 1 if any(one.level is Level.ERROR for one in findings) else 0


def run_example() -> int:
    """Copy the example folder to where the knowledge belongs; 1 if something is there already."""
    folder = load_settings().assistant.assistant_knowledge_dir
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        return _refuse(f"{folder}: is there already, and nothing in it was changed")
    shutil.copytree(EXAMPLE, folder, dirs_exist_ok=True, copy_function=shutil.copyfile)
    for secrets in folder.rglob("secrets.toml"):
        secrets.chmod(0o600)
    print(f"{folder}: an invented listing, 4711. Now:")
    print("  1. rename listings/4711-attic after your listing: airbnb.com/rooms/12345 is listings/12345")
    print("  2. write your own facts into attic.md, and its times into listing.toml")
    print("  3. python src/main.py knowledge check")
    print('  4. python src/main.py assistant ask "Is there parking?" --listing 12345')
    return 0


# -- helpers -------------------------------------------------------------------------------------------------


def _loaded(settings: AssistantSettings) -> Knowledge:
    agents = load_agents(settings.assistant_agents_dir)
    return load(settings.assistant_knowledge_dir, agents.names)


def _of_all(knowledge: Knowledge, stage: Stage) -> tuple[Fact, ...]:
    """What may be told at this stage today, of every listing."""
    facts = (fact for document in knowledge.documents for fact in document.facts)
    return tuple(one for one in facts if may_be_told(one.audience, stage) and is_valid_on(one, _today()))


def _today() -> date:
    return date.today()  # noqa: DTZ011 (the host's own day, as files are written by hand)


def _row(document: Document) -> dict[str, object]:
    terms = document.terms
    audiences = {fact.audience for fact in document.facts} or {terms.audience}
    listings = sorted({one for ids in document.fact_listings for one in ids})
    ended = all(fact.valid_until is not None and fact.valid_until < _today() for fact in document.facts)
    return {
        "path": document.path,
        "title": document.title,
        "listing": ", ".join(listings) or None,
        "agent": terms.agent,
        "audience": ", ".join(sorted(audiences)),
        "valid_until": str(terms.valid_until) if terms.valid_until else None,
        "state": "expired" if document.facts and ended else "valid",
        "facts": len(document.facts),
    }


def _until(row: dict[str, object]) -> str:
    return ", expired" if row["state"] == "expired" else ""


def _listings(knowledge: Knowledge) -> str:
    return ", ".join(f"{one.id} ({one.name or one.folder})" for one in knowledge.listings) or "none"


def _line(finding: Finding) -> str:
    return f"{finding.place}: {finding.level.value}: {finding.text}"


def _as_json(findings: tuple[Finding, ...]) -> list[dict[str, object]]:
    return [
        {"path": one.path, "line": one.line, "level": one.level.value, "text": one.text} for one in findings
    ]


def _refuse(text: str) -> int:
    sys.stderr.write(f"{text}\n")
    return 1
