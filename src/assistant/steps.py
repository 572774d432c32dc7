"""The steps of confidence that hold: set by the host, or fitted to the host's record."""

from __future__ import annotations

from collections.abc import Sequence

from src.assistant_settings import AssistantSettings
from src.model.confidence_steps import JudgedDraft, Steps, fit_steps


def given_steps(settings: AssistantSettings) -> Steps:
    """Those that are set, or the defaults."""
    return Steps(settings.assistant_draft_from, settings.assistant_send_from)


def steps_for(settings: AssistantSettings, judged: Sequence[JudgedDraft]) -> Steps:
    """Those for a host whose newest judged drafts are these. A step that the host has set stays."""
    given = given_steps(settings)
    fitted = fit_steps(judged, given)
    return Steps(
        given.draft_from if "assistant_draft_from" in settings.model_fields_set else fitted.draft_from,
        given.send_from if "assistant_send_from" in settings.model_fields_set else fitted.send_from,
    )
