"""Brings src/locale/*.po in line with what the code and the templates say: python scripts/update_catalogues.py

New sentences come in without a translation, those that nobody says any more go out, translations stay. With
``--check`` nothing is written, and the exit code is 1 if a catalogue is behind.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "src" / "locale"
METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2.ext:babel_extract")]
KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "_": None,
    "sentence": None,
    "say": None,
    "gettext": None,
    "n_": (1, 2),
    "say_many": (1, 2),
    "ngettext": (1, 2),
}


def said() -> Catalog:
    """Every sentence of the product that is there in several languages."""
    found = Catalog(charset="utf-8")
    options = {"jinja2.ext:babel_extract": {"trimmed": "true", "silent": "false"}}
    for _, _, text, _, _ in extract_from_dir(
        ROOT / "src",
        METHODS,
        {pattern: options.get(method, {}) for pattern, method in METHODS},
        keywords=KEYWORDS,
    ):
        if text:
            found.add(text)
    return found


def updated(path: Path, template: Catalog) -> bytes:
    """The catalogue as it should be. Its header stays as it is."""
    with path.open("rb") as file:
        known = read_po(file, locale=path.stem)
    fresh = Catalog(locale=path.stem, charset="utf-8", fuzzy=False, header_comment="")
    for message in template:
        if message.id:
            old = known.get(message.id if isinstance(message.id, str) else message.id[0])
            fresh.add(message.id, old.string if old is not None else None)
    body = io.BytesIO()
    write_po(body, fresh, width=110, omit_header=True, sort_output=True)
    plural = f"nplurals={fresh.num_plurals}; plural={fresh.plural_expr};"
    head = (
        'msgid ""\nmsgstr ""\n'
        '"Content-Type: text/plain; charset=UTF-8\\n"\n'
        f'"Language: {path.stem}\\n"\n'
        f'"Plural-Forms: {plural}\\n"\n\n'
    )
    return head.encode() + body.getvalue()


def main() -> int:
    template, behind = said(), False
    for path in sorted(FOLDER.glob("*.po")):
        fresh = updated(path, template)
        if fresh != path.read_bytes():
            behind = True
            print(f"{path.relative_to(ROOT)} {'is behind' if '--check' in sys.argv else 'updated'}")
            if "--check" not in sys.argv:
                path.write_bytes(fresh)
    return int(behind and "--check" in sys.argv)


if __name__ == "__main__":
    sys.exit(main())
