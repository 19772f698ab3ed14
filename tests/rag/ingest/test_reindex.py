"""Another chunker, tokenizer or embedder: a new index beside the old one, and a switch when it is complete."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from plumbline.errors import ConfigError
from rag import RAG
from rag.index.generations import Generations
from routing.errors import ConnectionFailedError
from routing.testing.fakes import FakeEmbedder
from tests.rag.ingest.test_verify import exported

SMALL = {"chunking.size": 16, "chunking.overlap": 0}


class CountingEmbedder(FakeEmbedder):
    """Counts the texts it embeds, and fails after so many."""

    def __init__(self, fails_after: int | None = None) -> None:
        super().__init__()
        self.embedded = 0
        self.fails_after = fails_after

    async def embed_passages(self, texts: Sequence[str]) -> Any:
        self.embedded += len(texts)
        if self.fails_after is not None and self.embedded > self.fails_after:
            raise ConnectionFailedError("no route", model=self.name)
        return await super().embed_passages(texts)


class KilledError(Exception):
    """Stands for SIGKILL: nothing catches it."""


def generations(kb: RAG) -> list[tuple[int, bool]]:
    return [(each.number, each.active) for each in Generations(kb.parts.engine, kb.parts.path).all()]


@pytest.fixture
def built(tmp_path: Path, home: Path, docs: Path) -> Path:
    with RAG.open(tmp_path / "kb", home=home, environ={}) as kb:
        kb.ingest(docs)
    return tmp_path / "kb"


def test_other_chunking_recuts_what_is_stored(built: Path, home: Path, docs: Path, tmp_path: Path) -> None:
    with RAG.open(built, home=home, environ={}, settings=SMALL) as kb:
        before = kb.status()
        assert kb.search("gift cards"), "the old index is searched until another takes its place"
        report = kb.ingest(docs)
        assert (report.reindexed, report.count("unchanged")) == (3, 3)
        after = kb.status()
        assert after.totals.chunks > before.totals.chunks
        assert after.facts["chunking"] != before.facts["chunking"]
        assert generations(kb) == [(2, True)]
        assert len(kb._loop.run(kb.parts.store.ids())) == after.totals.chunks
        assert kb.ingest(docs).reindexed == 0
        assert kb.verify().found == ()
        changed_over = exported(kb)
    with RAG.open(tmp_path / "new", home=home, environ={}, settings=SMALL) as kb:
        kb.ingest(docs)
        assert exported(kb) == changed_over, "as if it had been built so from the start"


def test_only_new_texts_are_embedded_when_the_chunking_changes(tmp_path: Path, home: Path, docs: Path) -> None:
    (docs / "long.md").write_text(
        "# Long\n\n" + "\n\n".join(f"Paragraph {n} says {n}." * 9 for n in range(60)), "utf-8"
    )
    embedder = CountingEmbedder()
    with RAG.open(tmp_path / "kb", home=home, environ={}, embedder=embedder) as kb:
        kb.ingest(docs)
        first = embedder.embedded
    embedder = CountingEmbedder()
    other = {"chunking.size": 500}
    with RAG.open(tmp_path / "kb", home=home, environ={}, embedder=embedder, settings=other) as kb:
        kb.ingest(docs)
        assert 0 < embedder.embedded < first, "short documents keep their one chunk and its vector"


def test_another_embedder_embeds_everything_once_and_cuts_nothing(built: Path, home: Path, docs: Path) -> None:
    embedder = CountingEmbedder()
    with RAG.open(built, home=home, environ={}, embedder=embedder) as kb:
        chunks = kb.status().totals.chunks
        report = kb.ingest(docs)
        assert (report.reindexed, report.count("unchanged")) == (3, 3)
        assert embedder.embedded == chunks
        assert kb.search("gift cards")[0].document == "returns.md"
        assert kb.status().facts["embedder"] == embedder.name


def test_a_changeover_that_breaks_off_leaves_the_old_index_and_goes_on_later(
    built: Path, home: Path, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.ingest.reindex.DOCUMENTS_AT_ONCE", 1)
    failing = CountingEmbedder(fails_after=2)
    with RAG.open(built, home=home, environ={}, embedder=failing) as kb, pytest.raises(ConnectionFailedError):
        kb.ingest(docs)
    with RAG.open(built, home=home, environ={}) as kb:
        assert kb.search("gift cards")[0].document == "returns.md"
        assert generations(kb) == [(1, True), (2, False)]
    embedder = CountingEmbedder()
    with RAG.open(built, home=home, environ={}, embedder=embedder) as kb:
        kb.ingest(docs)
        assert embedder.embedded == kb.status().totals.chunks - 2, "what was embedded before is not embedded again"
        assert generations(kb) == [(2, True)]
        assert kb.verify().found == ()


def test_a_changeover_given_up_is_forgotten(built: Path, home: Path, docs: Path) -> None:
    failing = CountingEmbedder(fails_after=0)
    with RAG.open(built, home=home, environ={}, embedder=failing) as kb, pytest.raises(ConnectionFailedError):
        kb.ingest(docs)
    with RAG.open(built, home=home, environ={}) as kb:
        assert kb.ingest(docs).reindexed == 0
        assert generations(kb) == [(1, True)]


def test_a_reader_follows_the_switch_of_another(built: Path, home: Path, docs: Path) -> None:
    with RAG.open(built, home=home, environ={}) as reader, RAG.open(built, home=home, environ={}, settings=SMALL) as kb:
        whole = reader.search("gift cards")[0].chunk
        kb.ingest(docs)
        now = reader.search("gift cards")[0].chunk
        assert now.tokens < whole.tokens


def test_a_rehearsal_counts_what_a_changeover_would_embed(built: Path, home: Path, docs: Path) -> None:
    embedder = CountingEmbedder()
    with RAG.open(built, home=home, environ={}, embedder=embedder) as kb:
        tokens = kb.status().totals.tokens
        report = kb.ingest(docs, dry_run=True)
        assert (report.reindexed, report.dry_run, embedder.embedded) == (3, True, 0)
        assert report.usage.input_tokens >= tokens
        assert generations(kb) == [(1, True)]


def test_a_generation_that_was_half_dropped_is_never_taken_up_again(
    built: Path, home: Path, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the switch, while the old generation's points were removed; then the old settings come back."""

    def killed(*args: object, **others: object) -> None:
        raise KilledError

    with RAG.open(built, home=home, environ={}) as kb:
        whole = exported(kb)
    with monkeypatch.context() as patched, RAG.open(built, home=home, environ={}, settings=SMALL) as kb:
        patched.setattr(Generations, "drop", killed)
        with pytest.raises(KilledError):
            kb.ingest(docs)
    with RAG.open(built, home=home, environ={}) as kb:
        kb.ingest(docs)
        assert kb.verify(repair=False).found == ()
        assert exported(kb) == whole
        assert len(generations(kb)) == 1


def test_vectors_made_in_context_are_not_those_of_the_texts_alone(tmp_path: Path, home: Path, docs: Path) -> None:
    (docs / "long.md").write_text(
        "# Long\n\n" + "\n\n".join(f"Paragraph {n} says {n}." * 9 for n in range(60)), "utf-8"
    )
    late, plain = (
        {"chunking.chunker": name, "chunking.size": 64, "chunking.overlap": 0} for name in ("late", "recursive")
    )
    with RAG.open(tmp_path / "fresh", home=home, environ={}, settings=plain) as kb:
        kb.ingest(docs)
        apart = exported(kb)
    with RAG.open(tmp_path / "kb", home=home, environ={}, settings=late) as kb:
        kb.ingest(docs)
        together = exported(kb)
    assert together != apart
    with RAG.open(tmp_path / "kb", home=home, environ={}, settings=plain) as kb:
        assert kb.ingest(docs, dry_run=True).usage.input_tokens > 0
        kb.ingest(docs)
        assert exported(kb) == apart
    with RAG.open(tmp_path / "kb", home=home, environ={}, settings=late) as kb:
        kb.ingest(docs)
        assert exported(kb) == together


def test_nothing_unmasked_is_sent_to_another_embedder(built: Path, home: Path, docs: Path) -> None:
    masking = {"loading.redact": "all"}
    embedder = CountingEmbedder()
    with (
        RAG.open(built, home=home, environ={}, embedder=embedder, settings=masking) as kb,
        pytest.raises(ConfigError, match=r"3 files are stored as they were before loading\.redact"),
    ):
        kb.ingest(docs)
    assert embedder.embedded == 0
    with RAG.open(built, home=home, environ={}, settings=masking) as kb:
        assert kb.ingest(docs).count("updated") == 3
    with RAG.open(built, home=home, environ={}, embedder=embedder, settings=masking) as kb:
        assert kb.ingest(docs).reindexed == 3
