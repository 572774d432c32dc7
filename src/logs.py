"""Where log lines go, and what never gets into them.

    logger.info(…) ──▶ patcher: secrets and personal data out ──▶ app.log     everything, all processes
                                                             ├──▶ api.log     what is bound to part="api"
    stdlib logging (WARNING and up) ──▶ the same way         ├──▶ worker.log  the rest
                                                             └──▶ terminal    short lines for a person

One line an event, so that `grep` tells a story. Several processes write the same files: every line is written
under a lock of the operating system (concurrent-log-handler), also while a file is rotated away.
Text of guests never belongs into a line of INFO or above; log ids and lengths.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from concurrent_log_handler import ConcurrentRotatingFileHandler
from loguru import logger

if TYPE_CHECKING:
    from loguru import Message, Record

Part = Literal["api", "worker", "both"]

HIDDEN = "[hidden]"
MAX_BYTES = 10_000_000
KEEP = 7
_LONGEST_LINE = 4_000
_LONGEST_ERROR = 300
_LONGEST_CHAIN = 3
_TRIES_TO_LOCK = 5

# loguru's own tracebacks would print the values of variables; ours (below) print none.
_NO_VALUES: Any = {"backtrace": False, "diagnose": False, "catch": False}

_hidden_values: set[str] = set()
_handlers: list[logging.Handler] = []

_NAMES_OF_SECRETS = r"(?:api[-_ ]?key|token|secret|password|passwd|passcode|signature|session[-_]?id)"
_SHORTEST_SECRET = 4
_PHONE_LENGTH = range(8, 16)
_PHONE_GROUPS = 3

# In this order: what runs to the end of the line first. Each keeps the name and hides the value.
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?i)\b((?:set-)?cookies?\b[\"']?\s*[:=]\s*)[^\r\n]+"), rf"\1{HIDDEN}"),
    (re.compile(r"(?i)\b((?:proxy-)?authorization\b[\"']?\s*[:=]\s*[\"'(]?)[^\r\n\"',)}]+"), rf"\1{HIDDEN}"),
    (re.compile(r"(?i)\b((?:bearer|basic)\s+)[\w.~+/=-]{6,}"), rf"\1{HIDDEN}"),
    (re.compile(r"whsec_[A-Za-z0-9+/=_-]+"), HIDDEN),
    (re.compile(r"\bv1,[A-Za-z0-9+/=]{20,}"), HIDDEN),
    (re.compile(r"\b(?:sk|pk|rk)[-_][A-Za-z0-9_-]{12,}"), HIDDEN),
    (re.compile(rf"(?i)({_NAMES_OF_SECRETS}[\"']?\s*[:=]\s*[\"']?)[^\s\"'&,;)}}]+"), rf"\1{HIDDEN}"),
    (re.compile(r"(\w+://[^\s/:@]*:)[^\s/@]+(@)"), rf"\1{HIDDEN}\2"),
    (re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), "[e-mail]"),
)

_CODE_WORDS = r"(?:code|door|lock(?:box)?|key ?box|keypad|pin|wi-?fi|digicode|porte|boîte à clés|暗証番号)"
_CODE = r"(?<![\w.:-])\d{4,8}(?![\w:-])"
_CODES = (
    re.compile(rf"(?i)((?<![^\W_]){_CODE_WORDS}(?![^\W\d_])[^\d\n]{{0,24}}){_CODE}"),
    re.compile(rf"(?i)(){_CODE}(?=[^\d\n]{{0,24}}(?<![^\W_]){_CODE_WORDS}(?![^\W\d_]))"),
)
_PHONE = re.compile(
    r"(?<![\w.:/+-])(?:\+|\(\+?)?\d{1,5}(?:[ .()/-]{1,2}\d{1,5})*(?![\w:-])|(?<![\w.])\+\d{8,15}\b"
)
_NOT_A_PHONE = re.compile(r"\d{4}-\d\d-\d\d|\d{1,3}(?:\.\d{1,3}){3}(?!\d)|\d+(?:\.\d+)?$")
_LOCAL_PHONE = re.compile(r"(?<![\w.:/+-])0\d{8,10}(?![\w:.-])")


def hide(values: Iterable[str]) -> None:
    """Never print these values from now on, in any likely form. What is too short to mean anything is ignored."""
    for value in values:
        if len(value) >= _SHORTEST_SECRET:
            _hidden_values.update((value, quote(value, safe=""), repr(value)[1:-1]))


def redact(text: str) -> str:
    """The text without secrets, e-mail addresses, phone numbers and door codes. Pure but for ``hide``."""
    for value in sorted(_hidden_values, key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    for pattern in _CODES:
        text = pattern.sub(r"\1[code]", text)
    return _LOCAL_PHONE.sub("[phone]", _PHONE.sub(_hide_phone, text))


def _hide_phone(match: re.Match[str]) -> str:
    found = match.group()
    international = found.startswith(("+", "(+", "00"))
    grouped = len(re.findall(r"\d+", found)) >= _PHONE_GROUPS
    digits = sum(char.isdigit() for char in found)
    if digits not in _PHONE_LENGTH or _NOT_A_PHONE.match(found) or not (international or grouped):
        return found
    return "[phone]"


def safe_error(error: BaseException | None) -> str:
    """An exception as one short line that may be logged, stored and shown: its kind and first line, redacted.

    Only the first line: what follows it in the errors of databases and browsers quotes values and typed text.
    """
    if error is None:
        return "no error"
    first = next(iter(str(error).strip().splitlines()), "")
    return redact(f"{type(error).__name__}: {first}" if first else type(error).__name__)[:_LONGEST_ERROR]


def set_up_logs(
    log_dir: Path,
    part: Part,
    *,
    terminal: bool,
    secrets: Iterable[str] = (),
    as_json: bool = False,
    max_bytes: int = MAX_BYTES,
    keep: int = KEEP,
) -> None:
    """Send all log lines of this process to ``log_dir`` (made with mode 0700), and to the terminal if asked.

    ``part`` says what this process is: lines without ``logger.bind(part=…)`` of their own go to its file; for
    "both" that is the worker's. ``as_json`` (LOG_FORMAT): an object a line, for
    programs. Repeatable: a second call replaces the first. Raises ``OSError`` only if the
    folder cannot be made or written.
    """
    hide(secrets)
    log_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    log_dir.chmod(0o700)
    close_logs()
    logger.configure(extra={"part": "api" if part == "api" else "worker"}, patcher=_patch)
    line = _json_line if as_json else _line
    _add_file(log_dir / "app.log", None, line, max_bytes, keep)
    if part in ("api", "both"):
        _add_file(log_dir / "api.log", "api", line, max_bytes, keep)
    if part in ("worker", "both"):
        _add_file(log_dir / "worker.log", "worker", line, max_bytes, keep)
    if terminal:
        # The stream is looked up at each event: rich replaces it while something live is on the screen.
        logger.add(_to_terminal, level="INFO", format=_plain, **_NO_VALUES)
    _route_stdlib()


def close_logs() -> None:
    """Take all sinks away and close their files. Repeatable."""
    logger.remove()
    while _handlers:
        _handlers.pop().close()


class _File(ConcurrentRotatingFileHandler):
    """A rotating file for many processes. A full disk costs lines, never the program.

    Folder, file and lock file may be deleted while it is open: they are made again for the next line. The lock that
    counts is the one that lies in the folder now, because that is the one which the other processes find.
    """

    lost = 0
    failing = False
    """Whether the newest line could not be written."""

    def emit(self, record: logging.LogRecord) -> None:
        self.failing = False
        super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 (logging's own name)
        type(self).lost += 1
        self.failing = True
        # Else what could not be written would be tried again, in front of the next line.
        stream, self.stream = self.stream, None
        if stream is not None:
            with suppress(OSError, ValueError):
                stream.close()

    def _do_lock(self) -> None:
        for _ in range(_TRIES_TO_LOCK):
            with suppress(FileNotFoundError):
                super()._do_lock()
                if self._lock_lies_in_the_folder():
                    return
                self._let_go()
            Path(self.baseFilename).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        raise FileNotFoundError(errno.ENOENT, "the folder is deleted again and again", self.baseFilename)

    def _lock_lies_in_the_folder(self) -> bool:
        assert self.stream_lock is not None  # noqa: S101 - it is held
        try:
            return os.path.samestat(Path(self.lockFilename).stat(), os.fstat(self.stream_lock.fileno()))
        except OSError:
            return False

    def _let_go(self) -> None:
        lock = self.stream_lock
        self._do_unlock()
        if lock is not None:
            lock.close()
        self.stream_lock = None


def lost_lines() -> int:
    """How many lines could not be written since the start."""
    return _File.lost


def files_not_written() -> list[str]:
    """The names of the log files whose newest line could not be written by this process; none if all is well."""
    return [Path(one.baseFilename).name for one in _handlers if isinstance(one, _File) and one.failing]


def _add_file(path: Path, only: str | None, line: Callable[[Record], str], max_bytes: int, keep: int) -> None:
    handler = _File(str(path), maxBytes=max_bytes, backupCount=keep, encoding="utf-8", chmod=0o600)
    handler.setFormatter(logging.Formatter("%(message)s"))
    _handlers.append(handler)

    def write(message: Message) -> None:
        was_failing = handler.failing
        try:
            handler.emit(logging.makeLogRecord({"msg": line(message.record)}))
        except Exception:  # noqa: BLE001 (an error in logging must never stop the program)
            _File.lost += 1
            handler.failing = True
        if handler.failing and not was_failing:
            _say(f"warning: {path} cannot be written; log lines are lost until it can be")

    def wanted(record: Record) -> bool:
        return only is None or record["extra"].get("part") == only

    logger.add(write, level="INFO", format=_plain, filter=wanted, **_NO_VALUES)


def _plain(record: Record) -> str:  # noqa: ARG001
    """Loguru's own formatting does nothing here: the sinks read the record (and no text becomes a format)."""
    return ""


def _patch(record: Record) -> None:
    record["message"] = redact(record["message"])
    for name, value in record["extra"].items():
        if isinstance(value, str):
            record["extra"][name] = redact(value)


def _line(record: Record) -> str:
    """``time LEVEL part[process] message | field=value … | exception`` on one line."""
    when = record["time"].astimezone(UTC).isoformat(timespec="milliseconds")
    extra = record["extra"]
    line = f"{when} {record['level'].name:<7} {extra.get('part', '-')}[{os.getpid()}] {record['message']}"
    fields = " ".join(f"{name}={value}" for name, value in extra.items() if name != "part")
    if fields:
        line += f" | {fields}"
    if record["exception"] is not None:
        line += f" | {_trace(record['exception'].value)}"
    return _one_line(line)


def _json_line(record: Record) -> str:
    """The same as an object: time, level, part, process, message, fields, exception."""
    extra = record["extra"]
    told: dict[str, Any] = {
        "time": record["time"].astimezone(UTC).isoformat(timespec="milliseconds"),
        "level": record["level"].name,
        "part": extra.get("part", "-"),
        "process": os.getpid(),
        "message": record["message"][:_LONGEST_LINE],
        "fields": {name: value for name, value in extra.items() if name != "part"},
    }
    if record["exception"] is not None:
        told["exception"] = _trace(record["exception"].value)[:_LONGEST_LINE]
    return json.dumps(told, default=str)


def _trace(error: BaseException | None) -> str:
    """The exception, where it came from in our own code, and what caused it."""
    parts: list[str] = []
    while error is not None and len(parts) < _LONGEST_CHAIN:
        ours = [f for f in traceback.extract_tb(error.__traceback__) if f"{os.sep}src{os.sep}" in f.filename]
        places = " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(ours[-4:]))
        parts.append(safe_error(error) + (f" at {places}" if places else ""))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return " because of ".join(parts)


def _one_line(text: str) -> str:
    safe = text.encode("utf-8", "backslashreplace").decode()
    flat = "".join(char if char.isprintable() else repr(char)[1:-1] for char in safe)
    return flat if len(flat) <= _LONGEST_LINE else f"{flat[:_LONGEST_LINE]}… ({len(flat)} characters)"


def _say(line: str) -> None:
    """On the terminal, past the files."""
    try:
        sys.stderr.write(_one_line(line) + "\n")
        sys.stderr.flush()
    except (OSError, ValueError):  # the terminal went away
        pass


def _to_terminal(message: Message) -> None:
    record = message.record
    level = "" if record["level"].no < logging.WARNING else f"{record['level'].name.lower()}: "
    error = f" ({safe_error(record['exception'].value)})" if record["exception"] is not None else ""
    _say(f"{record['time']:HH:mm:ss}  {level}{record['message']}{error}")


class _FromStdlib(logging.Handler):
    """Brings the lines of libraries (uvicorn, alembic, apscheduler, httpx) into the same files."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001 (a library's own mistake in its line)
            text = str(record.msg)
        level: str | int = record.levelname if record.levelno in (30, 40, 50) else record.levelno
        logger.opt(exception=record.exc_info).log(level, "{}", f"{record.name}: {text}")


def _route_stdlib() -> None:
    logging.raiseExceptions = False
    logging.basicConfig(handlers=[_FromStdlib()], level=logging.WARNING, force=True)
    logging.captureWarnings(capture=True)
    # Addresses in uvicorn's access lines carry tokens; the API writes lines of its own.
    logging.getLogger("uvicorn.access").disabled = True
