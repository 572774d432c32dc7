"""The host of the demo, who answers what the assistant does not know: through the operator's API, as from a phone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx


class SandboxHost:
    """Knows some answers, by a word of the question."""

    def __init__(self, api_url: str, answers: Mapping[str, str]) -> None:
        self._api_url = api_url
        self._answers = answers
        self.kept: dict[str, str] = {}
        """What was answered: the fact that it became, by the question."""

    def answer_missing_facts(self) -> None:
        """Answer every open question whose word is known. Blocking; an API that is not there yet is let be."""
        with httpx.Client(base_url=self._api_url, timeout=10, trust_env=False) as api:
            try:
                found: list[dict[str, Any]] = api.get("/api/missing-facts").json()["missing_facts"]
            except (httpx.HTTPError, KeyError):
                return
            for fact in found:
                answer = next(
                    (said for word, said in self._answers.items() if word in fact["question"]), None
                )
                if answer is None:
                    continue
                done = api.post(
                    f"/api/missing-facts/{fact['id']}/answer", json={"answer": answer, "scope": "all"}
                )
                if done.status_code == 200:
                    self.kept[fact["question"]] = done.json()["missing_fact"]["path"]
