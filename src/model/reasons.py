"""The reasons that the product itself gives for where a request or a reply is. Any other is somebody's words."""

from __future__ import annotations

from src.model.autonomy import NEEDS_APPROVAL
from src.model.caps import HoldReason
from src.model.disclosure import DENIES_BEING_AI
from src.model.gate import Refusal
from src.model.statuses import CancelReason

PURGED = "purged"
"""In the place of somebody's own words, once they were taken out."""
_OF_THE_ASSISTANT = (
    *("safety", "medical", "access", "refund", "payment", "legal", "discrimination", "complaint", "damage"),
    *("price", "booking", "guests", "offplatform", "person", "missing_fact"),
    *("model_busy", "model_down", "model_key_refused", "model_refused", "model_slow", "model_unknown"),
    *("model_unreadable", "over_budget", "low_confidence", "not_text", "too_late", "two_machines", "closing"),
    *(
        "not_plain",
        "secret_in_text",
        "contact",
        "number_not_in_facts",
        "promise",
        "no_source",
        "contradiction",
    ),
    *("language", "other_listing", "same_again", "echo", "prompt_leak", "not_gated", "not_checked"),
    *("check_says_hold", "not_supported", "not_all_answered", "tone", "instructions_in_text"),
    "with_an_escalation",
)
"""Fixed words of the built-in assistant, none of a model or a guest."""
OUR_REASONS = frozenset(
    {
        *map(str, CancelReason),
        *map(str, HoldReason),
        *map(str, Refusal),
        *("approval_required", NEEDS_APPROVAL, "composer_busy", "mode_off", "reply_mode_off"),
        *("no_proof", "no_composer", "could_not_be_sent", "no_such_conversation", "failed", "too_large"),
        *(DENIES_BEING_AI, "earlier_part_missing", "start_too_old", "no_subject", "approval_taken_back"),
        *("undeliverable", "window_closed", "quality_limit", "media_gone", "cannot_transcribe"),
        *("too_long", "held_by_ai", "secret_not_due", "unknown_placeholder"),
        *("no_answer_in_time", "not_accepted_in_time", "escalated_by_ai", "no_answer_needed"),
        *("words_not_sent", "cannot_be_opened", "crossed_our_reply", "replaced", PURGED),
        *_OF_THE_ASSISTANT,
    }
)
"""One that is missing here is taken for words and purged in time: rather a reason too few than a word too many."""
