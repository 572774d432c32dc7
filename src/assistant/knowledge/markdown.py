"""A Markdown file into facts: one a heading, long ones split at their paragraphs. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from markdown_it import MarkdownIt
from markdown_it.token import Token

from src.assistant.knowledge.documents import Document, DocumentDraft
from src.assistant.knowledge.front_matter import read_front_matter

LONGEST = 1200
"""Characters of one fact; what is longer is split between paragraphs, else between lines, else between words."""

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_HEADINGS_BETWEEN = " › "
_PARSER = MarkdownIt("commonmark").enable("table")


@dataclass(frozen=True, slots=True)
class _Section:
    headings: tuple[str, ...]  # from the outermost to its own; empty before the first one
    line: int
    paragraphs: tuple[str, ...]


def read_markdown(
    path: str, text: str, content_hash: str, *, folder: str | None, listing_id: str | None
) -> Document:
    """The document of a Markdown file. The lines of ``text`` end in a line feed.

    What stands before the first heading is a fact named after the title, else the file. A heading without text of
    its own is none. HTML comments are notes to oneself and are left out. Raises FileError.
    """
    terms, body, first_line = read_front_matter(text, listing_id)
    sections = list(_sections(body, first_line))
    draft = DocumentDraft(path, terms, folder)
    stem = PurePosixPath(path).stem
    title = terms.title or next((s.headings[0] for s in sections if s.headings), stem)
    for section in sections:
        headings = section.headings or (terms.title or stem,)
        for part in _split_long(section.paragraphs):
            heading = _HEADINGS_BETWEEN.join(headings)
            draft.add(headings[-1], headings[-1], f"{heading}\n{part}", section.line, terms)
    return draft.finished(title, content_hash)


def _sections(body: str, first_line: int) -> Iterator[_Section]:
    """The text below each heading, with the headings above it."""
    lines = _without_comments(body).split("\n")
    headings: list[tuple[int, str]] = []
    line, paragraphs = first_line, list[str]()
    tokens = _PARSER.parse("\n".join(lines))
    for i, token in enumerate(tokens):
        if token.level != 0 or token.map is None:
            continue
        begin, end = token.map
        if token.type == "heading_open":
            if paragraphs:
                yield _Section(tuple(text for _, text in headings), line, tuple(paragraphs))
            depth = int(token.tag[1:])
            headings = [*(one for one in headings if one[0] < depth), (depth, _plain(tokens[i + 1]))]
            line, paragraphs = first_line + begin, []
        elif token.nesting >= 0 and token.type != "hr":
            block = "\n".join(one.rstrip() for one in lines[begin:end]).strip("\n")
            paragraphs += [block] if block.strip() else []
    if paragraphs:
        yield _Section(tuple(text for _, text in headings), line, tuple(paragraphs))


def _without_comments(body: str) -> str:
    """The same lines, with the comments blanked."""
    return _COMMENT.sub(lambda comment: "\n" * comment.group().count("\n"), body)


def _plain(inline: Token) -> str:
    """A heading's words without their marks."""
    parts = (child.content or " " * (child.type == "softbreak") for child in inline.children or [])
    return " ".join("".join(parts).split()) or inline.content.strip()


def _split_long(paragraphs: tuple[str, ...]) -> Iterator[str]:
    """Pieces of at most ``LONGEST`` characters, split where it hurts least."""
    piece = ""
    for paragraph in paragraphs:
        for part in _fitting(paragraph):
            joined = f"{piece}\n\n{part}" if piece else part
            if len(joined) <= LONGEST:
                piece = joined
            else:
                yield piece
                piece = part
    if piece:
        yield piece


def _fitting(paragraph: str) -> Iterator[str]:
    rest = paragraph
    while len(rest) > LONGEST:
        cut = max(rest.rfind("\n", 1, LONGEST), 0) or max(rest.rfind(" ", 1, LONGEST), 0) or LONGEST
        yield rest[:cut].rstrip()
        rest = rest[cut:].lstrip()
    if rest:
        yield rest
