"""Two APIs behind the shipped nginx file, restarted one after the other while they are called: no call fails."""

from __future__ import annotations

import base64
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Self

import httpx
import pytest
from sqlalchemy import func, select

from src.db.engine import Database
from src.db.statements import OUTBOX
from tests.acceptance.house import ROOT, wait_until
from tests.support.databases import PostgresServer
from tests.support.ports import free_port

pytestmark = [pytest.mark.acceptance, pytest.mark.postgres]

KEY = "a-key-for-the-rolling-restart"
CALLERS = 4


@dataclass
class Api:
    """``python src/main.py api`` on a port of its own."""

    environment: dict[str, str]
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "src/main.py", "api"],
            cwd=ROOT,
            env={**self.environment, "API_PORT": str(self.port)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(self.is_ready, f"the API on port {self.port}")

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/health/ready", trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@pytest.fixture
def apis(postgres_server: PostgresServer, tmp_path: Path) -> Iterator[list[Api]]:
    for url in postgres_server.emptied_database():
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        environment = {
            **inherited,
            "DATABASE_URL": url,
            "API_KEY": KEY,
            "AI_WEBHOOK_URL": "http://127.0.0.1:9/nobody",
            "LOG_DIR": str(tmp_path / "logs"),
            "PLAYWRIGHT_SESSION_DIR": str(tmp_path / "session"),
            "TRUSTED_PROXIES": "127.0.0.1",
        }
        both = [Api(environment), Api(environment)]
        try:
            for api in both:
                api.start()
            yield both
        finally:
            for api in both:
                if api.process is not None and api.process.poll() is None:
                    api.process.kill()
                    api.process.wait()


@pytest.fixture
def proxy(apis: list[Api], tmp_path: Path) -> Iterator[str]:
    """The address of nginx with ops/nginx.conf, in which only addresses and the port are others."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        pytest.skip("nginx is not installed")
    port, text = free_port(), (ROOT / "ops" / "nginx.conf").read_text(encoding="utf-8")
    for api, address in zip(apis, re.findall(r"server ([\d.]+:8000)", text), strict=True):
        text = text.replace(address, f"127.0.0.1:{api.port}")
    (tmp_path / "nightporter.conf").write_text(text.replace("listen 8080;", f"listen 127.0.0.1:{port};"))
    user = "user root;" if os.geteuid() == 0 else ""
    temporary = " ".join(
        f"{kind}_temp_path {tmp_path}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (tmp_path / "nginx.conf").write_text(
        f"{user} daemon off; pid {tmp_path}/nginx.pid; error_log {tmp_path}/nginx.log; events {{}}\n"
        f"http {{ access_log off; {temporary} include {tmp_path}/nightporter.conf; }}\n"
    )
    command = [
        program,
        "-p",
        str(tmp_path),
        "-c",
        str(tmp_path / "nginx.conf"),
        "-e",
        str(tmp_path / "nginx.log"),
    ]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    running = subprocess.Popen(command)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: _status(f"{url}/health/live") == 200, "nginx")
        yield url
    finally:
        running.terminate()
        running.wait(20)


def _status(url: str) -> int | None:
    try:
        return httpx.get(url, trust_env=False).status_code
    except httpx.HTTPError:
        return None


class Callers:
    """Call without a pause, half of it with POSTs, each of which stores a reply; note what does not go well."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._numbers = count(1)
        self._stop = threading.Event()
        self.calls = 0
        self.taken = 0
        self.failures: list[str] = []
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._call) for _ in range(CALLERS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _call(self) -> None:
        with httpx.Client(base_url=self._url, trust_env=False, timeout=20) as client:
            while not self._stop.is_set():
                number = next(self._numbers)
                try:
                    answer = client.get("/health/live") if number % 2 else self._post(client, number)
                    problem = None if answer.status_code == 200 else f"{number}: {answer.status_code}"
                except httpx.HTTPError as error:
                    problem = f"{number}: {type(error).__name__}"
                with self._lock:
                    self.calls += 1
                    self.taken += problem is None and not number % 2
                    if problem:
                        self.failures.append(problem)

    def _post(self, client: httpx.Client, number: int) -> httpx.Response:
        conversation = base64.b64encode(f"MessageThread:{1_000_000 + number}".encode()).decode()
        said = {"conversation_id": conversation, "message": f"Reply {number}"}
        return client.post("/api/v2/ai/webhook-simple", json=said, headers={"X-API-KEY": KEY})


def test_no_call_fails_while_both_apis_are_restarted_twice(apis: list[Api], proxy: str):
    with Callers(proxy) as callers:
        wait_until(lambda: callers.calls > 20, "the first calls")
        for api in apis * 2:
            assert api.stop() == 0
            api.start()
    assert callers.failures == []
    db = Database.open(apis[0].environment["DATABASE_URL"])
    with db.read() as conn:
        stored = conn.execute(select(func.count()).select_from(OUTBOX)).scalar_one()
    db.close()
    assert callers.calls > 100
    assert stored == callers.taken


def test_a_page_that_watches_through_nginx_hears_at_once(apis: list[Api], proxy: str):
    with (
        httpx.Client(base_url=proxy, trust_env=False, timeout=20) as client,
        client.stream("GET", "/events", headers={"authorization": f"Bearer {KEY}"}) as stream,
    ):
        assert next(stream.iter_text()) == "retry: 5000\n\n"
