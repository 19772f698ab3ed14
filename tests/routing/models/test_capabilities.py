from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from routing.chat import ChatOptions, ChatRequest, Image, Message, Tool
from routing.errors import BadRequestError, UnsupportedError
from routing.models.capabilities import check_supported
from routing.models.facts import UNKNOWN, ModelFacts, provider_facts

ASKED = ChatRequest((Message("user", "What is on the picture?"),))
PICTURE = Image(b"\x89PNG")
SEEING = replace(ASKED, messages=(Message("user", "What is on the picture?", images=(PICTURE,)),))


@pytest.mark.parametrize(
    ("facts", "request_", "effort", "says"),
    [
        (ModelFacts(images=False), SEEING, None, "reads no images"),
        (ModelFacts(tools=False), replace(ASKED, tools=(Tool("t", "d", {}),)), None, "calls no tools"),
        (ModelFacts(schema=False), replace(ASKED, response_schema={}), None, "does not keep its answer to a schema"),
        (ModelFacts(stop=False), replace(ASKED, options=ChatOptions(stop=("END",))), None, "does not stop at words"),
        (ModelFacts(logprobs=False), replace(ASKED, options=ChatOptions(logprobs=0)), None, "no log-probabilities."),
        (
            ModelFacts(sampling_at="none", default_effort="none"),
            replace(ASKED, options=ChatOptions(logprobs=2)),
            "high",
            "unless its effort is 'none'",
        ),
        (ModelFacts(efforts=("low", "high")), ASKED, "lots", "effort 'lots'"),
        (ModelFacts(efforts=()), ASKED, "low", "effort 'low'"),
        (UNKNOWN, replace(ASKED, options=ChatOptions(tier="batch")), None, "at the price of a batch"),
    ],
)
def test_what_is_refused(facts: ModelFacts, request_: ChatRequest, effort: str | None, says: str) -> None:
    with pytest.raises(UnsupportedError, match=says) as caught:
        check_supported(request_, facts, "openai/m", effort=effort)
    assert caught.value.model == "openai/m"


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0.5},
        {"top_p": 0.1, "seed": 3},
        {"logprobs": 5},
        {"stop": ("END",)},
        {"tier": "flex"},
        {"effort": "any"},
    ],
)
def test_what_is_unknown_is_let_through(options: dict[str, Any]) -> None:
    asked = replace(SEEING, options=ChatOptions(**options), tools=(Tool("t", "d", {}),))
    check_supported(asked, UNKNOWN, "vllm/m", effort=asked.options.effort)


def test_sampling_at_one_effort() -> None:
    facts = ModelFacts(sampling_at="none", default_effort="none")
    assert facts.takes("temperature", None) is True
    assert facts.takes("top_p", "none") is True
    assert facts.takes("logprobs", "low") is False
    assert ModelFacts(sampling_at="none", default_effort="medium").takes("temperature", None) is False
    assert UNKNOWN.takes("temperature", "low") is None


@pytest.mark.parametrize("image", [Image(), Image(b"x", "https://example.org/x.png")])
def test_an_image_is_either_data_or_an_address(image: Image) -> None:
    with pytest.raises(BadRequestError, match="message 0 must have either"):
        check_supported(replace(ASKED, messages=(Message("user", "", images=(image,)),)), UNKNOWN, "vllm/m")


def test_only_users_show_images() -> None:
    with pytest.raises(BadRequestError, match="Message 0, of the role 'system'"):
        check_supported(replace(ASKED, messages=(Message("system", "", images=(PICTURE,)),)), UNKNOWN, "vllm/m")


@pytest.mark.parametrize(
    ("name", "fact", "expected"),
    [
        ("gpt-5.5-pro", "api", "responses"),
        ("gpt-5.1-codex-max", "api", "responses"),
        ("o3-pro", "api", "responses"),
        ("gpt-5.4", "api", "chat"),
        ("gpt-5.4", "tools_api", "responses"),
        ("gpt-4o", "tools_api", None),
        ("gpt-4.1-mini", "tokenizer", "o200k_base"),
        ("ft:gpt-4.1-mini-2025-04-14:shop::1", "context", 1047576),
        ("gpt-4", "images", False),
        ("gpt-4o", "efforts", ()),
        ("o3", "efforts", ("low", "medium", "high")),
        ("gpt-5-pro", "streams", False),
        ("gpt-5-pro", "max_input", None),
    ],
)
def test_facts_of_openai(name: str, fact: str, expected: object) -> None:
    assert getattr(provider_facts("openai").of_chat(name), fact) == expected
