"""Packages of npm that some tests need; they are put into a cache outside the repository."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest


def npm_modules(package: str, version: str) -> Path:
    """The folder ``node_modules`` with this package. The test is skipped if it cannot be had here."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip(f"npm is not installed, so {package} cannot be")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "nightporter-tests" / f"{package}-{version}"
    folder.mkdir(parents=True, exist_ok=True)
    # Tests run several at a time: two installs into one folder undo each other's files.
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _installed(npm, package, version, folder)


def _installed(npm: str, package: str, version: str, folder: Path) -> Path:
    modules = folder / "node_modules"
    if (modules / ".package-lock.json").exists():  # what npm writes last
        return modules
    command = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", f"{package}@{version}"]
    for _ in range(2):
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=100, stdin=subprocess.DEVNULL, check=False
        )
        if done.returncode == 0:
            return modules
    pytest.skip(f"npm cannot install {package} here: {done.stderr.strip()[-300:]}")
