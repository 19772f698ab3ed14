from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from plumbline.errors import MissingExtraError
from routing.chat import ChatModel
from routing.cost.price_file import shipped_prices
from routing.errors import MissingKeyError, UnknownModelError
from routing.models.catalog import DEFAULT_CATALOG, chat_model, embedder, parse_name, reranker
from routing.models.facts import provider_facts
from routing.models.failures import Endpoint
from routing.models.providers import ModelName, Provider
from routing.testing.chat import REQUEST
from routing.testing.fakes import FakeEmbedder, ScriptedChatModel
from routing.testing.server import FakeProvider

KEYS = {"OPENAI_API_KEY": "sk-1", "ANTHROPIC_API_KEY": "sk-ant-1"}


def address_of(model: ChatModel) -> str:
    endpoint = model._endpoint  # type: ignore[attr-defined]  # where a call goes shows only in what it does
    assert isinstance(endpoint, Endpoint)
    return endpoint.address


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("openai/gpt-5-mini", ModelName("openai", "gpt-5-mini")),
        ("vllm/org/model@http://h:1/v1", ModelName("vllm", "org/model", "http://h:1/v1")),
        ("openai/gpt-5.4@responses", ModelName("openai", "gpt-5.4", "responses")),
        ("openai/gpt-5.4@else", ModelName("openai", "gpt-5.4@else")),
        ("vllm/a@b@https://h", ModelName("vllm", "a@b", "https://h")),
        ("vllm/x@http://u:p@h", ModelName("vllm", "x", "http://u:p@h")),
        ("st//models/my model", ModelName("st", "/models/my model")),
        (" openai/ft:gpt-4o:org::id ", ModelName("openai", "ft:gpt-4o:org::id")),
        ("gpt-5", None),
        ("/gpt-5", None),
        ("openai/", None),
        ("", None),
    ],
)
def test_names_are_taken_apart(name: str, expected: ModelName | None) -> None:
    assert parse_name(name) == expected


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("opnai/gpt-5", "Did you mean 'openai/gpt-5'?"),
        ("gpt-5-mini", "Did you mean 'openai/gpt-5-mini'?"),
        ("claude-haiku-4-5", "Did you mean 'anthropic/claude-haiku-4-5'?"),
        ("openai/gpt5-mini", "Did you mean 'openai/gpt-5-mini'?"),
        ("anthropic/cluade-opus-5", "Did you mean 'anthropic/claude-opus-5'?"),
        ("anthropic/gpt-5", "There is no chat model 'anthropic/gpt-5'."),
        ("openai/text-embedding-3-large", "is an embedder"),
        ("openai/gpt-5@http://h:1", "openai-compatible/gpt-5@ADDRESS"),
        ("extractive/defalt", "Did you mean 'extractive/default'?"),
        ("embedded/wordllama", "'embedded' has no chat models."),
        ("llama", "Examples: extractive/default"),
        ("", "Examples: extractive/default"),
        ("vllm/model", "Write 'vllm/model@http://localhost:8000'."),
        ("vllm/model@ftp://h", "not of the form http://host:port"),
        ("vllm/model@http://h:port", "cannot be read"),
        ("vllm/model@http://h:70000", "cannot be read"),
        ("vllm/model@http://:8000", "not of the form"),
        ("vllm/model@http://user:key@h", "VLLM_API_KEY"),
        ("openai-compatible/m", "does not say where"),
    ],
)
def test_wrong_names_say_what_is_right(name: str, says: str) -> None:
    with pytest.raises(UnknownModelError) as caught:
        DEFAULT_CATALOG.check_chat_model(name)
    assert says in str(caught.value)
    with pytest.raises(UnknownModelError):
        chat_model(name, environ=KEYS)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("anthropic/claude-haiku-4-5", "Those that have: embedded, st, openai, cohere, vllm, openai-compatible."),
        ("openai/text-embeding-3-large", "Did you mean 'openai/text-embedding-3-large'?"),
        ("openai/gpt-5", "There is no embedder 'openai/gpt-5'."),
        ("embedded/wordlama", "Did you mean 'embedded/wordllama'?"),
        ("text-embedding-3-small", "Did you mean 'openai/text-embedding-3-small'?"),
        ("vllm/model", "does not say where"),
    ],
)
def test_wrong_embedders_say_what_is_right(name: str, says: str) -> None:
    with pytest.raises(UnknownModelError) as caught:
        DEFAULT_CATALOG.check_embedder(name)
    assert says in str(caught.value)


def test_keys_never_show() -> None:
    address = "http://user:s3cret@h:port"
    for name in (f"vllm/model@{address}", f"openai/gpt-5@{address}"):
        with pytest.raises(UnknownModelError) as caught:
            DEFAULT_CATALOG.check_chat_model(name)
        assert "s3cret" not in str(caught.value)
        assert "s3cret" not in caught.value.model


def test_a_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("routing.models.providers.find_spec", lambda package: None)
    extras = {"openai/gpt-5": "openai", "anthropic/claude-opus-5": "anthropic", "vllm/m@http://h": "openai"}
    for name, extra in extras.items():
        with pytest.raises(MissingExtraError, match=rf"plumbline\[{extra}\]"):
            chat_model(name, environ=KEYS)


def test_hosted_models() -> None:
    pytest.importorskip("openai")
    pytest.importorskip("anthropic")
    model = chat_model("openai/gpt-5-mini", environ={**KEYS, "OPENAI_BASE_URL": "http://proxy:1/v1"})
    assert model.name == "openai/gpt-5-mini"
    assert address_of(model) == "http://proxy:1/v1"
    model = chat_model("anthropic/claude-opus-5-5", environ=KEYS)
    assert (model.name, address_of(model)) == ("anthropic/claude-opus-5-5", "https://api.anthropic.com")


@pytest.mark.parametrize(
    ("address", "used"),
    [
        ("http://h:8000", "http://h:8000/v1"),
        ("http://h:8000/", "http://h:8000/v1"),
        ("https://h/api/v3/", "https://h/api/v3"),
        ("http://[::1]:8000", "http://[::1]:8000/v1"),
    ],
)
def test_served_models_need_no_key(address: str, used: str) -> None:
    pytest.importorskip("openai")
    for provider in ("vllm", "openai-compatible"):
        model = chat_model(f"{provider}/org/m@{address}", environ={})
        assert model.name == f"{provider}/org/m"
        assert address_of(model) == used


def test_embedders() -> None:
    pytest.importorskip("openai")
    assert embedder("openai/text-embedding-3-large", environ=KEYS).dim == 3072
    short = embedder("openai/text-embedding-3-large", dimensions=1536, environ=KEYS)
    assert (short.dim, short.max_tokens, short.name) == (1536, 8192, "openai/text-embedding-3-large")
    served = embedder("vllm/m@http://h:1", dimensions=384, environ={})
    assert (served.dim, served.max_tokens) == (384, None)


@pytest.mark.parametrize(
    ("name", "dimensions", "says"),
    [
        ("openai/text-embedding-3-large", 5000, "at most 3072"),
        ("openai/text-embedding-ada-002", 512, "of 1536 numbers, not 512"),
        ("vllm/m@http://h:1", None, "embedding.dimensions"),
        ("st/some-model", 128, "cannot be shortened"),
    ],
)
def test_lengths_that_a_model_cannot_give(name: str, dimensions: int | None, says: str) -> None:
    pytest.importorskip("openai")
    with pytest.raises(UnknownModelError, match=says):
        embedder(name, dimensions=dimensions, environ=KEYS)


def test_models_without_a_key() -> None:
    assert chat_model("extractive/default", environ={}).name == "extractive/default"
    assert embedder("st/some-model", environ={}).name == "st/some-model"


def test_own_providers() -> None:
    mine = Provider(
        "mine",
        chat=lambda model, options: ScriptedChatModel("hello", name=model.full),
        embedder=lambda model, options: FakeEmbedder(options.dimensions or 8),
    )
    catalog = DEFAULT_CATALOG.with_provider(mine)
    assert catalog.chat_model("mine/model@http://h").name == "mine/model"
    assert catalog.embedder("mine/e", dimensions=4).dim == 4
    with pytest.raises(UnknownModelError):
        DEFAULT_CATALOG.check_chat_model("mine/model")


def test_reading_names_imports_nothing_heavy() -> None:
    heavy = ("openai", "anthropic", "numpy", "tiktoken", "sqlalchemy", "aiohttp", "httpx2")
    code = (
        "import sys; from routing.models.catalog import DEFAULT_CATALOG as c;"
        "c.check_chat_model('openai/gpt-5'); c.check_chat_model('anthropic/claude-opus-5');"
        "c.chat_model('vllm/m@http://h', environ={});"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    pytest.importorskip("openai")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_every_suggested_model_is_one(provider: str) -> None:
    for name in provider_facts(provider).known:
        DEFAULT_CATALOG.check_chat_model(f"{provider}/{name}")


@pytest.mark.parametrize(
    ("provider", "name", "temperature"),
    [
        ("openai", "gpt-5-mini-2025-08-07", False),
        ("openai", "gpt-5-chat-latest", None),
        ("openai", "gpt-5.2", None),
        ("openai", "gpt-5.6-luna", False),
        ("openai", "gpt-6.1-sol", False),
        ("openai", "gpt-4o-mini", True),
        ("openai", "o4-mini", False),
        ("openai", "gpt-99", None),
        ("anthropic", "claude-haiku-4-5-20251001", False),
        ("anthropic", "claude-unheard-of", False),
    ],
)
def test_which_models_take_a_temperature(provider: str, name: str, temperature: bool | None) -> None:
    assert provider_facts(provider).of_chat(name).temperature is temperature


def test_every_price_belongs_to_a_model() -> None:
    """A price under a misspelt name would never be found."""
    for model in shipped_prices().prices:
        name = parse_name(model)
        assert name is not None
        facts = provider_facts(name.provider)
        reranker = facts.of_reranker(name.name)
        assert facts.has_family(name.name) or facts.of_embedder(name.name).dimensions or reranker, model
        by_search = shipped_prices().prices[model].searches is not None
        assert by_search == (reranker is not None and reranker.by_search), model


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("cohere/rerank-v3.6", None),
        ("cohere/rerank-v4.0-fast", None),
        ("vllm/org/m@http://h:1", None),
        ("cohere/rerank", "There is no reranker 'cohere/rerank'. Did you mean"),
        ("cohere/embed-v4.0", "There is no reranker"),
        ("cohre/rerank-v3.5", "Did you mean 'cohere/rerank-v3.5'?"),
        ("rerank-v4.0-pro", "Did you mean 'cohere/rerank-v4.0-pro'?"),
        ("cohere/rerank-v3.5@http://h:1", "set CO_API_URL"),
        ("openai/gpt-5", "'openai' has no rerankers. Those that have: extractive, st, cohere, vllm"),
        ("vllm/m", "does not say where"),
        ("", "Examples: "),
    ],
)
def test_names_of_rerankers(name: str, says: str | None) -> None:
    if says is None:
        DEFAULT_CATALOG.check_reranker(name)
        return
    with pytest.raises(UnknownModelError) as caught:
        DEFAULT_CATALOG.check_reranker(name)
    assert says in str(caught.value)


def test_rerankers_and_embedders_of_cohere_want_a_key() -> None:
    pytest.importorskip("cohere")
    with pytest.raises(MissingKeyError, match="CO_API_KEY"):
        reranker("cohere/rerank-v3.5", environ={})
    with pytest.raises(MissingKeyError, match="CO_API_KEY"):
        embedder("cohere/embed-v4.0", environ={})
    assert reranker("cohere/rerank-v3.5", environ={"CO_API_KEY": "k"}).name == "cohere/rerank-v3.5"
    assert embedder("cohere/embed-v4.0", dimensions=512, environ={"CO_API_KEY": "k"}).dim == 512
    with pytest.raises(UnknownModelError, match="at most 1536"):
        embedder("cohere/embed-v4.0", dimensions=2048, environ={"CO_API_KEY": "k"})
    with pytest.raises(UnknownModelError, match="gives vectors of 1024"):
        embedder("cohere/embed-english-v3.0", dimensions=512, environ={"CO_API_KEY": "k"})


def test_a_served_reranker_needs_no_key() -> None:
    pytest.importorskip("openai")
    assert reranker("vllm/org/m@http://h:1", environ={}).name == "vllm/org/m"


def test_a_cross_encoder_without_its_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("routing.models.providers.find_spec", lambda package: None)
    with pytest.raises(MissingExtraError, match=r"plumbline\[st\]"):
        reranker("st/any", environ={})


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("openai/gpt-5.4", "/v1/chat/completions"),
        ("openai/gpt-5.4-pro", "/v1/responses"),
        ("openai/gpt-5.4@responses", "/v1/responses"),
        ("openai/gpt-5.4-pro@chat", "/v1/chat/completions"),
    ],
)
async def test_which_interface_of_openai_is_asked(name: str, path: str) -> None:
    pytest.importorskip("openai")
    async with FakeProvider() as server:
        environ = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": f"{server.url}/v1"}
        model = chat_model(name, environ=environ)
        await model.complete(REQUEST)
        await model.close()
        assert server.requests[-1].path == path
        assert model.name == name.partition("@")[0] == DEFAULT_CATALOG.full_name(name)


@pytest.mark.parametrize("name", ["anthropic/claude-haiku-4-5@responses", "openai/text-embedding-3-small@responses"])
def test_no_other_has_interfaces_to_choose_from(name: str) -> None:
    with pytest.raises(UnknownModelError):
        DEFAULT_CATALOG.check_chat_model(name)
    with pytest.raises(UnknownModelError):
        DEFAULT_CATALOG.check_embedder(name)


@pytest.mark.parametrize(
    ("check", "says"),
    [
        (DEFAULT_CATALOG.check_chat_model, "cohere/command-a-03-2025"),
        (DEFAULT_CATALOG.check_embedder, "openai/text-embedding-3-small"),
        (DEFAULT_CATALOG.check_reranker, "cohere/rerank-v4.0-fast"),
    ],
)
def test_examples_are_of_the_kind_that_is_wanted(check: Callable[[str], None], says: str) -> None:
    with pytest.raises(UnknownModelError, match="Examples") as raised:
        check("nonsense")
    assert says in str(raised.value)
    named = [name.strip(" .") for name in str(raised.value).partition("Examples: ")[2].split(",")]
    for name in named:
        if "NAME" not in name:
            check(name)


@pytest.mark.parametrize("name", provider_facts("cohere").known)
def test_chat_models_of_cohere(name: str) -> None:
    model = DEFAULT_CATALOG.chat_model(f"cohere/{name}", environ={"CO_API_KEY": "k"})
    assert model.name == f"cohere/{name}"
    with pytest.raises(MissingKeyError, match="CO_API_KEY"):
        DEFAULT_CATALOG.chat_model(f"cohere/{name}", environ={})
    with pytest.raises(UnknownModelError, match="embedder"):
        DEFAULT_CATALOG.check_embedder(f"cohere/{name}")
