"""Rules and fallbacks from a configuration to an answer, and what `rag route` says of them."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from plumbline.cli import main
from plumbline.errors import ConfigError, InputError
from rag import RAG
from rag.config import open_home, read_rag_settings
from rag.route import route as find
from routing.chat import Usage
from routing.cost.ledger import LedgerEntry
from routing.errors import ConnectionFailedError, UnsupportedError
from routing.models.anthropic import AnthropicChatModel
from routing.testing.batches import FakeBatches
from routing.testing.scripted import ScriptedChatModel

CONFIG = """
generation: {model: openai/gpt-5-mini}
routing:
  rules:
    - {name: private, local: true, use: ["vllm/qwen@http://localhost:8000"]}
    - {name: acme, tenant: acme*, use: [anthropic/claude-haiku-4-5]}
    - {name: long, longer_than: 50000, use: [openai/gpt-4.1]}
  fallbacks: {down: [anthropic/claude-haiku-4-5, extractive/default], too_long: [openai/gpt-4.1]}
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PLUMBLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "80")
    path = tmp_path / "routes.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


class Route:
    """Runs `rag route` with the configuration."""

    def __init__(self, config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._config, self._capsys, self._monkeypatch = config, capsys, monkeypatch

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        return self._run("route", *arguments)

    def asked(self, *arguments: str) -> tuple[int, str, str]:
        """What `rag ask` says."""
        return self._run("ask", *arguments, "--json")

    def _run(self, command: str, *arguments: str) -> tuple[int, str, str]:
        words = ["rag", command, "How long is the refund window?", "--config", str(self._config), *arguments]
        self._monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as exit_:
            main()
        out, err = self._capsys.readouterr()
        return int(exit_.value.code or 0), out, err

    def json(self, *arguments: str) -> Any:
        code, out, err = self(*arguments, "--json")
        assert code == 0, err
        return json.loads(out)


@pytest.fixture
def route(config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Route:
    return Route(config, capsys, monkeypatch)


def test_it_says_who_answers_and_by_which_rule(route: Route, tmp_path: Path) -> None:
    assert route() == (0, "openai/gpt-5-mini  configured\n", "")
    assert route("--tenant", "acme-2")[1] == "anthropic/claude-haiku-4-5  rule 'acme'\n"
    assert route("--tokens", "60000")[1] == "openai/gpt-4.1  rule 'long'\n"
    assert route("--local")[1] == "vllm/qwen  rule 'private'\n"
    assert route("--model", "openai/gpt-4.1")[1] == "openai/gpt-4.1  asked for by name\n"
    assert not (tmp_path / "home").exists(), "nothing is asked, and nothing is written"


def test_a_batch_is_foretold_at_its_own_price(route: Route) -> None:
    def most(*arguments: str) -> dict[str, float]:
        found = route.json("--explain", "--tokens", "2000", *arguments)
        return {each["model"]: each["most"] for each in found["considered"]}

    at_once, batched = most(), most("--set", "generation.batch=true")
    assert batched.pop("openai/gpt-5-mini") == pytest.approx(at_once.pop("openai/gpt-5-mini") / 2)
    assert batched == at_once, "the others are asked at once"


def test_a_question_that_cannot_be_asked_has_no_route(config: Path) -> None:
    settings = read_rag_settings(config, environ={})
    for question, says in (("  ", "The question is empty"), ("x" * 100_000, "100,000 characters")):
        with pytest.raises(InputError, match=says):
            find(question, settings)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("embedding.model=openai/text-embedding-3-small", "embedding.model is 'openai/text-embedding-3-small'"),
        ("store={kind: qdrant, url: http://qdrant.example:6333}", "store.url is"),
    ],
)
def test_what_cannot_be_searched_for_here_has_no_local_route(route: Route, setting: str, says: str) -> None:
    code, _, err = route("--local", "--set", setting)
    assert (code, says in " ".join(err.split())) == (4, True)
    assert route("--set", setting)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "model"),
    [
        (("--local",), "vllm/qwen"),
        (("--model", "openai/gpt-4.1", "--tenant", "acme-2"), "openai/gpt-4.1"),
        (("--model", "vllm/other@http://127.0.0.1:9"), "vllm/other"),
        (("--latency", "realtime"), "extractive/default"),
        (("--task", "legal"), "anthropic/claude-haiku-4-5"),
        (("--language", "de"), "openai/gpt-4.1"),
    ],
)
def test_who_is_asked_is_who_it_said_would_be(
    route: Route,
    config: Path,
    docs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    model: str,
) -> None:
    for provider in ("OPENAI", "ANTHROPIC"):  # where nobody listens
        pytest.importorskip(provider.lower())
        monkeypatch.setenv(f"{provider}_API_KEY", "k")
        monkeypatch.setenv(f"{provider}_BASE_URL", "http://127.0.0.1:9")
    rules = """    - {name: legal, task: legal, use: [anthropic/claude-haiku-4-5]}
    - {name: german, language: de, use: [openai/gpt-4.1]}
  retry: {attempts: 1}
"""
    config.write_text(CONFIG.replace("  fallbacks:", f"{rules}  fallbacks:"), encoding="utf-8")
    assert route.json(*arguments)["models"][0] == model
    code, out, err = route.asked(*arguments, "--docs", str(docs), "--kb", str(tmp_path / "kb"))
    assert code == 0, err
    answer = json.loads(out)
    assert model in (answer["model"], *re.findall(r"^(\S+) did not answer", answer["degraded"] or ""))


def test_explained_it_says_why_not_at_what_price_and_who_comes_next(route: Route) -> None:
    _, out, _ = route("--local", "--explain")
    lines = " ".join(out.split())
    assert "(estimated: prompts, question, 3 passages of up to 512 tokens), at most 1,024 out" in lines
    assert "no: nothing may leave the machine, and it is asked at" in lines
    assert "vllm/qwen price unknown yes" in lines
    assert "too slow, budget extractive/default" in lines
    assert max(map(len, out.splitlines())) <= 80


def test_as_json_the_prices_are_numbers(route: Route) -> None:
    found = route.json("--explain", "--tokens", "10000")
    (first,) = [each for each in found["considered"] if each["model"] == "openai/gpt-5-mini"]
    assert (found["input_tokens"], found["counted"], found["output_tokens"]) == (10000, "as told", 1024)
    assert first == {
        "model": "openai/gpt-5-mini",
        "eligible": True,
        "why_not": None,
        "most": 10000 * 0.25e-6 + 1024 * 2e-6,
        "typical": None,
    }
    assert found["fallbacks"]["down"] == ["anthropic/claude-haiku-4-5", "extractive/default"]
    assert found["fallbacks"]["budget"] == ["extractive/default"]
    assert route.json()["considered"] is None


def test_how_long_answers_are_the_ledger_knows(route: Route, tmp_path: Path) -> None:
    home = open_home(tmp_path / "home")
    for tokens in (100, 300):
        home.ledger.record(LedgerEntry("chat", "openai/gpt-5-mini", Usage(10, tokens), Decimal(0), 1.0))
    home.close()
    found = route.json("--explain", "--tokens", "10000")
    typical = {each["model"]: each["typical"] for each in found["considered"]}
    assert typical["openai/gpt-5-mini"] == 10000 * 0.25e-6 + 200 * 2e-6
    assert typical["openai/gpt-4.1"] is None
    assert "as a rule" in route("--explain")[1]


def test_errors_name_the_option_or_the_rule(route: Route, config: Path) -> None:
    code, _, err = route("--latency", "soon")
    assert code == 2
    assert "There is no latency 'soon'" in err
    config.write_text(CONFIG.replace("anthropic/claude-haiku-4-5]", "antropic/claude]"), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"routing.rules: rule 'acme': use: There is no provider 'antropic'"):
        read_rag_settings(config, environ={})
    config.write_text("routing: {fallbacks: {down: [extractive/default, extractive/default]}}", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"routes.yaml:1: routing.fallbacks: down: 'extractive/default' is named"):
        read_rag_settings(config, environ={})


def test_a_rule_answers_without_the_keys_of_the_others(tmp_path: Path, docs: Path) -> None:
    down = ScriptedChatModel(ConnectionFailedError("gone", model="x"), name="scripted/mine")
    settings = {
        "routing.rules": [
            {"name": "keyless", "task": "never", "use": ["openai/gpt-5-mini"]},
            {"name": "quotes", "purpose": "answer", "use": ["extractive/default"]},
        ],
        "routing.fallbacks": {"budget": ["anthropic/claude-haiku-4-5"]},
    }
    with RAG.open(tmp_path / "kb", home=tmp_path / "home", settings=settings, model=down) as base:
        base.ingest(docs)
        assert base.ask("How many days does a parcel to Iceland take?").model == "extractive/default"
    assert down.requests == []


async def test_with_one_flag_what_is_asked_at_once_is_a_batch(tmp_path: Path, docs: Path) -> None:
    pytest.importorskip("anthropic")
    async with FakeBatches() as server:
        model = AnthropicChatModel("claude-haiku-4-5", api_key="k", base_url=server.url)
        settings = {"generation.batch": True, "routing.fallback": "none"}
        async with RAG.open(tmp_path / "kb", home=tmp_path / "home", settings=settings, model=model) as base:
            await base.aingest(docs)
            questions = ("How many days does a parcel to Iceland take?", "How long is the refund window?")
            answers = await asyncio.gather(*map(base.aask, questions))
            rows = [row for _, row in base.parts.home.ledger.after(0) if row.kind == "chat"]
        assert [len(batch.lines) for batch in server.batches.values()] == [2]
    assert [(row.tier, row.cost) for row in rows] == [("batch", answer.cost) for answer in answers]
    assert all(answer.cost for answer in answers)


def test_a_model_without_batches_says_so(tmp_path: Path, docs: Path) -> None:
    with RAG.open(tmp_path / "kb", home=tmp_path / "home", settings={"generation.batch": True}) as base:
        base.ingest(docs)
        with pytest.raises(UnsupportedError, match="extractive/default takes no batches"):
            base.ask("How long is the refund window?")
