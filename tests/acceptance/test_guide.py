"""The guide from nothing to the first good draft, command by command as it stands, on a model server of tests."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.model_server import ModelServer

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(240)]

ROOT = Path(__file__).resolve().parent.parent.parent
ELSEWHERE = ("scripts/setup.sh", "activate", "reconnect_airbnb.py", "syncsend")
"""What other tests stand for: it needs an empty machine, or an inbox."""


def commands() -> list[str]:
    """The shell lines of the guide."""
    text = (ROOT / "docs" / "assistant.md").read_text(encoding="utf-8")
    guide = text.partition("## From nothing to the first good draft")[2].partition("\n###")[0]
    blocks = re.findall(r"```sh\n(.*?)```", guide, re.DOTALL)
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip()]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The repository's files in another place, without what a start leaves."""
    folder = tmp_path / "nightporter"
    folder.mkdir()
    for name in ("src", "knowledge.example"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".env.example", folder)
    return folder


def test_the_guides_commands_lead_to_a_draft_with_its_source(clone: Path) -> None:
    mine = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "HOME": str(clone)}
    said: dict[str, str] = {}
    with ModelServer() as model:
        for command in commands():
            if any(word in command for word in ELSEWHERE):
                continue
            done = subprocess.run(
                command,
                shell=True,
                cwd=clone,
                env=mine,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, (command, done.stdout, done.stderr)
            said[command] = done.stdout
            if command.startswith("cp "):  # the key, or the address of a model: the guide says both
                with (clone / ".env").open("a") as file:
                    file.write(f"\nASSISTANT_BASE_URL={model.base_url}\nASSISTANT_MODEL=main\n")
    checked, parking, address, trampoline = list(said.values())[-4:]
    assert "0 errors, 0 warnings" in checked
    assert "attic.md#parking" in parking
    assert "An answer that would wait for you" in parking
    assert "after-booking.md#address" in address
    assert "A person answers (missing_fact)" in trampoline
