"""Looks through files for what must never be in the repository, and says where it is.

    .venv/bin/python scripts/check_tracked_files.py            every file that git tracks or would add
    .venv/bin/python scripts/check_tracked_files.py FILE ...   these (the pre-commit hook)

Private: saved logins, cookies, keys, databases, logs. Foreign: addresses of package servers and paths of one
person's machine, which make a clone depend on a place it cannot see. Exit 1 if anything is found.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).resolve().parent.parent
LARGEST_FILE = 2_000_000


def in_pieces(*pieces: str) -> str:
    """A pattern for a text that this file itself must not contain."""
    return re.escape("".join(pieces))


class Rule(NamedTuple):
    """One thing that must not be there. ``exempt`` matches the paths where it may be after all."""

    why: str
    pattern: re.Pattern[str]
    exempt: re.Pattern[str] = re.compile(r"(?!)")


PACKAGE_SERVERS = (
    in_pieces("py", "pi.org"),
    in_pieces("python", "hosted.org"),
    in_pieces("npm", "js.org"),
    in_pieces("npm", "js.com"),
    in_pieces("yarn", "pkg.com"),
    in_pieces("deb.", "debian.org"),
    in_pieces("security.", "debian.org"),
    in_pieces("archive.", "ubuntu.com"),
    in_pieces("extra-ind", "ex-url"),
    in_pieces("--ind", "ex-url"),
)
LOGIN_COOKIES = r"_airbed_session_id|_aat|_aaj|_csrf_token|_user_attributes|auth_jitney_session_id"

CONTENT_RULES = (
    Rule("the address of a package server", re.compile("|".join(PACKAGE_SERVERS), re.IGNORECASE)),
    Rule(
        "a path of one person's machine",
        re.compile(
            "|".join(
                (
                    in_pieces("/wo", "rk/") + r"(?:main|shared|steering|\.[a-z]+)\b",
                    r"(?<![\w./])" + in_pieces("/ho", "me/") + r"[a-z]",
                    r"(?<![\w./])" + in_pieces("/ro", "ot/"),
                    in_pieces("/Us", "ers/") + r"[A-Za-z]",
                )
            )
        ),
    ),
    Rule(
        "the value of a login cookie",
        re.compile(rf"({LOGIN_COOKIES})[\"']?\s*[=:]\s*[\"']?[\w%|.~+/-]{{24,}}"),
    ),
    Rule("a saved browser login", re.compile(r"\"httpOnly\"\s*:[^}]*\"sameSite\"", re.DOTALL)),
    Rule("a private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    Rule("a signing secret", re.compile(r"whsec_[A-Za-z0-9+/]{24,}"), exempt=re.compile(r"^tests/")),
    Rule(
        "a key of a service",
        re.compile(
            r"\b(sk-[A-Za-z0-9_-]{24,}|gh[pousr]_[A-Za-z0-9]{30,}|AKIA[A-Z0-9]{16}|xox[bp]-[\w-]{20,})"
        ),
    ),
    Rule(
        "a mail address that could be somebody's",
        re.compile(
            r"(?<![\w./+-])[\w.+-]+@(?!www\.)(?!(?:[\w-]+\.)*example\.(?:com|org|net)\b)(?![\w.-]*\.(?:example|invalid|test)\b)"
            r"[\w-]+(?:\.[\w-]+)*\.(?:com|org|net|fr|de|io|co|jp)\b"
        ),
    ),
)

NAME_RULES = (
    (re.compile(r"(^|/)\.env(?!\.example$)[^/]*$"), "a configuration with secrets in it"),
    (re.compile(r"^(session|data|logs)/(?!\.gitkeep$)"), "what the product writes while it runs"),
    (re.compile(r"\.(sqlite3?|db|har|pem|key|log)(-wal|-shm)?$"), "a database, a recording, a key or a log"),
    (re.compile(r"(^|/)(storage_?state|cookies)[^/]*\.json$"), "a saved browser login"),
    (
        re.compile(r"(^|/)(uv\.lock|poetry\.lock|pylock[^/]*\.toml|package-lock\.json|yarn\.lock)$"),
        "a lock file that names package servers",
    ),
)


def findings_in_name(path: str) -> Iterator[str]:
    for pattern, why in NAME_RULES:
        if pattern.search(path):
            yield f"{path}: {why}"


def findings_in_text(path: str, text: str) -> Iterator[str]:
    for rule in CONTENT_RULES:
        if rule.exempt.search(path):
            continue
        for match in rule.pattern.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            yield f"{path}:{line}: {rule.why}"


def findings(paths: Iterable[str], root: Path = ROOT) -> Iterator[str]:
    """One line for each thing found. The thing itself is not repeated: this ends up in logs."""
    for path in paths:
        yield from findings_in_name(path)
        file = root / path
        if not file.is_file():
            continue
        if file.stat().st_size > LARGEST_FILE:
            yield f"{path}: larger than {LARGEST_FILE // 1_000_000} MB"
            continue
        content = file.read_bytes()
        if content.startswith(b"SQLite format 3\0"):
            yield f"{path}: a database"
        elif b"\0" not in content:
            yield from findings_in_text(path, content.decode("utf-8", errors="replace"))


def files_of_the_repository(root: Path = ROOT) -> list[str]:
    """What git tracks, and what it would add: a new file is looked at before its first commit."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - the git of PATH
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    )
    return sorted(set(filter(None, listing.stdout.split("\0"))))


def main() -> int:
    try:
        paths = [str(PurePosixPath(name)) for name in sys.argv[1:]] or files_of_the_repository()
    except (OSError, subprocess.CalledProcessError):
        print("    not a git checkout: which files belong to the repository is not known")
        return 0
    found = list(findings(paths))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
