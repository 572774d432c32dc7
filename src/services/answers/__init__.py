"""An answer of the AI, by the callback or in the response to the webhook, becomes a reply in the outbox.

    token ─▶ its request ───────────────────┬─ open ──────────▶ answered + job | escalated | ignored
    no token ─▶ the conversation's request ─┘─ final ─────────▶ the same again: as before; else Conflict
                └─ it never had one ─────────────────────────▶ a job without request

One transaction: the request is closed if and only if its reply is in the outbox.
"""

from src.services.answers.context import IsConversationId
from src.services.answers.taking import take_answer

__all__ = ["IsConversationId", "take_answer"]
