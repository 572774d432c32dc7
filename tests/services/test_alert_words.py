"""What alerts say, in the words of the channel that they are about."""

import pytest

from src.model.incidents import IncidentKind
from src.model.rows import StoredIncident
from src.model.values import utc_now
from src.services.alert_words import words_for
from src.services.alerts import Notice
from src.settings import Settings


def text_of(kind: IncidentKind, detail: str, channel: str, language: str = "en") -> str:
    now = utc_now()
    incident = StoredIncident("1", "default", str(kind), "", detail, now, now, None, None, 0, 0)
    notice = Notice("default", kind, (incident,), over=False)
    words = words_for(notice, Settings(dashboard_language=language), channel=channel)
    return f"{words.title} {words.text}"


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize(
    ("kind", "detail"),
    [
        (IncidentKind.INQUIRY_WAITS, ""),
        (IncidentKind.INQUIRY, ""),
        (IncidentKind.HALTED, "challenge"),
        (IncidentKind.HALTED, "logged_out"),
        (IncidentKind.HALTED, "blocked"),
    ],
)
def test_an_alert_of_another_channel_does_not_speak_of_airbnb(kind, detail, language):
    assert "Airbnb" in text_of(kind, detail, "airbnb", language)
    for channel in ("whatsapp", "widget", "pgnotify"):
        assert "Airbnb" not in text_of(kind, detail, channel, language)
