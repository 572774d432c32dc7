"""The host's knowledge: a folder of files, read into facts that a guest may be told.

    load(folder) ──▶ Knowledge ──▶ facts_for(listing, stage, day)     what this guest may be told today
                        │          listing(id)                        times, calendar, secrets
                        └─────────▶ check(day)                        what is wrong with the files

``load`` reads files and nothing else. ``LiveFolder`` keeps what was read up to date while the program runs.
"""

from src.assistant.knowledge.documents import Contradiction, Document, Finding, Kind, Level, may_be_told
from src.assistant.knowledge.live import LiveFolder
from src.assistant.knowledge.loading import Knowledge, load

__all__ = [
    "Contradiction",
    "Document",
    "Finding",
    "Kind",
    "Knowledge",
    "Level",
    "LiveFolder",
    "load",
    "may_be_told",
]
