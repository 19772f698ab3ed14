"""What a question wants holds for all who are asked on its way; of a local one nothing reaches a hosted provider."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from plumbline.errors import InputError
from rag import RAG
from rag.events import Answered
from rag.models import Models
from rag.settings import RagSettings
from rag.types import Answer
from rag.wants import checked
from routing.chat import NO_WISH, Message, Wants
from routing.errors import UnknownModelError, UnsupportedError
from routing.models.catalog import DEFAULT_CATALOG
from routing.testing.server import FakeProvider, Fault
from routing.testing.wire import Script
from routing.vectors import Embedder

HOSTED = "openai/gpt-4o-mini"
QUESTION = "How many days does a parcel to Iceland take?"
LOCAL = Wants(local=True)
HISTORY = (Message("user", "What does a parcel to Norway take?"), Message("assistant", "4 days."))
ASKING = {"rewrite": True, "hyde": True, "variants": 2, "decompose": 2}
WRITING = {f"retrieval.question.{name}": value for name, value in ASKING.items()}
QUICK = {"routing.retry.first_wait_seconds": 0, "routing.retry.longest_wait_seconds": 0.01, "retrieval.top_n": 1}

pytest.importorskip("openai")
Settings = Mapping[str, Any]
PLAIN: Settings = {}


@dataclass
class World:
    """A folder, a provider that stands for all that are hosted, and one that stands for a server of this machine."""

    folder: Path
    docs: Path
    hosted: FakeProvider
    own: FakeProvider

    def open(self, settings: Settings = PLAIN, model: str = HOSTED) -> RAG:
        return RAG.open(
            self.folder / "kb",
            home=self.folder / "home",
            model=model,
            environ={
                "OPENAI_API_KEY": "k",
                "OPENAI_BASE_URL": f"{self.hosted.url}/v1",
                "CO_API_KEY": "k",
                "CO_API_URL": self.hosted.url,
            },
            settings={**QUICK, **settings},
        )

    async def asked(self, wants: Wants | None, settings: Settings = PLAIN, model: str = HOSTED) -> Answer:
        async with self.open(settings, model) as kb:
            await kb.aingest(self.docs)
            self.hosted.requests.clear()
            return await kb.aask(QUESTION, history=HISTORY, wants=wants)

    @property
    def ours(self) -> str:
        """A model of the server of this machine."""
        return f"vllm/mine@{self.own.url}"


@pytest.fixture
async def world(tmp_path: Path, docs: Path) -> AsyncIterator[World]:
    script = Script(pieces=("Parcels to Iceland take 9 days ", "[Source: more/shipping 🙂.md]."))
    async with FakeProvider(script, dim=64) as hosted, FakeProvider(script, dim=64) as own:
        yield World(tmp_path, docs, hosted, own)


@pytest.mark.parametrize("rerank", ["llm", "cohere/rerank-v3.5"])
async def test_hosted_rewriter_and_reranker_hear_nothing_of_a_local_question(world: World, rerank: str) -> None:
    pytest.importorskip("cohere")
    settings = {**WRITING, "retrieval.rerank.model": rerank}
    answer = await world.asked(LOCAL, settings)
    assert world.hosted.requests == []
    assert (answer.model, answer.degraded) == ("extractive/default", None)
    assert "9 days" in answer.text
    assert answer.note is not None
    for name in ASKING:
        assert f"retrieval.question.{name} was left out (openai/gpt-4o-mini: nothing may leave" in answer.note
    assert "Not reranked: " in answer.note

    answer = await world.asked(None, settings)
    paths = {request.path.rpartition("/")[2] for request in world.hosted.requests}
    assert paths == {"completions", *(["rerank"] if rerank != "llm" else [])}
    assert len(world.hosted.requests) >= len(ASKING) + 2
    assert answer.note is None


async def test_a_hosted_embedder_refuses_a_local_question_and_says_what_to_do(world: World) -> None:
    embedder = {"embedding.model": "openai/text-embedding-3-small", "embedding.dimensions": 64}
    with pytest.raises(UnsupportedError, match=r"embedding\.model is 'openai/text-embedding-3-small'") as caught:
        await world.asked(LOCAL, {**WRITING, **embedder})
    assert "retrieval.mode = lexical" in (caught.value.hint or "")
    assert world.hosted.requests == []
    answer = await world.asked(LOCAL, {**embedder, "retrieval.mode": "lexical"})
    assert "9 days" in answer.text
    assert world.hosted.requests == []
    async with world.open(embedder) as kb:
        with pytest.raises(UnsupportedError, match="may leave the machine"):
            await kb.asearch(QUESTION, wants=LOCAL)
        assert world.hosted.requests == []
        await kb.asearch(QUESTION)
    assert {request.path for request in world.hosted.requests} == {"/v1/embeddings"}


async def test_without_a_model_of_this_machine_a_local_question_is_refused(world: World) -> None:
    with pytest.raises(UnsupportedError, match="openai/gpt-4o-mini: nothing may leave the machine"):
        await world.asked(LOCAL, {"routing.fallback": "none"})
    assert world.hosted.requests == []


async def test_no_key_is_needed_of_who_is_not_asked(world: World) -> None:
    with RAG.open(world.folder / "kb", home=world.folder / "home", model="openai/gpt-4o-mini", environ={}) as kb:
        kb.ingest(world.docs)
        assert kb.ask(QUESTION, wants=LOCAL).model == "extractive/default"


async def test_a_server_of_this_machine_does_all_of_it(world: World) -> None:
    settings = {"retrieval.question.hyde": True, "retrieval.rerank.model": world.ours}
    answer = await world.asked(LOCAL, settings, world.ours)
    paths = [request.path.rpartition("/")[2] for request in world.own.requests]
    assert paths == ["completions", "rerank", "completions"]
    assert (answer.model, answer.note) == ("vllm/mine", None)


@pytest.mark.parametrize(
    "faults",
    [[Fault("status", status=503)] * 9, [Fault("reset", after="some")] * 9, [Fault("status", status=429)] * 9],
    ids=["down", "broken off", "rate limited"],
)
@pytest.mark.parametrize("hedged", [False, True])
async def test_no_fallback_hedge_or_continuation_leaves(world: World, faults: list[Fault], hedged: bool) -> None:
    world.own.faults.extend(faults)
    chain = ["openai/gpt-4o-mini"]
    settings: Mapping[str, Any] = {
        "routing.rules": [{"name": "private", "local": True, "use": [world.ours]}],
        "routing.fallbacks": {"down": chain, "rate_limited": chain, "too_slow": chain, "too_long": chain},
        **({"routing.hedge.after": 0.001} if hedged else {}),
    }
    async with world.open(settings) as kb:
        await kb.aingest(world.docs)
        events = [event async for event in kb.astream(QUESTION, wants=LOCAL)]
    assert world.own.requests
    assert world.hosted.requests == []
    assert isinstance(events[-1], Answered)
    assert events[-1].answer.model == "extractive/default"
    assert "vllm/mine did not answer" in (events[-1].answer.degraded or "")


async def test_a_batch_is_not_sent(world: World) -> None:
    assert (await world.asked(LOCAL, {"generation.batch": True})).model == "extractive/default"
    assert world.hosted.requests == []


async def test_a_model_asked_for_by_name_answers_and_writes_nothing_else(world: World) -> None:
    rules = [{"name": "never", "task": "never", "use": [world.ours]}]
    settings = {"routing.rules": rules, "retrieval.question.hyde": True}
    answer = await world.asked(Wants(model=world.ours), settings)
    assert answer.model == "vllm/mine"
    assert (len(world.own.requests), len(world.hosted.requests)) == (1, 1)
    with pytest.raises(UnknownModelError, match="'vllm/mien' is not among") as caught:
        await world.asked(Wants(model="vllm/mien"), settings)
    assert caught.value.hint == "Did you mean 'vllm/mine'?"


async def test_task_language_and_latency_decide_rules(world: World) -> None:
    rules = [
        {"name": "task", "task": "legal*", "use": [world.ours]},
        {"name": "language", "language": "de", "use": [world.ours]},
        {"name": "soon", "latency": "realtime", "use": ["extractive/default"]},
    ]
    settings = {"routing.rules": rules}
    assert (await world.asked(Wants(task="legal-eu"), settings)).model == "vllm/mine"
    assert (await world.asked(Wants(language="de"), settings)).model == "vllm/mine"
    soon = await world.asked(Wants(latency="realtime"), {**settings, "retrieval.question.hyde": True})
    assert soon.model == "extractive/default"
    assert "was not seen to answer in 0.1 s" in (soon.note or "")
    assert world.hosted.requests == []


async def test_who_was_seen_to_be_slow_is_left_out(world: World) -> None:
    async with world.open() as kb:
        await kb.aingest(world.docs)
        seen = kb.parts.protection
        for _ in range(5):
            seen.latencies.add("openai/gpt-4o-mini", 1.5)
        assert (await kb.aask(QUESTION, wants=Wants(latency="interactive"))).model == "extractive/default"
        assert (await kb.aask(QUESTION, wants=Wants(latency="batch"))).model.startswith("openai/")


@pytest.mark.parametrize(
    ("store", "leaves"),
    [
        ({}, None),
        ({"kind": "qdrant", "url": "http://127.0.0.1:6333", "collection": "c"}, None),
        ({"kind": "qdrant", "url": "https://db.example:6333", "collection": "c"}, "it is asked at db.example"),
        ({"kind": "pgvector", "url": "postgresql://a:b@10.0.0.3/d", "collection": "c"}, None),
        ({"kind": "pgvector", "url": "postgresql://10.0.0.3/d?host=db.example", "collection": "c"}, "by an option"),
        ({"kind": "pgvector", "url": "postgresql:///d", "collection": "c"}, "names no host"),
    ],
)
def test_the_server_of_a_store_is_asked_the_question_too(store: dict[str, Any], leaves: str | None) -> None:
    settings = RagSettings.model_validate({"store": store})
    *_, (step, hint) = Models(settings, DEFAULT_CATALOG, {}).needed()
    if leaves is None:
        step.check(LOCAL, hint)
    else:
        with pytest.raises(UnsupportedError, match=rf"store\.url is .*{leaves}"):
            step.check(LOCAL, hint)


@pytest.mark.parametrize("name", ["PGHOSTADDR", "PGSERVICE"])
def test_the_environment_may_send_postgresql_elsewhere(name: str) -> None:
    store = {"kind": "pgvector", "url": "postgresql://rag@localhost/rag"}
    models = Models(RagSettings.model_validate({"store": store}), DEFAULT_CATALOG, {name: "203.0.113.5"})
    *_, (step, hint) = models.needed()
    with pytest.raises(UnsupportedError, match=f"{name} names its host"):
        step.check(LOCAL, hint)


class Elsewhere:
    """An embedder of somebody's own, of which nobody knows where it works."""

    name, dim, max_tokens = "mine/embedder", 8, None


def test_what_is_ones_own_is_not_known_to_stay() -> None:
    own: Any = Elsewhere()
    embedder: Embedder = own
    (step, hint), _ = Models(RagSettings(), DEFAULT_CATALOG, {}, own_embedder=embedder).needed()
    with pytest.raises(UnsupportedError, match="'mine/embedder': it is asked at mine"):
        step.check(LOCAL, hint)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"local": True}, "no Wants"),
        (True, "no Wants"),
        (Wants(local="no"), "wants.local is 'no'"),  # type: ignore[arg-type]  # what a caller without types may give
        (Wants(latency="soon"), "There is no latency 'soon'"),  # type: ignore[arg-type]  # the same
        (Wants(task=" "), "wants.task is a word"),
        (Wants(language=3), "wants.language is a word"),  # type: ignore[arg-type]  # the same
    ],
)
def test_what_cannot_be_wanted_is_named(given: Any, says: str, kb: RAG) -> None:
    with pytest.raises(InputError, match=says):
        kb.ask(QUESTION, wants=given)
    assert checked(None, kb.parts.routes) is NO_WISH
