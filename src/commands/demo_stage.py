"""What both demos are played with: the product's own settings, with the sandbox in the place of the outside."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path

from sandbox.model import KNOWLEDGE, NAME, SandboxModel
from src.settings import Settings, load_settings


def demo_settings(folder: Path, port: int, model: SandboxModel, changes: Mapping[str, str]) -> Settings:
    """The product's own settings, with the sandbox in the place of the model, and a quick pace."""
    shutil.copytree(KNOWLEDGE, folder / "knowledge")
    # Of what is set outside only the browser counts: the demo must not find its way to a real inbox.
    outside = {name: os.environ[name] for name in ("BROWSER_EXECUTABLE_PATH",) if name in os.environ}
    return load_settings(
        folder,
        {
            **outside,
            "ASSISTANT_BASE_URL": model.base_url,
            "ASSISTANT_MODEL": NAME,
            "ASSISTANT_KNOWLEDGE_DIR": str(folder / "knowledge"),
            "ASSISTANT_AGENTS_DIR": str(folder / "agents"),
            "ASSISTANT_EMBEDDINGS": "off",
            "REPLY_MODE": "auto",  # a host begins with drafts; here nobody is there to approve them
            "DATABASE_URL": f"sqlite:///{folder}/demo.db",
            "PLAYWRIGHT_SESSION_DIR": str(folder / "session"),
            "LOG_DIR": str(folder / "logs"),
            "API_PORT": str(port),
            "SCRAPE_INTERVAL_SEC": "5",
            "GROUPING_DELAY_SEC": "1",
            "GROUPING_MAX_SEC": "5",
            # Who plays a guest writes more, and quicker, than any guest.
            "REPLY_CAP_CONVERSATION_HOUR": "1000",
            "REPLY_CAP_CONVERSATION_DAY": "1000",
            "REPLY_CAP_ACCOUNT_HOUR": "1000",
            "REPLY_CAP_ROUNDS": "1000",
            "REPLY_CAP_SAME_MESSAGE": "1000",
            "REPLY_CAP_SAME_REPLY": "1000",
            **changes,
        },
    )


def free_port() -> int:
    """One on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
