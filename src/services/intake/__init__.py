"""Taking in what was seen of a conversation: one transaction stores it, queues it and cancels what it overtakes.

SYNC calls it for what the list and an opened conversation show, SEND for what it sees before and after the press.
So the same rules decide everywhere, and a message is stored together with its place in ``queue_inbox``.
"""

from src.services.intake.context import Intake, Rules
from src.services.intake.taking import take_in, take_in_now

__all__ = ["Intake", "Rules", "take_in", "take_in_now"]
