"""Texts that show nothing to the person who reads them, however many characters they have. Pure."""

from __future__ import annotations

import unicodedata
from itertools import chain

_NOTHING_TO_SEE = {"Cc", "Cf", "Zl", "Zp", "Zs"}
"""Categories: controls, formats, and every kind of space."""

# The rest of Unicode's property Default_Ignorable_Code_Point (DerivedCoreProperties.txt, Unicode 16): fonts and
# browsers draw nothing there. They are letters and marks by their category, so the category does not show it.
_IGNORABLE = (
    (0x034F, 0x034F),  # combining grapheme joiner
    (0x115F, 0x1160),  # Hangul fillers
    (0x17B4, 0x17B5),  # Khmer inherent vowels
    (0x180B, 0x180F),  # Mongolian variation selectors
    (0x2060, 0x206F),
    (0x3164, 0x3164),  # Hangul filler
    (0xFE00, 0xFE0F),  # variation selectors
    (0xFFA0, 0xFFA0),  # half-width Hangul filler
    (0xFFF0, 0xFFF8),
    (0xE0000, 0xE0FFF),  # tags, more variation selectors
)
# Characters whose glyph is empty by definition (The Unicode Standard, code charts), and the place of an object that
# is not there.
_EMPTY_GLYPHS = (
    0x2800,  # Braille pattern without a dot
    0x16FE4,  # Khitan filler
    0x1D159,  # musical null note head
    0x13441,  # Egyptian full and half blank
    0x13442,
    0xFFFC,  # object replacement
)
_DRAWN_AS_NOTHING = frozenset(
    map(chr, chain(_EMPTY_GLYPHS, *(range(first, last + 1) for first, last in _IGNORABLE)))
)


def is_blank(text: str | None) -> bool:
    """Whether a reader would see nothing: no text, or only spaces and characters that are drawn as nothing."""
    return all(
        char in _DRAWN_AS_NOTHING or unicodedata.category(char) in _NOTHING_TO_SEE for char in text or ""
    )
