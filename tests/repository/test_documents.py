"""What the documents say is true: links lead somewhere, names exist, examples work."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from types import SimpleNamespace
from typing import Any

import pytest

from src.assistant.live import LiveAssistant
from src.commands.assistant import make_assistant_app
from src.commands.serving import make_app
from src.db.engine import Database
from src.db.wakeup import Wakeup
from src.errors import ExitCode
from src.settings import load_settings, variables

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    path
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))
    if path.name != "state-machines.md" or path.exists()
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCED = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)

# Names in capitals that are no variables of Nightporter's configuration.
OTHER_NAMES = {
    "DASHBOARD_TIME_ZONE": "src",
    "FUZZ_CALLS": "tests",
    "FUZZ_SEED": "tests",
    "NIGHTPORTER_NO_SYSTEM_PACKAGES": "scripts",
    "PYTHON": "scripts",
    "TEST_POSTGRES_URL": "tests",
}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(text: str) -> set[str]:
    """The anchors that GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_link_leads_somewhere(document: Path) -> None:
    broken = []
    for link in LINK.findall(FENCED.sub("", document.read_text(encoding="utf-8"))):
        if link.startswith(("http://", "https://")):
            continue
        place, _, anchor = link.partition("#")
        target = (document.parent / place).resolve() if place else document
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            broken.append(link)
    assert not broken


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_file_that_a_document_names_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named = re.findall(r"`((?:src|sandbox|scripts|tests|docs)/[\w./-]*\w/?)`", text)
    named += re.findall(r"(?:python3?|sh) ((?:src|scripts)/[\w/]+\.(?:py|sh))", text)

    assert [name for name in named if not (ROOT / name).exists()] == []


def known_variables() -> dict[str, str]:
    return {variable.name: variable.default for variable in variables()}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_variable_that_a_document_names_exists(document: Path) -> None:
    known = set(known_variables()) | set(OTHER_NAMES)
    text = document.read_text(encoding="utf-8")
    named = set(re.findall(r"`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?:=[^`]*)?`", text))
    named |= set(re.findall(r"^([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)=", text, re.MULTILINE))

    assert named - known - {"INBOX_TRANSITIONS", "OUTBOX_TRANSITIONS"} == set()


def test_the_defaults_in_the_readme_are_the_real_ones() -> None:
    known = known_variables()
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## Configuration")[2]
    rows = re.findall(r"^\| (`[A-Z_`, ]+) \| (`[^|]+) \|", section.partition("\n## ")[0], re.MULTILINE)
    assert rows
    for names, defaults in rows:
        for name, default in zip(
            re.findall(r"`(\w+)`", names), re.findall(r"`([^`]+)`", defaults), strict=True
        ):
            assert known[name] == default, name


def test_the_example_configuration_has_every_variable_and_no_other() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")

    assert sorted(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", text, re.MULTILINE)) == sorted(known_variables())


@pytest.mark.skipif(not (ROOT / "src" / "cli.py").exists(), reason="there are no commands yet")
def test_the_readme_names_every_command_and_no_other() -> None:
    import typer.main  # noqa: PLC0415

    commands = set(typer.main.get_command(importlib.import_module("src.cli").app).commands)  # type: ignore[attr-defined]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert set(re.findall(r"python src/main\.py ([a-z]+)", readme)) == commands


def test_the_addresses_in_the_documents_are_of_the_api(sqlite_template: Path, tmp_path: Path) -> None:
    database = tmp_path / "inbox.db"
    shutil.copy(sqlite_template, database)
    db = Database.open(f"sqlite:///{database}")
    wakeup = Wakeup(db)
    settings = load_settings(tmp_path, {})
    app = make_app(settings, db, wakeup, is_conversation_id=lambda *_: True, chat=settings.chat)
    alone = make_assistant_app(settings, db, wakeup, LiveAssistant(settings.assistant), SimpleNamespace())
    paths = [*app.openapi()["paths"], *alone.openapi()["paths"]]
    patterns = [re.compile(re.sub(r"\{[\w:]+\}", "[^/]+", path) + "$") for path in paths]
    wakeup.close()
    db.close()

    named = {
        path
        for document in DOCUMENTS
        for path in re.findall(
            r"(?:localhost:8000|POST )(/[\w/.$-]*\w)", document.read_text(encoding="utf-8")
        )
    }

    assert named
    assert {path for path in named if not any(p.match(path) for p in patterns)} - {"/docs"} == set()


def statements(document: Path, dialect: str = "sqlite") -> list[str]:
    """A block that begins with the name of a database is for that one alone."""
    blocks = re.findall(r"^```sql\n(.*?)^```", document.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    others = {"sqlite": "-- PostgreSQL\n", "postgresql": "-- SQLite\n"}[dialect]
    fitting = [block for block in blocks if not block.startswith(others)]
    pieces = re.sub(r"^--.*$", "", "\n".join(fitting), flags=re.MULTILINE).split(";")
    return [piece.strip() for piece in pieces if piece.strip()]


@pytest.mark.parametrize("document", [path for path in DOCUMENTS if statements(path)], ids=name_of)
def test_the_sql_in_a_document_runs_as_it_stands(document: Path, db: Database) -> None:
    with db.read() as conn:
        for statement in statements(document, db.dialect):
            conn.exec_driver_sql(statement).fetchall()


def test_the_exit_codes_in_the_readme_are_the_real_ones() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert {int(code) for code in re.findall(r"^\| `(\d+)` \|", readme, re.MULTILINE)} == set(ExitCode)


def test_the_make_targets_in_the_documents_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {
        target
        for document in DOCUMENTS
        for target in re.findall(r"(?:`|^)make ([a-z]+)", document.read_text(encoding="utf-8"), re.MULTILINE)
    }

    assert named <= targets


def test_decisions_have_a_number_each_and_are_listed() -> None:
    pages = sorted(path.name for path in (ROOT / "docs" / "adr").glob("[0-9]*.md"))
    index = (ROOT / "docs" / "adr" / "README.md").read_text(encoding="utf-8")

    numbers = [int(name[:4]) for name in pages]  # a gap is a decision that is still being written
    assert numbers == sorted(set(numbers))
    for name in pages:
        page = (ROOT / "docs" / "adr" / name).read_text(encoding="utf-8")
        title = page.splitlines()[0].removeprefix(f"# {name[:4]}. ")
        assert f"| [{name[:4]}]({name}) | {title} |" in index
        assert re.findall(r"^## (.+)$", page, re.MULTILINE) == ["Context", "Decision", "Consequences"]


# --- the examples of the webhook -------------------------------------------------------------------------------


def example(mark: str) -> str:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.search(rf"<!-- tested: {mark} -->\n```\w+\n(.*?)```", readme, re.DOTALL)[1]  # type: ignore[index]


@contextmanager
def a_callback() -> Iterator[tuple[str, Queue[Any]]]:
    """An address that takes callbacks as Nightporter does, and what arrived there."""
    arrived: Queue[Any] = Queue()

    class Callback(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            arrived.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"success": true}')

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Callback) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/api/ai/webhook-simple", arrived
        server.shutdown()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def the_ai_of_the_readme(folder: Path) -> Iterator[int]:
    """The README's AI, running on a port of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    program = folder / "ai.py"
    program.write_text(example("python-ai").replace("9000", str(port)), encoding="utf-8")
    with (
        (folder / "ai.log").open("w") as log,
        subprocess.Popen([sys.executable, str(program)], stdout=log, stderr=log) as process,
    ):
        try:
            deadline = time.monotonic() + 20
            while not listens(port):
                assert process.poll() is None, (folder / "ai.log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield port
        finally:
            process.kill()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_ai_of_the_readme_answers_the_curl_of_the_readme(tmp_path: Path) -> None:
    with a_callback() as (callback_url, arrived), the_ai_of_the_readme(tmp_path) as port:
        command = example("curl-ask").replace("9000", str(port))
        command = command.replace("http://localhost:8000/api/ai/webhook-simple", callback_url)

        asked = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=30, check=True)

        assert " 202 " in asked.stdout.splitlines()[0]
        answer = arrived.get(timeout=20)
    assert answer["conversation_id"] == "TWVzc2FnZVRocmVhZDoxMjM0NTY3"
    assert answer["sender"] == "Camille"
    assert answer["message"].startswith("Hello Camille")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_answer_by_hand_of_the_readme_is_a_valid_callback() -> None:
    with a_callback() as (callback_url, arrived):
        command = example("curl-answer").replace("http://localhost:8000/api/ai/webhook-simple", callback_url)

        subprocess.run(["sh", "-c", command], capture_output=True, timeout=30, check=True)

        assert set(arrived.get(timeout=20)) == {"conversation_id", "message", "sender"}


def test_the_ai_of_the_readme_has_about_twenty_lines() -> None:
    assert len([line for line in example("python-ai").splitlines() if line.strip()]) <= 20


def test_every_test_that_a_table_names_exists() -> None:
    named = {
        (name_of(document), test)
        for document in DOCUMENTS
        for test in re.findall(r"`(test_\w+)`", document.read_text(encoding="utf-8"))
    }
    written = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    there = set(re.findall(r"def (test_\w+)\(", written)) | {
        path.stem for path in (ROOT / "tests").rglob("*.py")
    }

    assert len([test for document, test in named if document == "docs/channels/README.md"]) >= 9
    assert {(document, test) for document, test in named if test not in there} == set()
