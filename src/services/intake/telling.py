"""What taking in has done is told: who asks the AI is woken, the log has a line of each thing."""

from __future__ import annotations

from loguru import logger

from src.db.wakeup import Wakeup
from src.services.intake.context import Intake


def tell(intake: Intake, wakeup: Wakeup, *, personal_ids: bool = False) -> None:
    """Wake who asks the AI, if there is something new to ask; one log line for each thing that taking in has done.

    None for nothing; ids only, never a text or a name. ``personal_ids``: a conversation's id is a person's number
    or address, so our own id of it stands in the log.
    """
    if intake.queued is not None:
        wakeup.notify("inbox")
    name = intake.conversation.id if personal_ids else intake.conversation.external_id
    log = logger.bind(conversation_id=name)
    if intake.host_wrote:
        log.info("Host wrote in {}; the AI keeps quiet there for a while", name)
    for request in intake.cancelled_requests:
        log.info("Request {} cancelled: {}", request.id, request.reason)
    for job in intake.cancelled_replies:
        log.info("Reply {} cancelled: {}", job.id, job.reason)
    for job in intake.settled:
        log.info("Reply {} is in its conversation: sent", job.id)
    if intake.queued is not None:
        verb = "joined" if intake.extended else "queued as"
        log.info("Guest message in {} {} request {}", name, verb, intake.queued.id)
    if intake.escalated is not None:
        log.warning("Guest message in {} waits for a person: {}", name, intake.escalated)
