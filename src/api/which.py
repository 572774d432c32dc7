"""Which account a call is about: where there is one, nobody has to say it; of several none is guessed.

The account of those who ask in one call (`chat`) is among them without being one of those to choose from: what
waits there is listed, and found by its id.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from src.account import Account
from src.api.context import Context
from src.db import conversations
from src.services.refusals import Malformed, NotFound

Asked = Annotated[
    str | None, Query(alias="account", description="the account's name; not needed where there is one")
]


def accounts_of(context: Context, name: str | None) -> list[Account]:
    """The account of this name; all without a name. Malformed if there is none of it."""
    if name is None:
        return list(context.asked.values())
    return [_named(context, name)]


def the_account(context: Context, name: str | None) -> Account:
    """The account of this name; without one the only account there is. Malformed naming account otherwise."""
    if name is not None:
        return _named(context, name)
    if len(context.accounts) > 1:
        raise Malformed("account", f"is needed: one of {', '.join(context.accounts)}")
    return next(iter(context.accounts.values()))


def account_with(context: Context, name: str | None, external_id: str) -> Account:
    """The account that has this conversation (the remote's id). NotFound; Malformed if several have it."""
    asked = accounts_of(context, name)
    if len(asked) == 1:
        return asked[0]
    with context.db.read() as conn:
        found = [one for one in asked if conversations.by_external_id(conn, one.name, external_id)]
    return _only(context, found, "conversation")


def account_with_listing(context: Context, name: str | None, listing_id: str) -> Account:
    """The same for a listing: the account that has a conversation about it."""
    asked = accounts_of(context, name)
    if len(asked) == 1:
        return asked[0]
    with context.db.read() as conn:
        found = [one for one in asked if conversations.has_listing(conn, one.name, listing_id)]
    return _only(context, found, "listing")


def _named(context: Context, name: str) -> Account:
    if name not in context.asked:
        raise Malformed("account", "is not an account")
    return context.asked[name]


def _only(context: Context, found: list[Account], what: str) -> Account:
    if len(found) > 1:
        names = ", ".join(account.name for account in found)
        raise Malformed("account", f"is needed: {names} have a {what} with this id")
    if not found and len(context.accounts) == 1:
        return next(iter(context.accounts.values()))  # it will say itself what it does not have
    if not found:
        raise NotFound(f"there is no {what} with this id")
    return found[0]
