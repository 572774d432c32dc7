"""Who answers the guests, which models are asked in which order, and what cannot be right together."""

import pytest

from src.assistant_settings import OPENROUTER, AssistantSettings
from src.errors import SettingsError
from src.settings import load_settings

KEY = "sk-invented-0123456789"
LOCAL = "http://127.0.0.1:11434/v1"
HOOK = "http://127.0.0.1:9/hook"


def problems_of(root, environ):
    with pytest.raises(SettingsError) as caught:
        load_settings(root, environ, need_ai=True)
    return caught.value.problems


@pytest.mark.parametrize(
    ("environ", "ai", "mode"),
    [
        ({"AI_WEBHOOK_URL": HOOK}, "webhook", "auto"),
        ({"AI_WEBHOOK_URL": HOOK, "ASSISTANT_API_KEY": KEY}, "webhook", "auto"),
        ({"ASSISTANT_API_KEY": KEY}, "assistant", "draft"),
        ({"OPENROUTER_API_KEY": KEY}, "assistant", "draft"),
        ({"ASSISTANT_BASE_URL": LOCAL, "ASSISTANT_MODEL": "llama"}, "assistant", "draft"),
        (
            {"AI_WEBHOOK_URL": "https://your-ai.example/webhook", "ASSISTANT_API_KEY": KEY},
            "assistant",
            "draft",
        ),
        ({"ASSISTANT_API_KEY": KEY, "REPLY_MODE": "auto"}, "assistant", "auto"),
        ({"AI_WEBHOOK_URL": HOOK, "REPLY_MODE": "draft"}, "webhook", "draft"),
    ],
)
def test_who_answers_and_in_which_mode_follows_from_what_is_set(tmp_path, environ, ai, mode):
    settings = load_settings(tmp_path, environ, need_ai=True)
    assert (settings.ai, settings.reply_mode) == (ai, mode)


def test_neither_a_webhook_nor_a_model_is_one_line_that_names_both(tmp_path):
    (problem,) = problems_of(tmp_path, {})
    assert "AI_WEBHOOK_URL" in problem
    assert "ASSISTANT_API_KEY" in problem


@pytest.mark.parametrize(
    ("environ", "line"),
    [
        ({"ASSISTANT_BASE_URL": LOCAL}, "ASSISTANT_MODEL: is not set"),
        (
            {
                "ASSISTANT_BASE_URL": "https://models.example.net/v1",
                "ASSISTANT_MODEL": "m",
                "AI_WEBHOOK_URL": HOOK,
            },
            "ASSISTANT_API_KEY: is not set",
        ),
        ({"ASSISTANT_API_KEY": KEY, "ASSISTANT_DRAFT_FROM": "0.9"}, "ASSISTANT_DRAFT_FROM: 0.9 is more"),
        (
            {"ASSISTANT_API_KEY": KEY, "ASSISTANT_SEND_FROM": "2"},
            "ASSISTANT_SEND_FROM: '2' must be at most 1",
        ),
        ({"ASSISTANT_API_KEY": KEY, "ASSISTANT_DEADLINE_SEC": "9"}, "ASSISTANT_DEADLINE_SEC: 9 is less"),
        (
            {"ASSISTANT_API_KEY": KEY, "ASSISTANT_ANSWER_CLASSES": "price,safety"},
            "ASSISTANT_ANSWER_CLASSES: may",
        ),
        (
            {"ASSISTANT_API_KEY": KEY, "ASSISTANT_FALLBACK_MODELS": "a@http://x y"},
            "ASSISTANT_FALLBACK_MODELS: is",
        ),
        ({"ASSISTANT_API_KEY": KEY, "RAG_FINAL_RESULTS": "30"}, "RAG_FINAL_RESULTS: 30 is more"),
        ({"ASSISTANT_API_KEY": KEY, "ASSISTANT_RERANK": "r"}, "ASSISTANT_RERANK_URL: is not set"),
        ({"ASSISTANT_API_KEY": KEY, "ASSISTANT_MODLE": "r"}, "ASSISTANT_MODLE: is not a setting"),
    ],
)
def test_each_mistake_is_one_line_that_begins_with_the_variable(tmp_path, environ, line):
    (problem,) = problems_of(tmp_path, environ)
    assert problem.startswith(line)


def test_names_of_other_programs_that_begin_alike_are_no_error(tmp_path):
    environ = {"OPENROUTER_SITE": "x", "COHERE_REGION": "y", "RAG_DEBUG": "1", "ASSISTANT_API_KEY": KEY}
    assert load_settings(tmp_path, environ).ai == "assistant"


def test_the_models_are_asked_in_the_order_in_which_they_are_named():
    settings = AssistantSettings(
        assistant_api_key=KEY,
        assistant_model="main",
        assistant_triage_model="small",
        assistant_fallback_models=f"second, vendor/third@{LOCAL}/",
    )
    names = [(rung.name, rung.base_url) for rung in settings.ladder(settings.assistant_triage_model)]
    assert names == [
        ("small", OPENROUTER),
        ("main", OPENROUTER),
        ("second", OPENROUTER),
        ("vendor/third", LOCAL),
    ]


def test_the_key_of_one_service_is_never_sent_to_another():
    settings = AssistantSettings(
        assistant_api_key=KEY,
        assistant_model="main",
        assistant_base_url="https://models.example.net/v1",
        assistant_fallback_models=f"other@{LOCAL}",
    )
    assert settings.ladder()[1].key is None
    assert (
        AssistantSettings(openrouter_api_key=KEY, assistant_base_url="https://x.example.net").api_key is None
    )
