"""The loader of prompts."""

from __future__ import annotations

from pathlib import Path

import pytest

from plumbline.errors import ConfigError
from plumbline.prompts import load_prompt


def test_the_system_prompt_says_what_it_must() -> None:
    body = load_prompt("answer").body
    assert "I don't have enough information." in body
    assert "[Source: document_name, page X]" in body
    assert load_prompt("answer").version


def test_render_fills_places_and_never_expands_values() -> None:
    rendered = load_prompt("question").render({"context": "{{question}}", "question": "Why?"})
    assert "{{question}}" in rendered
    assert rendered.endswith("Question: Why?")


def test_missing_values_are_named() -> None:
    with pytest.raises(ConfigError, match="without a value: context"):
        load_prompt("question").render({"question": "Why?"})


def test_an_unknown_prompt_suggests_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'answer'"):
        load_prompt("anwser")


def test_a_prompt_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.md"
    path.write_text("---\nversion: 3\n---\nBe kind.\n", encoding="utf-8")
    prompt = load_prompt(str(path))
    assert (prompt.name, prompt.version, prompt.body) == ("mine", "3", "Be kind.")


@pytest.mark.parametrize(("text", "reason"), [("Be kind.", "front matter"), ("---\nname: x\n---\nBe kind.", "version")])
def test_a_prompt_without_a_version_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "bad.md"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=reason):
        load_prompt(str(path))


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ConfigError, match=r"no prompt file at nowhere\.md"):
        load_prompt("nowhere.md")
