"""The variables of the built-in assistant, and of the search in its knowledge. Read with all the others.

They stand beside ``settings.py`` because the core asks one thing of them: is a model configured? All else of
them is for ``src/assistant`` alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from src.setting_types import HeaderValue, Hours, Seconds, http_url, is_loopback, lower
from src.variables import Variables, variable

OPENROUTER = "https://openrouter.ai/api/v1"
"""The default service. Its reference (openrouter.ai/docs) says what is sent only there."""

ANSWERABLE_CLASSES = ("price", "booking", "guests")
"""The hard classes that a host may give to the model, where the facts state the rule."""

_AT = "@http"  # a model's own name may hold an @, an address begins with http


def _base_url(text: str) -> str:
    return http_url(text).rstrip("/")


def _models(text: str) -> str:
    for one in _parts(text):
        name, at, rest = one.partition(_AT)
        if not name.strip():
            raise ValueError("names no model before an @; write model or model@https://host/v1")
        if at:
            http_url(f"http{rest}")
    return text


def _classes(text: str) -> str:
    for one in _parts(text):
        if one not in ANSWERABLE_CLASSES:
            raise ValueError(
                f"may hold {', '.join(ANSWERABLE_CLASSES)} only; other subjects are for a person"
            )
    return text


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


Share = Annotated[float, Field(allow_inf_nan=False, ge=0, le=1)]
Url = Annotated[str, AfterValidator(_base_url)]
OptionalUrl = Annotated[str, AfterValidator(lambda text: text and _base_url(text))]


@dataclass(frozen=True, slots=True)
class ModelAddress:
    """One model at one service. ``key`` is None where the service asks for none."""

    name: str
    base_url: str
    key: SecretStr | None


class AssistantSettings(Variables):
    """The built-in assistant. It is there if a model is configured: see ``configured``."""

    assistant_api_key: HeaderValue | None = variable(
        None, "key of the model service that writes the answers (any that speaks OpenAI's wire)", "a secret"
    )
    openrouter_api_key: HeaderValue | None = variable(
        None, "taken where ASSISTANT_API_KEY is not set and the service is OpenRouter", "a secret"
    )
    assistant_base_url: Url = variable(
        OPENROUTER,
        "the model service; on this machine (llama.cpp, Ollama, vLLM) no key is needed",
        "an address",
    )
    assistant_model: str = variable(
        "", "the model that writes the drafts", "a model's name", shown="openrouter/auto at OpenRouter"
    )
    assistant_fallback_models: Annotated[str, AfterValidator(_models)] = variable(
        "",
        "tried in this order when the first does not answer; model@address for another service",
        "names with commas between",
        shown="none",
    )
    assistant_fallback_api_key: HeaderValue | None = variable(
        None, "key of the other services in ASSISTANT_FALLBACK_MODELS", "a secret"
    )
    assistant_triage_model: str = variable(
        "", "the model that sorts a guest's message; a small one will do", "a model's name", shown="the model"
    )
    assistant_check_model: str = variable(
        "",
        "the model that looks at the draft; best a different one",
        "a model's name",
        shown="the model",
    )
    assistant_timeout_sec: Seconds = variable(30.0, "longest wait for one call of a model", "seconds", gt=0)
    assistant_deadline_sec: Seconds = variable(
        120.0, "longest time for all calls of one answer", "seconds", gt=0, lt=180
    )
    assistant_tokens_day: Annotated[int, Field(ge=0, le=10**12)] = variable(
        1_000_000, "tokens a day (UTC); above it no model is asked and a person answers", "tokens"
    )
    assistant_knowledge_dir: Path = variable(
        Path("./knowledge"), "what the assistant knows: your files", "a folder"
    )
    assistant_agents_dir: Path = variable(
        Path("./agents"), "the assistant's voices and your holding texts", "a folder"
    )
    assistant_whole_tokens: Annotated[int, Field(ge=0, le=1_000_000)] = variable(
        8000, "up to here all facts are given to the model, above it the best ones", "tokens"
    )
    assistant_embeddings: str = variable(
        "auto",
        "search by meaning: auto (local if installed), off, local, or a model's name",
        "auto, off, local or a model's name",
    )
    assistant_embeddings_url: OptionalUrl = variable(
        "", "the service of that model", "an address", shown="ASSISTANT_BASE_URL"
    )
    assistant_embeddings_api_key: HeaderValue | None = variable(
        None, "its key", "a secret", shown="ASSISTANT_API_KEY"
    )
    assistant_rerank: str = variable(
        "off", "the model that sorts what the search found, or off", "off or a model's name"
    )
    assistant_rerank_url: OptionalUrl = variable(
        "", "the service of that model (it speaks Cohere's wire)", "an address", shown="none"
    )
    cohere_api_key: HeaderValue | None = variable(None, "its key", "a secret")
    rag_initial_results: Annotated[int, Field(ge=1, le=1000)] = variable(
        20, "how many facts are found before they are reranked", "facts"
    )
    rag_final_results: Annotated[int, Field(ge=1, le=1000)] = variable(
        8, "how many facts the model is given", "facts"
    )
    assistant_send_from: Share = variable(0.8, "an answer this sure may be sent by itself", "0 to 1")
    assistant_draft_from: Share = variable(
        0.5, "from here on it waits for you as a draft; below, a person answers", "0 to 1"
    )
    assistant_answer_classes: Annotated[str, BeforeValidator(lower), AfterValidator(_classes)] = variable(
        "",
        "hard subjects whose rule the assistant may tell if your facts state it",
        "of price,booking,guests",
        shown="none",
    )
    assistant_disclosure: Annotated[Literal["first", "always", "off"], BeforeValidator(lower)] = variable(
        "first", "where it is said that the reply is automatic: in a conversation's first, or each",
        "first, always or off",
    )  # fmt: skip
    assistant_holding_hours: Hours = variable(
        12.0, "at most one holding text to a guest in this time", "hours", gt=0
    )
    assistant_inquiry_holding_hours: Hours = variable(
        22.0, "an inquiry that nobody answered gets the holding text after this long", "hours", gt=0
    )

    @property
    def api_key(self) -> SecretStr | None:
        """The key of the main service, whichever variable gave it. OpenRouter's own is sent to nobody else."""
        at_openrouter = self.assistant_base_url == OPENROUTER
        return self.assistant_api_key or (self.openrouter_api_key if at_openrouter else None)

    @property
    def is_local(self) -> bool:
        """The model service is on this machine."""
        return is_loopback(urlsplit(self.assistant_base_url).hostname or "")

    @property
    def configured(self) -> bool:
        """Whether there is a model to ask: a key, or a server on this machine."""
        return self.api_key is not None or self.is_local

    @property
    def model(self) -> str:
        """The main model's name, '' if none is known."""
        return self.assistant_model or ("openrouter/auto" if self.assistant_base_url == OPENROUTER else "")

    @property
    def answer_classes(self) -> frozenset[str]:
        """The hard classes that the host gives to the model."""
        return frozenset(_parts(self.assistant_answer_classes))

    def ladder(self, first: str = "") -> tuple[ModelAddress, ...]:
        """The models in the order in which they are asked. ``first`` takes the main model's place."""
        rungs = [ModelAddress(first or self.model, self.assistant_base_url, self.api_key)]
        if first and first != self.model:
            rungs.append(ModelAddress(self.model, self.assistant_base_url, self.api_key))
        for one in _parts(self.assistant_fallback_models):
            name, at, rest = one.partition(_AT)
            if at:
                address = f"http{rest}".rstrip("/")
                own = address == self.assistant_base_url
                rungs.append(
                    ModelAddress(name, address, self.api_key if own else self._fallback_key(address))
                )
            else:
                rungs.append(ModelAddress(name, self.assistant_base_url, self.api_key))
        return tuple(dict.fromkeys(rungs))

    def _fallback_key(self, address: str) -> SecretStr | None:
        return self.assistant_fallback_api_key or (self.openrouter_api_key if address == OPENROUTER else None)

    def contradictions(self) -> Iterator[str]:
        """What cannot be right together, a line each."""
        if self.assistant_base_url != OPENROUTER and not self.model:
            yield (
                "ASSISTANT_MODEL: is not set; write the name of the model that ASSISTANT_BASE_URL shall use"
            )
        if self.assistant_base_url != OPENROUTER and not self.configured:
            yield (
                "ASSISTANT_API_KEY: is not set although ASSISTANT_BASE_URL is another machine; "
                "write its key (any word, if it asks for none)"
            )
        if self.assistant_draft_from > self.assistant_send_from:
            yield (
                f"ASSISTANT_DRAFT_FROM: {self.assistant_draft_from:g} is more than ASSISTANT_SEND_FROM "
                f"({self.assistant_send_from:g}); make it at most as much"
            )
        if self.assistant_deadline_sec < self.assistant_timeout_sec:
            yield (
                f"ASSISTANT_DEADLINE_SEC: {self.assistant_deadline_sec:g} is less than ASSISTANT_TIMEOUT_SEC "
                f"({self.assistant_timeout_sec:g}); make it at least as long"
            )
        if self.rag_final_results > self.rag_initial_results:
            yield (
                f"RAG_FINAL_RESULTS: {self.rag_final_results} is more than RAG_INITIAL_RESULTS "
                f"({self.rag_initial_results}); make it at most as many"
            )
        if self.assistant_rerank != "off" and not self.assistant_rerank_url:
            yield "ASSISTANT_RERANK_URL: is not set although ASSISTANT_RERANK names a model; write its address"

    def secret_values(self) -> list[str]:
        """What must never be printed."""
        keys = (
            self.assistant_api_key,
            self.openrouter_api_key,
            self.assistant_fallback_api_key,
            self.assistant_embeddings_api_key,
            self.cohere_api_key,
        )
        return [key.get_secret_value() for key in keys if key]
