"""How a prompt is laid: what we say first, facts between marks, and what others wrote as JSON at the end. Pure.

    system   rules (fixed) · voice · <facts nonce> … </facts nonce> · stay and clock · examples · canary
    user     {"history": […], "guest_message": "…", "guest_name": "…"}

A guest cannot close a JSON string, and does not know the nonce. Parts that change from call to call stand last, so
that services can keep the long beginning: the nonce changes with the process, the day and the facts, the canary
with each call. Marking lowers the rate of obeyed orders; the wall is the gate (``gate.py``).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from string import Template

from src.assistant.values import Fact, Turn

_PROMPTS = Path(__file__).parent / "prompts"
_PROCESS_KEY = secrets.token_bytes(16)
_TURNS = 20
_LONGEST_TURN = 600
_LONGEST_MESSAGE = 4_000


@cache
def _template(name: str) -> Template:
    return Template((_PROMPTS / f"{name}.md").read_text(encoding="utf-8").strip())


@cache
def prompt_version() -> str:
    """Changes when a prompt does; stands in every run."""
    digest = hashlib.sha256()
    for path in sorted(_PROMPTS.glob("*.md")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def lay(name: str, values: Mapping[str, str]) -> str:
    """The prompt of this name with all its places filled. What is filled in is not looked at again."""
    return _template(name).substitute(values)


def instructions(name: str) -> str:
    """The fixed text of a prompt: what an output must not repeat."""
    return _template(name).template


def make_canary() -> str:
    """A word that stands in one prompt and nowhere else."""
    return f"zq{secrets.token_hex(6)}"


def make_nonce(facts: Iterable[Fact], today: date) -> str:
    """The mark around the facts: the same for the same facts on a day in this process. Nobody can guess it."""
    content = "\n".join(f"{fact.id} {fact.text}" for fact in facts)
    return hmac.new(_PROCESS_KEY, f"{today} {content}".encode(), hashlib.sha256).hexdigest()[:10]


def lay_facts(facts: Sequence[Fact]) -> str:
    """Each fact with a short number of its own (f1, f2, …), in the order in which they are given."""
    lines = []
    for number, fact in enumerate(facts, 1):
        reviewed = f' reviewed="{fact.reviewed.isoformat()}"' if fact.reviewed else ""
        heading, text = _parted(fact)
        title = _without_marks(heading).replace('"', "'")
        named = f' title="{title}"' if title else ""
        lines.append(f'<fact id="f{number}"{reviewed}{named}>{_without_marks(text)}</fact>')
    return "\n".join(lines)


def _parted(fact: Fact) -> tuple[str, str]:
    """The headings above a fact, which are the first line of its text in Markdown files, and what it says."""
    first, _, rest = fact.text.partition("\n")
    if rest.strip() and first.strip().endswith(fact.title):
        return first.strip(), rest.strip()
    return fact.title.replace("\n", " "), fact.text


def cited(facts: Sequence[Fact], names: Iterable[str]) -> tuple[Fact, ...]:
    """The facts that a model names, by their short number or their whole id, each once. Other names are dropped."""
    by_name = {f"f{number}": fact for number, fact in enumerate(facts, 1)}
    by_name |= {fact.id: fact for fact in facts}
    found = [by_name[name.strip()] for name in names if name.strip() in by_name]
    return tuple(dict.fromkeys(found))


def lay_guest(text: str, name: str, history: Sequence[Turn]) -> str:
    """What others wrote, as one JSON object."""
    said = [{"role": turn.role, "text": turn.text[:_LONGEST_TURN]} for turn in history[-_TURNS:]]
    return json.dumps(
        {"history": said, "guest_message": text[:_LONGEST_MESSAGE], "guest_name": name}, ensure_ascii=False
    )


def _without_marks(text: str) -> str:
    """A fact cannot close the marks around it."""
    return text.replace("</", "< /").replace("<fact", "< fact").strip()
