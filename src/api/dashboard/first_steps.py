"""What is left to do on a fresh installation, until the first conversation is there."""

from __future__ import annotations

from dataclasses import dataclass

from src.account import DEFAULT_CHANNEL
from src.api.dashboard.page import Page
from src.languages import sentence
from src.services import notify
from src.services.status import Verdict


@dataclass(frozen=True, slots=True)
class FirstStep:
    """One line of the list. ``what`` and ``how`` are sentences of the catalogue."""

    what: str
    how: str
    done: bool
    command: str | None = None
    """To be typed at the machine; only where nothing else will do."""
    place: str | None = None
    """A page of ours where it is done."""
    place_name: str = ""


def first_steps(page: Page, stands: Verdict) -> list[FirstStep]:
    """In the order in which they are done."""
    on_airbnb = page.account.channel == DEFAULT_CHANNEL
    steps = [
        FirstStep(
            sentence("Say who answers"),
            sentence(
                "In .env: ASSISTANT_API_KEY for the built-in assistant, or AI_WEBHOOK_URL for your own AI."
            ),
            done=page.account.ai is not None,
        ),
        FirstStep(
            sentence("Start Nightporter"),
            sentence("At the machine:"),
            done=stands.state not in {"never_ran", "stopped"},
            command="python src/main.py syncsend",
        ),
        FirstStep(
            sentence("Log in to Airbnb, once") if on_airbnb else sentence("Let it read the inbox"),
            sentence(
                "As soon as it has stopped at the login page, you can do that here, from your phone, too."
            )
            if on_airbnb
            else sentence("It says above what is in its way."),
            done=stands.last_good_at is not None,
            place="/reconnect" if stands.halted else None,
            place_name=sentence("Reconnect"),
        ),
    ]
    if page.has_assistant:
        steps.append(
            FirstStep(
                sentence("Tell it about your home"),
                sentence("The assistant answers from your facts alone. Ask it what it would say."),
                done=False,
                place="/ai/knowledge",
                place_name=sentence("Knowledge"),
            )
        )
    steps.append(
        FirstStep(
            sentence("Have your phone ring when you are needed"),
            sentence("In .env: NOTIFY_URLS. Not at night: QUIET_HOURS."),
            done=notify.anybody(page.context.settings),
        )
    )
    return steps
