"""The looks at a request that are no model's, put together: rules, gate, search, holding texts."""

from __future__ import annotations

from collections.abc import Sequence

from src.assistant.embeddings import Vectors, make_embedder, make_reranker
from src.assistant.gate import GateContext, GateDraft, GateFinding, inspect
from src.assistant.holding import Holding, load_holding
from src.assistant.parts import Around, Drafted, Parts
from src.assistant.prompting import instructions
from src.assistant.retrieve import Chosen, Query, Search
from src.assistant.rules import find_classes, is_closing
from src.assistant.secrets import placeholders
from src.assistant.values import Fact
from src.assistant_settings import AssistantSettings


def make_search(settings: AssistantSettings) -> Search:
    """The search as it is configured. SettingsError if a local model is asked for and not installed."""
    embedder = make_embedder(settings)
    return Search(Vectors(embedder) if embedder else None, make_reranker(settings))


def make_parts(settings: AssistantSettings, search: Search) -> Parts:
    """As the product ships them."""

    async def choose(facts: Sequence[Fact], queries: Sequence[Query]) -> Chosen:
        return await search.choose(
            facts,
            queries,
            whole_tokens=settings.assistant_whole_tokens,
            initial=settings.rag_initial_results,
            final=settings.rag_final_results,
        )

    def holding() -> Holding:
        return load_holding(
            settings.assistant_agents_dir
        )  # read again each time: it is short, and the host edits it

    return Parts(
        find_classes=lambda text, language: [hit.hard_class for hit in find_classes(text, language)],
        is_closing=is_closing,
        inspect=_inspect,
        choose=choose,
        holding_text=lambda *about: holding().text_for(*about),
        is_holding_text=lambda text: holding().is_one(text),
        disclosure=lambda language: holding().disclosure(language),
    )


def _inspect(draft: Drafted, around: Around) -> GateFinding | None:
    run, burst, listing = around.run, around.run.burst, around.run.listing
    others = (one.name for one in run.knowledge.listings if one is not listing and one.name)
    return inspect(
        GateDraft(draft.message, draft.sources, draft.missing, draft.promises, draft.language),
        GateContext(
            cited=around.cited,
            today=run.local_now.date(),
            stay=burst.stay,
            hours=(f"{listing.check_in:%H:%M}", f"{listing.check_out:%H:%M}") if listing else (),
            guest_text=burst.text,
            history=burst.history,
            secrets=run.knowledge.secrets_of(burst.listing_id),
            placeholders=placeholders(listing, burst.stay, run.now),
            canary=around.canary,
            nonce=around.nonce,
            instructions="\n".join(instructions(step) for step in ("triage", "draft", "check")),
            other_listings=tuple(name for name in others if not listing or name != listing.name),
            contradicting=bool(run.knowledge.contradicting([fact.id for fact in around.cited])),
        ),
    )
