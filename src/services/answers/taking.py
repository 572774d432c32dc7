"""The transaction that takes an answer in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from src.account import Account
from src.db.engine import Database
from src.db.wakeup import Wakeup
from src.model.answer import Answer, Outcome
from src.model.blank import is_blank
from src.model.retry import again_if_stale
from src.model.secrets import NO_SECRETS, Secrets
from src.services.answers.context import AnswerContext, IsConversationId
from src.services.answers.settling import accounts_that_could_be_meant, settle
from src.services.refusals import Conflict, Malformed
from src.services.texts import LONGEST_REASON, clean_message, clean_text


def take_answer(
    db: Database,
    wakeup: Wakeup,
    answer: Answer,
    *,
    accounts: Mapping[str, Account],
    now: datetime,
    is_conversation_id: IsConversationId,
    secrets: Secrets = NO_SECRETS,
) -> Outcome:
    """Settle an answer and wake the SEND worker. Repeatable: the first answer to a request stands.

    Raises ``Malformed`` (nothing happened), ``Conflict`` (not wanted any more; nothing was enqueued) and
    ``TransientError`` (the database; nothing happened, or it did and repeating it is safe).
    """
    answer = _checked(answer)
    context = AnswerContext(wakeup, accounts, is_conversation_id, now, secrets)
    if answer.request_id is None:
        accounts_that_could_be_meant(context, answer)

    def settle_now() -> Outcome | Conflict:
        with db.write() as conn:
            return settle(conn, context, answer)

    settled = again_if_stale(settle_now)
    if isinstance(settled, Conflict):  # raised only here, so that an expiry that was found is committed
        raise settled
    return settled


def _checked(answer: Answer) -> Answer:
    answer = replace(
        answer,
        reason=clean_text("reason", answer.reason or "", LONGEST_REASON) or None,
        hold=clean_text("hold", answer.hold or "", LONGEST_REASON) or None,
    )
    if answer.action is not None:
        if not is_blank(answer.message):
            raise Malformed("action", "comes with a message; send one of them")
        holding, draft = answer.holding_message, answer.draft
        return replace(
            answer,
            message=None,
            holding_message=clean_message(holding, "holding_message") if holding else None,
            draft=clean_message(draft, "draft") if draft else None,
        )
    if answer.message is None:
        raise Malformed("message", "is missing")
    parts = tuple(clean_message(part, "messages") for part in answer.parts if not is_blank(part))
    # Beside an answer that goes out, a holding text would be a second bubble that says less.
    holding = answer.holding_message if answer.hold and not is_blank(answer.holding_message) else None
    return replace(
        answer,
        message=clean_message(answer.message),
        parts=parts,
        holding_message=clean_message(holding, "holding_message") if holding else None,
    )
