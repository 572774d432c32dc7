"""A CSV file into facts: one a row. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath

from src.assistant.knowledge.documents import (
    Document,
    DocumentDraft,
    FileError,
    Terms,
    check_days,
    read_audience,
    read_day,
    read_language,
    unknown_key,
)
from src.languages import sentence as _

COLUMNS = (
    "topic",
    "question",
    "answer",
    "listing",
    "audience",
    "agent",
    "language",
    "valid_from",
    "valid_until",
)
_SEPARATORS = (",", ";", "\t")  # spreadsheets of many countries write the second


def read_table(
    path: str, text: str, content_hash: str, *, folder: str | None, listing_id: str | None
) -> Document:
    """The document of a CSV file: a header, then one fact a row. Rows without any text are passed over.

    ``answer`` and one of ``topic`` and ``question`` are needed. Raises FileError with the line.
    """
    own = Terms(listings=(listing_id,) if listing_id else ())
    draft = DocumentDraft(path, own, folder)
    header_line = text.split("\n", 1)[0]
    separator = max(_SEPARATORS, key=header_line.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    before = 0
    try:
        columns = _columns(next(rows, []))
        before = rows.line_num
        for cells in rows:
            line, before = before + 1, rows.line_num
            if any(cell.strip() for cell in cells):
                _add_row(draft, own, columns, cells, line)
    except csv.Error:
        raise FileError(
            _('the row cannot be read; a text with " or a line end in it stands between " "'), before + 1
        ) from None
    return draft.finished(PurePosixPath(path).stem, content_hash)


def _columns(header: list[str]) -> list[str]:
    columns = [cell.strip().lower() for cell in header]
    for name in columns:
        if name not in COLUMNS:
            raise unknown_key(name, COLUMNS, 1)
    if len(set(columns)) < len(columns):
        raise FileError(_("a column stands twice in the header"), 1)
    if "answer" not in columns or not {"topic", "question"} & set(columns):
        raise FileError(_("the first line must name the columns: answer, and topic or question"), 1)
    return columns


def _add_row(draft: DocumentDraft, own: Terms, columns: list[str], cells: list[str], line: int) -> None:
    if len(cells) > len(columns) and any(cell.strip() for cell in cells[len(columns) :]):
        raise FileError(
            _('the row has more cells than the header; put a text with a comma between " "'), line
        )
    row = {name: cell.strip() for name, cell in zip(columns, cells, strict=False)}
    question, topic, answer = (row.get(name, "") for name in ("question", "topic", "answer"))
    if not answer or not (topic or question):
        raise FileError(_("the row needs an answer, and a topic or a question"), line)
    try:
        terms = _terms(own, row)
    except FileError as error:
        raise error.at(line) from None
    title = topic or question
    draft.add(title, title, f"{question or topic}\n{answer}", line, terms)


def _terms(own: Terms, row: Mapping[str, str]) -> Terms:
    terms = own
    if listing := row.get("listing"):
        if own.listings and own.listings != (listing,):
            raise FileError(
                _("listing is %(given)s, but by its place this file is for %(listing)s"),
                given=listing,
                listing=own.listings[0],
            )
        terms = replace(terms, listings=(listing,))
    if audience := row.get("audience"):
        terms = replace(terms, audience=read_audience(audience))
    if agent := row.get("agent"):
        terms = replace(terms, agent=agent)
    if language := row.get("language"):
        terms = replace(terms, language=read_language(language))
    if valid_from := row.get("valid_from"):
        terms = replace(terms, valid_from=read_day("valid_from", valid_from))
    if valid_until := row.get("valid_until"):
        terms = replace(terms, valid_until=read_day("valid_until", valid_until))
    return check_days(terms)
