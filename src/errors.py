"""The error tree. Each class says what the workers do about it; nobody parses error texts.

No message may carry guest text, a token, a cookie or a key.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the long-running commands. 2, 10 and 11 must not be restarted by a supervisor."""

    STOPPED = 0
    SETTINGS = 2
    HALTED_PERSON_NEEDED = 10
    HALTED_PAGE_CHANGED = 11
    WATCHDOG = 70


class NightporterError(Exception):
    """Something went wrong. (The docstring of a class is its default message.)"""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip().splitlines()[0])


class TransientError(NightporterError):
    """The step failed for now and is tried again later; the try counts."""


class NotUnderstood(TransientError):
    """The site answered in a way that is not understood; several times in a row, it is a changed page."""


class ChannelGone(TransientError):
    """What the channel works with (a browser, a connection) went away; it is opened again, the step tried again."""


class ComposerBusy(TransientError):
    """The composer already holds a text: a person is writing there. Nothing was typed."""


class PermanentError(NightporterError):
    """The step can never succeed; the job ends as failed with this reason."""

    reason = "failed"

    def __init__(self, message: str | None = None, *, reason: str | None = None) -> None:
        super().__init__(message)
        if reason is not None:
            self.reason = reason


class CannotWrite(PermanentError):
    """This conversation cannot be written to (no composer); a person has to look."""

    reason = "no_composer"


class SecretWithheld(PermanentError):
    """The reply names a secret that may not be told now; it waits for a person, with ``reason``."""

    reason = "secret_not_due"


class NotPressed(TransientError):
    """Send was not pressed, or the remote refused it, beyond doubt: nothing was sent.

    ``retry_after``: the remote asks for a slower pace, or is away: the reply waits this many seconds, and the try
    does not count. None: it counts, and the reply is held after some.
    """

    def __init__(self, message: str | None = None, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TooLarge(PermanentError):
    """A file is larger than what may be fetched; nothing of it was kept."""

    reason = "too_large"


class CallRefused(NightporterError):
    """A call from outside is not let in: nothing of it is stored, the caller gets ``status``."""

    def __init__(self, status: int = 401, message: str | None = None) -> None:
        super().__init__(message)
        self.status = status


class StaleJob(NightporterError):
    """The row is no longer in the state this move starts from; drop the work quietly."""


class Halt(NightporterError):
    """Everything stops until a person has acted.

    ``kind`` is a stable word for logs and the database, ``detail`` a sentence without personal data,
    ``evidence`` the path of a screenshot or a text that shows what was seen.

    ``nothing_sent``: met at the press of Send, and the remote said beyond doubt that it did not take the message.
    """

    exit_code = ExitCode.HALTED_PERSON_NEEDED

    def __init__(
        self, kind: str, detail: str, *, evidence: str | None = None, nothing_sent: bool = False
    ) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail
        self.evidence = evidence
        self.nothing_sent = nothing_sent


class WallHit(Halt):
    """A challenge, a login page or a block: no further request to the site, exit 10."""


class PageChanged(Halt):
    """The page or its data are not what we know: nothing is guessed, exit 11."""

    exit_code = ExitCode.HALTED_PAGE_CHANGED

    def __init__(self, what: str, where: str, *, evidence: str | None = None) -> None:
        super().__init__("page_changed", f"expected {what} in {where}", evidence=evidence)
        self.what = what
        self.where = where


class SettingsError(NightporterError):
    """The configuration is wrong; ``problems`` has one line for each variable. Exit 2."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
