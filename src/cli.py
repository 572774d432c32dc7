"""The commands. Each builds settings, logging and database, then hands over to ``src/commands``.

Imports are made inside the commands: ``status`` must not pay for the browser, nor ``--help`` for the database.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Nightporter answers a host's Airbnb inbox through the host's own AI.",
)

OfAccount = Annotated[str | None, typer.Option("--account", help="The account, where there are several.")]
NoApi = Annotated[bool, typer.Option("--no-api", help="Leave the callback API to another process.")]


@app.command()
def syncsend(no_api: NoApi = False) -> None:
    """The main job: read the inbox and send the replies, and serve the callback API."""
    _end(lambda: _run_workers(sync=True, send=True, api=not no_api), runs_for_long=True)


@app.command()
def sync() -> None:
    """Only read the inbox and hand new messages to the AI."""
    _end(lambda: _run_workers(sync=True), runs_for_long=True)


@app.command()
def send() -> None:
    """Only send the replies that are in the outbox."""
    _end(lambda: _run_workers(send=True), runs_for_long=True)


def _run_workers(*, sync: bool = False, send: bool = False, api: bool = False) -> int:
    from src.commands.run import run_workers

    return run_workers(sync=sync, send=send, api=api)


@app.command()
def api() -> None:
    """Only serve the callback API."""

    def run() -> int:
        from src.commands.run import run_api

        return run_api()

    _end(run, runs_for_long=True)


@app.command()
def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Play a short scripted inbox, print what happened, end.")
    ] = False,
    channels: Annotated[
        bool, typer.Option("--channels", help="All channels at once: WhatsApp, an app's tables, chat, mail.")
    ] = False,
) -> None:
    """The whole system on a simulated inbox: no account, no key, no .env."""

    def run() -> int:
        if channels:
            from src.commands.demo_channels import run_demo_of_channels

            return run_demo_of_channels(once=once)
        from src.commands.demo import run_demo

        return run_demo(once=once)

    _end(run, runs_for_long=True)


@app.command()
def doctor(account: OfAccount = None) -> None:
    """Check all that syncsend needs, a line each."""
    from src.commands.doctor import run_doctor

    _end(lambda: run_doctor(account))


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    account: OfAccount = None,
) -> None:
    """Counts of the queues, state of the link, last cycles."""
    from src.commands.status import run_status

    _end(lambda: run_status(account, as_json=as_json))


@app.command()
def migrate() -> None:
    """Bring the database's schema up to date. Every start does it too; this is for a step before the start."""
    from src.commands.migrate import run_migrate

    _end(run_migrate)


@app.command()
def purge(
    days: Annotated[
        float | None, typer.Option("--days", min=0, help="Older than this; by default RETENTION_DAYS.")
    ] = None,
) -> None:
    """Take guests' old words and names out of the database (done by itself every day, too)."""
    from src.commands.retention import run_purge

    _end(lambda: run_purge(days))


@app.command()
def forget(
    conversation_ids: Annotated[
        list[str], typer.Argument(metavar="CONVERSATION_ID…", help="As in conversations.external_id.")
    ],
) -> None:
    """Take everything about a guest's conversations out of the database."""
    from src.commands.retention import run_forget

    _end(lambda: run_forget(conversation_ids))


assistant = typer.Typer(
    no_args_is_help=False,
    rich_markup_mode=None,
    help="The built-in assistant alone: without a command it serves its HTTP; `ask` tries one message.",
)
app.add_typer(assistant, name="assistant")


@assistant.callback(invoke_without_command=True)
def serve_assistant(context: typer.Context) -> None:
    """Serve the assistant alone, as another Nightporter's AI webhook. No browser, no inbox."""
    if context.invoked_subcommand is not None:
        return

    def run() -> int:
        from src.commands.assistant import run_assistant

        return run_assistant()

    _end(run, runs_for_long=True)


@assistant.command("ask")
def ask_assistant(
    message: Annotated[str, typer.Argument(help="What a guest writes.")],
    listing: Annotated[str | None, typer.Option("--listing", metavar="ID", help="Else the only one.")] = None,
    stage: Annotated[
        str | None,
        typer.Option("--stage", metavar="S", help="inquiry, request, booked, staying, past or cancelled."),
    ] = None,
    check_in: Annotated[str | None, typer.Option("--check-in", metavar="D", help="Like 2027-03-01.")] = None,
    check_out: Annotated[str | None, typer.Option("--check-out", metavar="D")] = None,
    now: Annotated[str | None, typer.Option("--now", metavar="T", help="Like 2027-03-02T09:00.")] = None,
    sender: Annotated[str, typer.Option("--sender", metavar="N", help="The guest's name.")] = "Guest",
    history: Annotated[
        Path | None, typer.Option("--history", metavar="FILE", help="JSON: a list of {role, text}.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """What the assistant would do with one message, and why. Nothing is sent."""
    from src.commands.assistant_ask import run_ask

    _end(
        lambda: run_ask(
            message,
            listing=listing,
            stage=stage,
            check_in=check_in,
            check_out=check_out,
            now=now,
            sender=sender,
            history=history,
            as_json=as_json,
        )
    )


@assistant.command("eval")
def evaluate_assistant(
    cases: Annotated[
        Path | None,
        typer.Option("--cases", metavar="F", help="A .jsonl file or a folder; else the shipped."),
    ] = None,
    knowledge_dir: Annotated[
        Path | None, typer.Option("--knowledge", metavar="D", help="The folder that the cases are about.")
    ] = None,
    agents_dir: Annotated[Path | None, typer.Option("--agents", metavar="D")] = None,
    live: Annotated[bool, typer.Option("--live", help="Three passes: mean and worst.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Labelled messages against your model: what is right, and which bars hold. Nothing is sent; calls cost."""
    from src.commands.assistant_eval import run_eval

    _end(
        lambda: run_eval(cases=cases, knowledge=knowledge_dir, agents=agents_dir, live=live, as_json=as_json)
    )


@assistant.command("replay")
def replay_assistant(
    days: Annotated[
        float, typer.Option("--days", min=0.01, metavar="N", help="How far back it looks.")
    ] = 90.0,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, metavar="N", help="The newest N messages; else all.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether to go on.")] = False,
) -> None:
    """What it would have said where you answered: a table for each topic. Nothing is sent; calls cost."""
    from src.commands.assistant_replay import run_replay

    _end(lambda: run_replay(days=days, limit=limit, yes=yes))


knowledge = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="What the built-in assistant knows."
)
app.add_typer(knowledge, name="knowledge")

AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
OfListing = Annotated[str | None, typer.Option("--listing", help="The id of one listing.")]


@knowledge.command("add")
def add_knowledge(
    file: Annotated[Path, typer.Argument(help="A .md, .csv, .ics or .toml file.")],
    listing: OfListing = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace one of the same name.")] = False,
) -> None:
    """Copy a file into the folder, for one listing or for all."""
    from src.commands.knowledge import run_add

    _end(lambda: run_add(file, listing, overwrite=overwrite))


@knowledge.command("list")
def list_knowledge(as_json: AsJson = False) -> None:
    """What is in the folder."""
    from src.commands.knowledge import run_list

    _end(lambda: run_list(as_json=as_json))


@knowledge.command("search")
def search_knowledge(
    question: str,
    listing: OfListing = None,
    audience: Annotated[str, typer.Option(help="anyone, booked or staying.")] = "staying",
    limit: Annotated[int, typer.Option(min=1, max=100)] = 5,
    as_json: AsJson = False,
) -> None:
    """The facts that fit a question best."""
    from src.commands.knowledge import run_search

    _end(lambda: run_search(question, listing, audience, limit, as_json=as_json))


@knowledge.command("check")
def check_knowledge(as_json: AsJson = False) -> None:
    """What contradicts, has ended, or gives a secret away. Exit code 1 if there are errors."""
    from src.commands.knowledge import run_check

    _end(lambda: run_check(as_json=as_json))


@knowledge.command("example")
def example_knowledge() -> None:
    """Make a folder to begin with."""
    from src.commands.knowledge import run_example

    _end(run_example)


pgnotify = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="An app's own PostgreSQL tables as an inbox."
)
app.add_typer(pgnotify, name="pgnotify")


@pgnotify.command("check")
def check_pgnotify(
    account: OfAccount = None,
    confirm_disclosure: Annotated[
        bool,
        typer.Option(
            "--confirm-disclosure", help="People are told in your app that an AI answers: keep that."
        ),
    ] = False,
) -> None:
    """What the app's database lacks, a line each. Exit code 1 if there are findings."""
    from src.commands.pgnotify import run_check

    _end(lambda: run_check(account, confirm_disclosure=confirm_disclosure))


@pgnotify.command("sql")
def sql_pgnotify(account: OfAccount = None) -> None:
    """Print the role, rights, trigger and indexes for the database's owner to run; runs nothing."""
    from src.commands.pgnotify import run_sql

    _end(lambda: run_sql(account))


def _end(command: Callable[[], int], *, runs_for_long: bool = False) -> None:
    """Run a command and leave with its exit code."""
    from src.commands.edge import to_the_end, until_stopped

    raise typer.Exit(until_stopped(command) if runs_for_long else to_the_end(command))


def main() -> int:
    """Entry point; returns the exit code."""
    try:
        app()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        return 130
    return 0
