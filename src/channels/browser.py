"""The browser of one account: found, started on the saved profile, kept to one process at a time, closed cleanly.

No stealth: the browser says what it is. Facts about its failures are in ``docs/reliability.md``.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import shutil
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar, cast
from weakref import WeakKeyDictionary

import psutil
from loguru import logger
from playwright.async_api import Browser as Process
from playwright.async_api import BrowserContext, Page, Playwright, async_playwright
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import TimeoutError as PlaywrightTimeout

from src.channels.common_browser import CommonBrowser, Membership
from src.channels.profile import sweep
from src.errors import ChannelGone, SettingsError

T = TypeVar("T")

SYSTEM_BROWSERS = (
    "google-chrome",
    "google-chrome-stable",
    "chromium",
    "chromium-browser",
    "microsoft-edge",
    "chromium-headless-shell",
)
# Background services of Chromium that have nothing to do with the inbox.
ARGUMENTS = (
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-features=Translate,MediaRouter,OptimizationHints",
    # The cache is kept in memory: on the disk it would hold guests' words for as long as the site allows.
    f"--disk-cache-dir={os.devnull}",
)
STATE_FILE = "storage_state.json"
PROFILE_FOLDER = "profile"
_LAUNCH_TIMEOUT_MS = 60_000
_CONTEXT: dict[str, Any] = {
    "viewport": {"width": 1280, "height": 900},
    "service_workers": "block",
    "accept_downloads": False,
}
_CALL_TIMEOUT_SEC = 15.0


def find_browsers(explicit: str | None, own: str | None = None) -> list[str]:
    """Executables to try, best first: the configured one alone, else Playwright's own, else the system's.

    Raises SettingsError naming BROWSER_EXECUTABLE_PATH if that is set and is not an executable file.
    """
    if explicit:
        path = shutil.which(explicit)
        if path is None:
            raise SettingsError([f"BROWSER_EXECUTABLE_PATH: {explicit} is not an executable file"])
        return [path]
    found = [own] if own and Path(own).exists() else []
    found += [path for path in map(shutil.which, SYSTEM_BROWSERS) if path]
    return list(dict.fromkeys(found))


async def find_usable_browsers(explicit: str | None) -> list[str]:
    """``find_browsers`` with Playwright's own looked up. ChannelGone if Playwright itself does not start."""
    try:
        async with async_playwright() as playwright:
            own = playwright.chromium.executable_path
    except Exception as error:  # noqa: BLE001 (the driver is a foreign program: it may lack anything)
        raise ChannelGone(
            f"Playwright does not start ({type(error).__name__}); it may lack libatomic1"
        ) from None
    return find_browsers(explicit, own)


def launch_options() -> dict[str, Any]:
    """Options that every launch shares. Root cannot use Chromium's sandbox; everyone else keeps it."""
    return {
        "args": list(ARGUMENTS),
        "chromium_sandbox": os.geteuid() != 0,
        "timeout": _LAUNCH_TIMEOUT_MS,
        "handle_sigint": False,
        "handle_sigterm": False,
        "handle_sighup": False,
    }


async def bounded(call: Awaitable[T], timeout: float = _CALL_TIMEOUT_SEC) -> T:
    """A Playwright call that has no time limit of its own (evaluate, cookies, close …), with one.

    Raises ChannelGone after ``timeout`` seconds: a page that does not answer is no page.
    """
    try:
        async with asyncio.timeout(timeout):
            return await call
    except TimeoutError:
        raise ChannelGone(f"The page did not answer within {timeout:g} s.") from None


@contextmanager
def _driver_in_its_own_session() -> Iterator[None]:
    """Start Playwright's driver outside our process group.

    Ctrl-C in a terminal goes to the whole group; a driver that gets it dies in the middle of a send.
    """
    original = asyncio.create_subprocess_exec
    asyncio.create_subprocess_exec = functools.partial(original, start_new_session=True)
    try:
        yield
    finally:
        asyncio.create_subprocess_exec = original


def write_private(path: Path, content: str) -> None:
    """Write a file that only its owner may read, all or nothing (temporary file, fsync, rename)."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def clear_stale_lock(profile: Path) -> None:
    """Take away Chromium's own lock of a browser that cannot be there any more. Needs our lock on the profile.

    It names host and process. Another host's is that of a container or machine that was replaced (Chromium would
    refuse for ever); one of this host is stale if its process is gone. A living one is left alone.
    """
    lock = profile / "SingletonLock"
    try:
        host, _, number = str(lock.readlink()).rpartition("-")
    except OSError:
        return
    if host == socket.gethostname() and number.isdigit() and psutil.pid_exists(int(number)):
        return
    logger.warning("The browser's profile was locked by a browser that is gone; unlocking it")
    for name in ("SingletonLock", "SingletonCookie", "SingletonSocket"):
        (profile / name).unlink(missing_ok=True)


def memory_of(process: psutil.Process) -> int:
    """Bytes that a process has for itself and its share of what it has in common; 0 if it is gone.

    Where shares are not known or may not be read, it is what it has for itself, or all of it.
    """
    try:
        try:
            return int(process.memory_full_info().pss)
        except (AttributeError, psutil.AccessDenied):
            memory = process.memory_info()
            return int(memory.rss) - int(getattr(memory, "shared", 0))
    except psutil.Error:
        return 0


async def _first_that_starts(
    playwright: Playwright, explicit: str | None, launch: Callable[[str], Awaitable[T]]
) -> T:
    """What the first browser that starts gives. Errors as ``Browser.start`` has them."""
    reason, too_slow = "none is installed", False
    for executable in find_browsers(explicit, playwright.chromium.executable_path):
        try:
            return await launch(executable)
        except PlaywrightError as error:
            first = str(error).strip().splitlines()[0][:200]
            reason = f"{executable}: {first}"
            logger.debug("Browser {} did not start: {}", executable, first)
            if "ProcessSingleton" in str(error) or "already in use" in str(error):
                raise ChannelGone("Another browser is using the profile folder.") from None
            too_slow = too_slow or isinstance(error, PlaywrightTimeout)
    if too_slow:
        raise ChannelGone(f"The browser did not start within {_LAUNCH_TIMEOUT_MS / 1000:g} s.")
    raise SettingsError(
        [f"BROWSER_EXECUTABLE_PATH: no browser could be started ({reason}); run scripts/setup.sh"]
    )


_common: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str | None, CommonBrowser]] = WeakKeyDictionary()
"""By event loop and executable. Weak: another loop may get the number of one that is gone."""


def common_browser(executable: str | None) -> CommonBrowser:
    """The one browser of all accounts of this process that are many. Starts nothing yet."""

    async def launch() -> tuple[Playwright, Process]:
        with _driver_in_its_own_session():
            playwright = await async_playwright().start()
        try:

            async def start(path: str) -> Process:
                return await playwright.chromium.launch(
                    executable_path=path, headless=True, **launch_options()
                )

            return playwright, await _first_that_starts(playwright, executable, start)
        except BaseException:
            with suppress(PlaywrightError, OSError):
                await playwright.stop()
            raise

    return _common.setdefault(asyncio.get_running_loop(), {}).setdefault(executable, CommonBrowser(launch))


class Browser:
    """A browser context on the saved profile of one account. ``start`` and ``stop`` may be repeated in turn."""

    def __init__(
        self, session_dir: Path, *, headless: bool, executable: str | None, common: bool = False
    ) -> None:
        """``common``: a context of the one browser that all accounts of this process have, on the saved login.

        That one has no windows.
        """
        self._common = common
        self._member: Membership | None = None
        self.session_dir = session_dir
        self.headless = headless
        self.executable = executable
        self.started_at: float | None = None
        """On the monotonic clock; None while it is closed."""
        self._not_ours: set[int] = set()
        self._playwright: Playwright | None = None
        self._context: BrowserContext | None = None
        self._page: Page | None = None

    @property
    def page(self) -> Page:
        if self._page is None:
            raise ChannelGone("The browser is not open.")
        return self._page

    @property
    def context(self) -> BrowserContext:
        if self._context is None:
            raise ChannelGone("The browser is not open.")
        return self._context

    async def start(self) -> Page:
        """Launch and return the one page. Raises SettingsError if no browser can be started at all.

        One that only takes too long is ChannelGone: it is the machine that is in trouble, and that passes.
        """
        self.session_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.session_dir.chmod(0o700)
        if self._common:
            return await self._join()
        profile = self.session_dir / PROFILE_FOLDER
        clear_stale_lock(profile)
        await asyncio.to_thread(sweep, profile)  # of one that was killed
        self._not_ours = {child.pid for child in psutil.Process().children(recursive=True)}
        with _driver_in_its_own_session():
            self._playwright = await async_playwright().start()
        try:
            self._context = await self._launch(self._playwright)
            self._context.set_default_timeout(10_000)
            await self._restore_login()
            pages = self._context.pages
            self._page = pages[0] if pages else await self._context.new_page()
        except BaseException:
            await self.stop()
            raise
        self.started_at = time.monotonic()
        return self._page

    async def _join(self) -> Page:
        common = common_browser(self.executable)
        state = await asyncio.to_thread(self._saved_login)
        try:
            self._member = await common.join(storage_state=state, **_CONTEXT)
            self._context = self._member.context
            self._context.set_default_timeout(10_000)
            self._page = await bounded(self._context.new_page())
        except PlaywrightError as error:
            await self.stop()
            raise ChannelGone(f"The browser opened no page ({type(error).__name__}).") from None
        except BaseException:
            await self.stop()
            raise
        self.started_at = time.monotonic()
        return self._page

    async def stop(self) -> None:
        """Close everything; never raises. What hangs is left to the driver, which ends with its pipe."""
        member, self._member = self._member, None
        if member is not None:
            self._page = self._context = self.started_at = None
            await member.leave()
            return
        context, playwright = self._context, self._playwright
        self._page = self._context = self._playwright = self.started_at = None
        for call in (context.close if context else None, playwright.stop if playwright else None):
            if call is not None:
                try:
                    await bounded(call(), 10.0)
                except (PlaywrightError, ChannelGone, OSError) as error:
                    logger.debug("Closing the browser: {}", type(error).__name__)
        if context is not None:
            await asyncio.to_thread(sweep, self.session_dir / PROFILE_FOLDER)

    async def fresh_page(self) -> Page:
        """A new page in place of the old one (memory, a crashed renderer)."""
        old = self._page
        self._page = await bounded(self.context.new_page())
        if old is not None:
            try:
                await bounded(old.close(), 5.0)
            except (PlaywrightError, ChannelGone) as error:
                logger.debug("Closing a page: {}", type(error).__name__)
        return self._page

    async def alive(self) -> bool:
        """Whether the page really answers (flags like ``is_connected`` stay true after a crash)."""
        try:
            return bool(await bounded(self.page.evaluate("1"), 5.0))
        except (PlaywrightError, ChannelGone):
            return False

    def memory_mb(self) -> float:
        """Memory of the browser and its driver, all their processes together. Blocking, some milliseconds each.

        Of a browser that several accounts have, an equal share.
        """
        if self._member is not None:
            return self._member.share_mb(memory_of)
        family = psutil.Process().children(recursive=True)
        return sum(memory_of(child) for child in family if child.pid not in self._not_ours) / 2**20

    async def go_offline(self) -> None:
        """Cut the page off from the network, so that nothing more reaches the site. Never raises."""
        try:
            await bounded(self.context.set_offline(True), 3.0)
        except (PlaywrightError, ChannelGone) as error:
            logger.debug("Going offline: {}", type(error).__name__)

    async def save_login(self) -> Path:
        """Keep the cookies and local storage beside the profile, mode 0600.

        Chromium commits cookies only every 30 s and drops session cookies on close; this copy survives both.
        """
        state = await bounded(self.context.storage_state())
        path = self.session_dir / STATE_FILE
        await asyncio.to_thread(write_private, path, json.dumps(state))
        return path

    async def _launch(self, playwright: Playwright) -> BrowserContext:
        async def launch(executable: str) -> BrowserContext:
            return await playwright.chromium.launch_persistent_context(
                self.session_dir / PROFILE_FOLDER,
                executable_path=executable,
                headless=self.headless,
                **_CONTEXT,
                **launch_options(),
            )

        return await _first_that_starts(playwright, self.executable, launch)

    def _saved_login(self) -> Any:
        """Cookies that are good still, and local storage; None if there are none. Blocking."""
        path = self.session_dir / STATE_FILE
        if not path.exists():
            return None
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            now = time.time()
            good = {
                (cookie["name"], cookie["domain"], cookie["path"]): cookie
                for cookie in found["cookies"]
                if cookie.get("expires", -1) == -1 or cookie["expires"] > now
            }
            return {"cookies": list(good.values()), "origins": list(found.get("origins", []))}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            logger.warning("The saved login in {} cannot be read and is not used.", path)
            return None

    async def _restore_login(self) -> None:
        saved = await asyncio.to_thread(self._saved_login)
        here = {
            (c.get("name"), c.get("domain"), c.get("path")) for c in await bounded(self.context.cookies())
        }
        missing = [
            cookie
            for cookie in (saved or {"cookies": []})["cookies"]
            if (cookie["name"], cookie["domain"], cookie["path"]) not in here
        ]
        if missing:
            await bounded(self.context.add_cookies(cast("Any", missing)))
