"""A page: who looks at it, in which language and time zone, and how it becomes HTML. Errors become pages, too."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from loguru import logger
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, RedirectResponse, Response

from src.account import Account
from src.api.context import Context
from src.api.dashboard import words
from src.api.dashboard.assets import address_of
from src.api.dashboard.stays import StayFacts, read_facts
from src.api.doors import Entry, TooManyGuesses, Unauthorized, WrongHost
from src.api.ids import OUR_ID
from src.channels import registry
from src.db import missing_facts, outbox_views
from src.db.engine import Connection
from src.db.waiting import Waiting, waiting
from src.errors import TransientError
from src.languages import CODES, NAMES, Language, best, language, sentence, time_zone
from src.model.rows import Job
from src.model.statuses import OutboxStatus
from src.services.alerts import quiet_until
from src.services.refusals import Conflict, HoldsSecret, Malformed, NotFound
from src.services.status import (
    Hindrance,
    Intervals,
    Short,
    Verdict,
    in_a_word,
    read_verdict,
    read_verdicts,
    what_hinders,
)

LANGUAGE_COOKIE = "nightporter_language"
ACCOUNT_COOKIE = "nightporter_account"
"""Holds nothing but the name of the account that was chosen last."""
_HEADERS = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    # Not no-referrer: with it a browser would not say where a form comes from.
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
    "vary": "Accept-Language, Cookie, HX-Request",
}

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)


@dataclass
class Page:
    """One look of one browser. Made by ``open_page``; where nobody was let in (yet), without ``entry``."""

    context: Context
    request: Request
    entry: Entry | None
    now: datetime
    stands: Verdict | None = None
    """How the account that is looked at stands."""
    waiting: list[Waiting] = field(default_factory=list)
    """What waits for a person in it. Not read for forms."""
    standing: dict[str, Short] = field(default_factory=dict)
    """How each account stands, where there are several."""
    approved: Job | None = None
    """The reply that was approved just before, as it is now: it may still be taken back."""
    open_questions: int = 0
    """How many missing facts wait for the host."""

    @cached_property
    def lang(self) -> Language:
        chosen = self.request.cookies.get(LANGUAGE_COOKIE, "")
        if chosen in CODES:
            return language(chosen)
        asked = self.request.headers.get("accept-language", "")
        return language(best(asked, self.context.settings.dashboard_language))

    @cached_property
    def zone(self) -> tzinfo:
        return time_zone(self.context.settings.time_zone)

    @cached_property
    def account(self) -> Account:
        """The account that is looked at: as the form or the address says, else as chosen last, else the first."""
        accounts = self.context.asked
        form: dict[str, str] = getattr(self.request.state, "form", {})
        asked = form.get("account") or self.request.query_params.get("account")
        if asked is not None:
            if asked not in accounts:
                raise Malformed("account", "is not an account")
            return accounts[asked]
        chosen = self.request.cookies.get(ACCOUNT_COOKIE, "")
        return accounts.get(chosen) or self.accounts[0]

    @property
    def accounts(self) -> list[Account]:
        """Those that one can choose from; never empty."""
        every = list(self.context.accounts.values())
        return [account for account in every if account.counts] or every

    @property
    def several(self) -> bool:
        """Whether there is anything to choose."""
        return len(self.accounts) > 1

    @property
    def has_assistant(self) -> bool:
        """Whether the built-in assistant answers for any account."""
        every = {**self.context.accounts, **self.context.asked}
        return any(account.ai == "assistant" for account in every.values())

    @cached_property
    def newest_to_tell(self) -> int:
        """Since when the newest thing waits that a browser may notify of now, in ms of 1970; 0 if nothing does.

        In quiet hours that is what is urgent.
        """
        quiet = quiet_until(self.context.settings, self.now) is not None
        told = [one for one in self.waiting if not quiet or one.is_urgent(self.now)]
        return max((int(one.since.timestamp() * 1000) for one in told), default=0)

    @property
    def hindrance(self) -> Hindrance | None:
        """Why a reply that is due does not go out now; None: it does."""
        return what_hinders(self.account, self.stands) if self.stands is not None else None

    @property
    def names_account(self) -> bool:
        """Whether a form has to say which account it is about."""
        return len(self.context.asked) > 1

    @property
    def is_aside(self) -> bool:
        """Whether the account that is shown is not among those to choose from."""
        return self.account not in self.accounts

    def address_of(self, external_id: str) -> str | None:
        """Where the conversation is to be seen on the site itself; None where there is no such page."""
        return registry.address_of(self.account.channel, self.account.own, external_id)

    def stay_of(self, listing_id: str | None, stay: Mapping[str, Any]) -> StayFacts:
        """Which house, when, and who. Blocking: may read the host's files."""
        return read_facts(self.context.listings, listing_id, stay)

    def place_of(self, account: Account) -> str:
        """Where the same can be seen of another account: this list, else the overview."""
        path = self.request.url.path
        return f"{path if path in _LISTS else '/'}?account={account.name}"

    @property
    def is_part(self) -> bool:
        """Whether htmx asks for the live part of a page that is shown already."""
        return "hx-request" in self.request.headers

    def show(self, template: str, status: int = 200, **values: Any) -> Response:
        """The template as an answer. What it holds of a guest is escaped by Jinja2, everywhere."""
        token, new_cookie = self.context.doors.sessions.form_token(self.request)
        html = _TEMPLATES.get_template(template).render(
            page=self,
            form_token=token,
            here=self.here,
            asset=address_of,
            languages=NAMES,
            words=words,
            quote=lambda text: quote(text, safe=""),
            **self._speaking(),
            **values,
        )
        response = HTMLResponse(html, status, headers=_HEADERS)
        if self.entry is not None:
            response.headers["nightporter-newest"] = str(self.newest_to_tell)
        if self.names_account and self.request.query_params.get("account") in self.context.asked:
            asked = self.request.query_params["account"]
            response.set_cookie(ACCOUNT_COOKIE, asked, httponly=True, samesite="lax")
        if new_cookie is not None:
            self.context.doors.sessions.set_form_cookie(response, new_cookie)
        return response

    def go(self, to: str, done: str | None = None, **more: str) -> Response:
        """Back to a page of ours, which then says what was ``done`` (a key of ``words.DONE``)."""
        target = own_path(to)
        if done is not None:
            target += f"{'&' if '?' in target else '?'}{urlencode({'done': done, **more})}"
        return RedirectResponse(target, 303)

    @property
    def here(self) -> str:
        """The address of this page, to come back to; of what was done with a form, the page that it was on."""
        if self.request.method != "GET":
            form: dict[str, str] = getattr(self.request.state, "form", {})
            return own_path(form.get("next", "/"))
        query = [
            (key, value)
            for key, value in self.request.query_params.multi_items()
            if key not in {"done", "approved"}
        ]
        return self.request.url.path + (f"?{urlencode(query)}" if query else "")

    @property
    def whole_address(self) -> str:
        """The address of this page with what it says of a deed."""
        return f"{self.request.url.path}?{self.request.url.query}"

    @property
    def left_sec(self) -> float:
        """How long the approved reply still waits before it is due."""
        job = self.approved
        if job is None or job.status is not OutboxStatus.PENDING:
            return 0.0
        return max(0.0, (job.due_at - self.now).total_seconds())

    def is_at(self, place: str) -> bool:
        """Whether this page belongs to that place of the navigation."""
        path = self.request.url.path
        return path == place or (place != "/" and path.startswith(f"{place}/"))

    def _speaking(self) -> dict[str, Any]:
        """What the templates say things with. ``_`` fills in values, which are then escaped like all others."""
        lang, zone, now = self.lang, self.zone, self.now
        return {
            "_": lang.say,
            "n_": lang.say_many,
            "lang": lang,
            "now": now,
            "ago": lambda at: lang.ago(at, now),
            "moment": lambda at: lang.moment(at, zone, now=now),
            "full_moment": lambda at: lang.full_moment(at, zone),
            "done": self._done(),
        }

    def _done(self) -> list[str]:
        """What is said of the deed that led here, as things stand now; nothing for none."""
        job = self.approved
        if job is not None and job.status is not OutboxStatus.PENDING:
            return [words.OUTBOX_MEANS[str(job.status)]]
        return words.done(
            self.request.query_params.get("done", ""),
            self.hindrance,
            reads=self.stands is not None and self.stands.reads,
            called_for=self.stands is not None and self.account.is_called_for,
            waits=self.left_sec > 0,
        )


def own_path(text: str) -> str:
    """The text if it is a path of ours, else the overview: nobody is sent to another site."""
    safe = text.startswith("/") and not text.startswith(("//", "/\\"))
    return text if safe and not any(char < " " or char == "\\" for char in text) else "/"


_LISTS = frozenset({"/", "/conversations", "/outbox", "/reconnect", "/ai/autonomy", "/ai/results"})

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def page_routes(context: Context) -> type[APIRoute]:
    """The kind of route whose refusals are pages for a person instead of JSON."""

    class PageRoute(APIRoute):
        def get_route_handler(self) -> Handler:
            handle = super().get_route_handler()

            async def handling(request: Request) -> Response:
                try:
                    return await handle(request)
                except (
                    Unauthorized,
                    WrongHost,
                    Conflict,
                    NotFound,
                    Malformed,
                    RequestValidationError,
                    TransientError,
                ) as error:
                    return _refusal(context, request, error)

            return handling

    return PageRoute


async def open_page(context: Context, request: Request) -> Page:
    """Let the visitor in, or raise ``Unauthorized`` or ``WrongHost``."""
    request.state.entry = entry = await context.doors.page(request)
    page = Page(context, request, entry, context.clock())
    await run_in_threadpool(_read_frame, page)
    return page


def _read_frame(page: Page) -> None:
    """What stands around every page: how the accounts stand, and how many questions wait."""
    intervals = Intervals.of(page.account.settings)
    page.context.listings.name_of("any")  # files that have changed are read here, in a thread
    with page.context.db.read() as conn:
        page.stands = read_verdict(conn, page.account.name, intervals, page.now)
        if page.request.method == "GET":
            sent = not page.account.is_called_for
            page.waiting = waiting(conn, page.account.name, page.now, sent=sent)
            page.approved = _read_approved(page, conn)
        if page.several:
            verdicts = read_verdicts(conn, page.accounts, page.now)
            page.standing = {one.name: in_a_word(one, verdicts[one.name]) for one in page.accounts}
        if page.has_assistant:
            page.open_questions = missing_facts.count_open(conn)


def _read_approved(page: Page, conn: Connection) -> Job | None:
    asked = page.request.query_params.get("approved", "")
    job = outbox_views.get(conn, asked) if OUR_ID.fullmatch(asked) else None
    return job if job is not None and job.account == page.account.name else None


async def open_form(context: Context, request: Request) -> tuple[Page, dict[str, str]]:
    """Let the visitor in and read the form that was sent. Raises also ``Malformed`` and ``Conflict``.

    A form of ours carries a token of this browser; who shows the API key needs none.
    """
    page = await open_page(context, request)
    form = await read_form(request)
    request.state.form = form
    if page.entry and page.entry.by != "key":
        check_form(context, request, form)
    return page, form


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form; files and what has no name are left out."""
    try:
        form = await request.form(max_files=0, max_fields=50)
    except Exception as error:  # whatever the parser makes of it
        raise Malformed("body", "is not a form") from error
    return {name: value for name, value in form.items() if isinstance(value, str)}


def check_form(context: Context, request: Request, form: dict[str, str]) -> None:
    """Raises ``Conflict`` unless the form comes from a page that we made for this browser."""
    if not context.doors.sessions.is_own_form(request, form.get("form_token", "")):
        logger.bind(path=request.url.path).warning("a form was refused: it is of no page of ours")
        raise Conflict("form_expired", "this form is of no page that was made for this browser")


def _refusal(context: Context, request: Request, error: Exception) -> Response:
    """A page that says what is wrong and what to do. Nothing that was typed is lost: the form's text is on it."""
    entry: Entry | None = getattr(request.state, "entry", None)
    page = Page(context, request, entry, context.clock())
    shown_key = {"x-api-key", "authorization"} & set(request.headers.keys())
    if isinstance(error, Unauthorized) and context.doors.sessions.has_password and not shown_key:
        return _to_login(page)
    status, title, why = _in_words(error)
    form: dict[str, str] = getattr(request.state, "form", {})
    back = own_path(form.get("next", "/"))
    response = page.show(
        "refused.html", status, title=title, why=why, typed=form.get("message", ""), back=back
    )
    if isinstance(error, TooManyGuesses):
        response.headers["retry-after"] = str(error.wait_sec)
    return response


def _in_words(error: Exception) -> tuple[int, str, str]:
    """Status, title and explanation."""
    match error:
        case TooManyGuesses():
            return 429, sentence("You are not let in"), words.TOO_MANY_GUESSES
        case Unauthorized():
            return 401, sentence("You are not let in"), words.NOT_LET_IN
        case WrongHost():
            return 421, sentence("Wrong address"), words.WRONG_HOST
        case NotFound():
            return 404, sentence("There is nothing here"), words.NOT_FOUND
        case TransientError():
            return 503, sentence("The database is out of reach"), words.NO_DATABASE
        case HoldsSecret():
            return 422, sentence("Nothing was changed"), words.HOLDS_SECRET
        case Conflict():
            return 409, sentence("Nothing was changed"), words.CONFLICTS.get(error.reason, words.CONFLICT)
        case _:
            return 422, sentence("Nothing was changed"), words.MALFORMED.get(str(error), words.NOT_USABLE)


def _to_login(page: Page) -> Response:
    to = "/login?" + urlencode({"next": page.here})
    if page.is_part:  # htmx would put the login into the middle of the page
        return Response(status_code=401, headers={"hx-redirect": to})
    return RedirectResponse(to, 303)
