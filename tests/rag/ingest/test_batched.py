"""Contextual chunks whose model answers in batches: one for all documents, at half the price, none paid for twice."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from plumbline.errors import ConfigError
from rag import RAG
from rag.ingest.batch import GATHERED_CHARACTERS, GATHERED_FILES
from rag.ingest.report import IngestReport
from routing.batch.provider import Limits
from routing.errors import BadRequestError
from routing.models.anthropic_batches import AnthropicBatches
from routing.testing.batches import Arrived, FakeBatches, Loss

pytest.importorskip("openai")
pytest.importorskip("anthropic")
MODELS = {"openai": "openai/gpt-5-mini", "anthropic": "anthropic/claude-haiku-4-5"}
SETTINGS: dict[str, Any] = {"chunking.chunker": "contextual", "chunking.size": 32, "chunking.overlap": 0}


def environ(server: FakeBatches) -> dict[str, str]:
    return {
        "OPENAI_API_KEY": "k" * 30,
        "OPENAI_BASE_URL": f"{server.url}/v1",
        "ANTHROPIC_API_KEY": "k" * 30,
        "ANTHROPIC_BASE_URL": server.url,
    }


def documents(folder: Path, count: int = 5) -> Path:
    folder.mkdir()
    for number in range(count):
        text = "\n\n".join(f"Parcel {number}-{line} goes to Tromsø on day {line}, by ship." for line in range(6))
        (folder / f"{number}.md").write_text(text, "utf-8")
    return folder


def chunks(report: IngestReport) -> int:
    return sum(outcome.chunks for outcome in report.files)


def opened(tmp_path: Path, server: FakeBatches, provider: str = "openai", **more: Any) -> RAG:
    settings = SETTINGS | {"generation.model": MODELS[provider], "chunking.batch": True} | more
    return RAG.open(tmp_path / "kb", home=tmp_path / "home", settings=settings, environ=environ(server))


@pytest.mark.parametrize("provider", MODELS)
async def test_all_documents_share_a_batch_that_is_priced_and_forgotten(provider: str, tmp_path: Path) -> None:
    docs = documents(tmp_path / "docs")
    async with FakeBatches() as server:
        async with opened(tmp_path, server, provider) as kb:
            expected = await kb.aingest(docs, dry_run=True)
            assert server.steps == []
            report = await kb.aingest(docs)
            (batch,) = server.batches.values()
            rows = [row for _, row in kb.parts.home.ledger.after(0) if row.kind == "chat"]
            assert len(rows) == len(batch.lines) == chunks(report) > 5
            assert {(row.tier, row.tags.purpose, row.error) for row in rows} == {("batch", "ingest", None)}
            assert sum((row.cost or Decimal(0) for row in rows), Decimal(0)) == report.cost
            assert expected.cost is not None
            hits = await kb.asearch("Which parcel goes to Tromsø?")
            assert {server.script.text in hit.chunk.context for hit in hits} == {True}
            if provider == "anthropic":
                heads = [body["system"][0] for _, body in batch.lines]
                assert {head["cache_control"]["type"] for head in heads} == {"ephemeral"}
                assert len({head["text"] for head in heads}) == 5
            await kb.aingest(docs)
            assert len(server.batches) == 1, "what is unchanged is not asked about"
        async with opened(tmp_path, server, provider, **{"chunking.size": 64}) as kb:
            await kb.aingest(docs)
            assert len(server.batches) == 2, "a changeover is one batch, too"
            assert kb.parts.chunker.name == f"contextual {MODELS[provider]} {_hash(kb)} recursive 64/0 cl100k_base"


def _hash(kb: RAG) -> str:
    return kb.parts.chunker.name.split(" ")[2]


async def test_a_run_that_is_killed_while_it_waits_is_gone_on_with(tmp_path: Path) -> None:
    docs, polled = documents(tmp_path / "docs"), asyncio.Event()

    def choose(arrived: Arrived) -> Loss | None:
        if arrived.step == "GET /v1/batches":
            polled.set()
        return None

    async with FakeBatches(looks=1_000_000, choose=choose) as server:
        words = [sys.executable, "-m", "plumbline.cli", "ingest", str(docs), "--kb", str(tmp_path / "kb")]
        words += ["--home", str(tmp_path / "home"), "--batch", "--set", f"generation.model={MODELS['openai']}"]
        words += [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]
        process = await asyncio.create_subprocess_exec(*words, env=os.environ | environ(server))
        ended = asyncio.ensure_future(process.wait())
        await asyncio.wait([asyncio.ensure_future(polled.wait()), ended], return_when=asyncio.FIRST_COMPLETED)
        assert not ended.done(), "it waits for its batch"
        process.send_signal(signal.SIGKILL)
        await ended
        (batch,) = server.batches.values()
        batch.looks = server.looks = 1
        (docs / "new.md").write_text("A parcel to Bergen takes four days.", "utf-8")
        async with opened(tmp_path, server) as kb:
            report = await kb.aingest(docs)
            rows = [row for _, row in kb.parts.home.ledger.after(0) if row.kind == "chat"]
        assert len(server.taken) == len(rows) == chunks(report), "only the new file's was sent, and each paid for once"
        assert len(server.batches) == 2


async def test_what_was_answered_is_kept_when_one_request_is_refused(tmp_path: Path) -> None:
    docs = documents(tmp_path / "docs")
    async with FakeBatches(fate=lambda name, body: 400 if name.endswith("-3") else None) as server:
        async with opened(tmp_path, server) as kb:
            with pytest.raises(BadRequestError):
                await kb.aingest(docs)
        sent = len(server.taken)
        server.fate = lambda name, body: None
        async with opened(tmp_path, server) as kb:
            await kb.aingest(docs)
        assert len(server.taken) == sent + 1


async def test_many_documents_are_not_in_memory_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (GATHERED_FILES, GATHERED_CHARACTERS) == (4096, 16_000_000)
    monkeypatch.setattr("rag.ingest.batch.GATHERED_FILES", 2)
    monkeypatch.setattr(AnthropicBatches, "limits", Limits(requests=4))
    async with FakeBatches() as server:
        async with opened(tmp_path, server, "anthropic") as kb:
            report = await kb.aingest(documents(tmp_path / "docs", 4))
        assert max(len(batch.lines) for batch in server.batches.values()) == 4
        assert len(server.taken) == chunks(report)


def test_only_a_chunker_that_asks_takes_the_flag(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="chunker 'recursive' asks no model"):
        RAG.open(tmp_path / "kb", home=tmp_path / "home", environ={}, settings={"chunking.batch": True})
