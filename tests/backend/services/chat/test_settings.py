"""Which language model is asked, by the environment."""

from __future__ import annotations

import pytest

from backend.config import Config, ConfigError
from backend.settings.chat import GEMINI_URL, ChatSettings, of_chat

URL, MODEL = "CHAT_BASE_URL", "CHAT_MODEL"
SAFE = {URL: "https://api.example.org/v1", MODEL: "m"}


@pytest.mark.parametrize(
    ("given", "settings"),
    [
        ({}, ChatSettings()),
        (
            {URL: "http://localhost:11434/v1/", MODEL: "llama"},
            ChatSettings("http://localhost:11434/v1", "llama"),
        ),
        ({URL: "http://ollama:11434/v1", MODEL: "m"}, ChatSettings("http://ollama:11434/v1", "m")),
        ({URL: "http://192.168.1.4/v1", MODEL: "m"}, ChatSettings("http://192.168.1.4/v1", "m")),
        (
            SAFE | {"CHAT_API_KEY": "k", "GENAI_API_KEY": "g", "CHAT_TIMEOUT_S": "7"},
            ChatSettings("https://api.example.org/v1", "m", "k", 7.0),
        ),
        ({"GENAI_API_KEY": "g"}, ChatSettings(GEMINI_URL, "gemini-flash-latest", "g")),
        ({"GENAI_API_KEY": "g", MODEL: "other"}, ChatSettings(GEMINI_URL, "other", "g")),
        (SAFE | {"GENAI_API_KEY": "g"}, ChatSettings("https://api.example.org/v1", "m")),
    ],
)  # fmt: skip
def test_settings(given: dict[str, str], settings: ChatSettings) -> None:
    assert of_chat(given) == Config.from_env(given).chat == settings


@pytest.mark.parametrize(
    "given",
    [
        {MODEL: "m"},
        {URL: "https://x.org/v1"},
        {URL: "http://api.example.org/v1", MODEL: "m"},
        {URL: "http://8.8.8.8/v1", MODEL: "m"},
        {URL: "ftp://localhost/v1", MODEL: "m"},
        {URL: "https://user" + "@x.org/v1", MODEL: "m"},
        {URL: "https://x.org/v1", MODEL: "m", "CHAT_API_KEY": "k" * 7 + "\u00e9"},
        {URL: "https://x.org:99999/v1", MODEL: "m"},
        {"CHAT_TIMEOUT_S": "0"},
    ],
)
def test_what_means_nothing_is_refused_by_name_and_no_key_is_told(given: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="^CHAT_") as refused:
        of_chat(given)
    assert "k" * 7 not in str(refused.value)
    assert "k" not in repr(ChatSettings("https://x.org", "m", "kkk")).split("timeout")[0].replace("ChatSettings", "")
