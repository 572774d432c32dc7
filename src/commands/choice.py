"""Which account a command is for: ``--account NAME``, needed where there are several."""

from __future__ import annotations

from collections.abc import Sequence

from src.account import Account
from src.errors import SettingsError


def choose(accounts: Sequence[Account], name: str | None) -> Account:
    """The account of this name; without one the only one. SettingsError that names them otherwise."""
    names = ", ".join(account.name for account in accounts)
    if name is None:
        if len(accounts) > 1:
            raise SettingsError([f"--account: there are several accounts; name one of {names}"])
        return accounts[0]
    found = next((account for account in accounts if account.name == name), None)
    if found is None:
        raise SettingsError([f"--account: {name[:40]!r} is no account; there are {names}"])
    return found


def chosen(accounts: Sequence[Account], name: str | None) -> tuple[Account, ...]:
    """The account of this name alone; without one all of them. SettingsError that names them."""
    return tuple(accounts) if name is None else (choose(accounts, name),)


def named(accounts: Sequence[Account], account: Account) -> str | None:
    """The name as a person has to say it: None where there is one account only."""
    return account.name if len(accounts) > 1 else None
