"""Taking in what was seen of a conversation: one transaction stores it, queues it and cancels what it overtakes.

SYNC calls it for what the list and an opened conversation show, SEND for what it sees before and after the press.
What a channel is told by HTTP is put among what is stored first (``merging.py``).
So the same rules decide everywhere, and a message is stored together with its place in ``queue_inbox``.
"""

from src.services.intake.context import Intake, Rules, StartRules
from src.services.intake.merging import LOOKED_AT, lock_and_look, stored_view, take_view
from src.services.intake.taking import take_in, take_in_now
from src.services.intake.telling import tell
from src.services.intake.viewer import check_viewer

__all__ = [
    "LOOKED_AT",
    "Intake",
    "Rules",
    "StartRules",
    "check_viewer",
    "lock_and_look",
    "stored_view",
    "take_in",
    "take_in_now",
    "take_view",
    "tell",
]
