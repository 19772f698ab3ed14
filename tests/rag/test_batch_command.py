"""`rag batch`, as a user types it: jobs of a home are seen, gone on with, cancelled and forgotten."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plumbline.cli import main
from rag.calls import build_meter, protection_of
from rag.config import read_rag_settings
from rag.home import open_home
from routing.batch.jobs import BatchJobs
from routing.batch.work import ChatWork, EmbeddingWork
from routing.chat import ChatRequest, Message
from routing.models.catalog import chat_model
from routing.models.openai_embedder import OpenAIEmbedder
from routing.testing.batches import FakeBatches, Fate

pytest.importorskip("openai")
Run = Callable[..., Any]


@pytest.fixture
def rag(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("PLUMBLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "120")

    async def run(*arguments: str) -> tuple[int, str, str]:
        def typed() -> tuple[int, str, str]:
            monkeypatch.setattr(sys, "argv", ["rag", "batch", *arguments])
            with pytest.raises(SystemExit) as exit_:
                main()
            out, err = capsys.readouterr()
            return int(exit_.value.code or 0), out, err

        return await asyncio.to_thread(typed)

    return run


async def submitted(tmp_path: Path, server: FakeBatches, monkeypatch: pytest.MonkeyPatch, name: str | None) -> str:
    """The id of a job of three questions, submitted by a process that is gone."""
    monkeypatch.setenv("OPENAI_API_KEY", "k" * 30)
    monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
    home, settings = open_home(tmp_path / "home"), read_rag_settings(environ={})
    jobs = BatchJobs(home.file, build_meter(home, settings, protection_of(home, settings)))
    model: Any = chat_model("openai/gpt-5-mini")
    requests = [ChatRequest((Message("user", f"Question {number}?"),)) for number in range(3)]
    job = await jobs.submit(ChatWork(model), requests, name=name)
    await model.close()
    jobs.close()
    home.close()
    return job.id


async def test_a_job_is_listed_gone_on_with_and_forgotten(
    rag: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fate(name: str, body: object) -> Fate | None:
        return 400 if name.endswith("-1") else None

    assert (await rag("list"))[:2] == (0, "There are no jobs.\n")
    async with FakeBatches(fate=fate) as server:
        job = await submitted(tmp_path, server, monkeypatch, "monday")
        code, out, _ = await rag("list")
        assert code == 0
        assert f"{job} monday" in out
        assert "0 of 3" in out
        assert "3 waiting" in out
        assert server.steps[-1] == "POST /v1/batches", "listing asks nobody"
        code, _, err = await rag("forget", job)
        assert (code, "still wait" in err) == (2, True)
        code, out, _ = await rag("resume", "monday", "--json")
        found = json.loads(out)
        assert (code, found["answered"], found["failed"], found["waiting"]) == (0, 2, 1, 0)
        assert [(part["state"], part["attempt"]) for part in found["batches"]] == [("ended", 1)]
        assert found["cost"] > 0
        (listed,) = json.loads((await rag("list", "--json"))[1])
        assert listed == {name: value for name, value in found.items() if name != "batches"}
        assert "batch_1  ended, sent" in (await rag("show", job))[1]
        assert await rag("forget", "monday") == (0, f"Forgotten: {job}.\n", "")
        code, _, err = await rag("show", "monday")
        assert (code, "There is no job 'monday'" in err) == (2, True)
    home = open_home(tmp_path / "home")
    assert len([row for _, row in home.ledger.after(0) if row.kind == "chat"]) == 3
    home.close()


async def test_a_job_is_cancelled(rag: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fate(name: str, body: object) -> Fate | None:
        return None if name.endswith("-0") else "cancelled"

    async with FakeBatches(looks=2, fate=fate) as server:
        job = await submitted(tmp_path, server, monkeypatch, None)
        code, out, _ = await rag("cancel", job, "--json")
        assert (code, json.loads(out)["cancelled"], json.loads(out)["waiting"]) == (0, True, 3)
        code, out, _ = await rag("resume", job, "--once")
        assert "1 of 3" in out
        assert "2 failed, cancelled" in out
        assert len(server.batches) == 1


async def test_a_job_of_vectors_is_gone_on_with(rag: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with FakeBatches(dim=8) as server:
        await submitted(tmp_path, server, monkeypatch, "questions")
        home, settings = open_home(tmp_path / "home"), read_rag_settings(environ={})
        jobs = BatchJobs(home.file, build_meter(home, settings, protection_of(home, settings)))
        embedder = OpenAIEmbedder("text-embedding-3-small", dim=8, api_key="k", base_url=f"{server.url}/v1")
        await jobs.submit(EmbeddingWork(embedder), [["one"], ["two"]], name="vectors")
        await embedder.close()
        jobs.close()
        home.close()
        settled = ("--set", "embedding.model=openai/text-embedding-3-small", "--set", "embedding.dimensions=8")
        code, out, _ = await rag("resume", "vectors", "--json", *settled)
        assert (code, json.loads(out)["answered"], json.loads(out)["kind"]) == (0, 2, "embedding")


async def test_a_missing_key_is_said_and_the_job_stays(
    rag: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeBatches() as server:
        job = await submitted(tmp_path, server, monkeypatch, None)
        monkeypatch.delenv("OPENAI_API_KEY")
        code, _, err = await rag("resume", job)
        assert (code, "OPENAI_API_KEY" in err) == (4, True)
        assert "3 waiting" in (await rag("list"))[1]
