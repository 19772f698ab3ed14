"""The adapter over a stand-in for the package (always), and over a real, tiny cross-encoder (with the extra `st`)."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from plumbline.errors import MissingExtraError
from routing.errors import ModelError, ModelNotFoundError
from routing.models.st_rerank import CrossEncoderReranker
from routing.testing.fakes import shared_words
from routing.testing.reranker import CHECKS, PROMISES, QUERY, Check


class StandInTokenizer:
    """One token per word, and three special ones around a pair."""

    def num_special_tokens_to_add(self, *, pair: bool) -> int:
        assert pair
        return 3

    def encode(self, text: str, **options: bool) -> list[int]:
        return list(range(len(text.split())))


class StandIn:
    """A cross-encoder that reads 64 tokens of query and passage, and forgets the rest, as the real ones do."""

    max_seq_length: int | None = 64
    num_labels = 1

    def __init__(self, source: str, device: str | None = None) -> None:
        if source == "no/such-model":
            raise OSError("not a folder, and the hub is offline")
        self.tokenizer = StandInTokenizer()
        self.seen: list[tuple[str, str]] = []

    def predict(self, pairs: Sequence[tuple[str, str]], **options: object) -> npt.NDArray[np.float32]:
        if any("explode" in text for _, text in pairs):
            raise RuntimeError("out of memory")
        self.seen += pairs
        values = []
        for query, text in pairs:
            room = 10**6 if self.max_seq_length is None else self.max_seq_length - 3 - len(query.split())
            values.append(shared_words(query, " ".join(text.split()[:room])))
        return np.asarray(values, np.float32)


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("sentence_transformers")
    module.CrossEncoder = StandIn  # type: ignore[attr-defined]  # a module built by hand
    monkeypatch.setitem(sys.modules, "sentence_transformers", module)


@pytest.mark.usefixtures("package")
class TestStandIn:
    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    async def test_it_keeps_the_contract(self, check: Check) -> None:
        await check(CrossEncoderReranker("stand/in"))

    async def test_windows_fit_beside_the_query(self) -> None:
        reranker = CrossEncoderReranker("stand/in")
        passage = " ".join(f"w{number}" for number in range(300))
        scores = await reranker.score("what is w299", [passage, "nothing"])
        windows = [text for _, text in reranker._model.loaded().seen[:-1]]
        assert "".join(windows) == passage
        assert max(len(text.split()) for text in windows) <= 64 - 3 - 3
        assert scores.values.tolist() == [pytest.approx(1 / 3), 0.0]
        assert scores.usage.input_tokens == 300 + 1 + 3 * (len(windows) + 1)

    async def test_a_query_that_fills_the_model_leaves_a_part_to_the_passage(self) -> None:
        reranker = CrossEncoderReranker("stand/in")
        await reranker.score("long " * 500, ["word " * 100])
        assert len(reranker._model.loaded().seen) == 4

    async def test_a_model_without_a_limit_reads_everything_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(StandIn, "max_seq_length", None)
        reranker = CrossEncoderReranker("stand/in")
        await reranker.score("q", ["word " * 500])
        assert (reranker.max_tokens, len(reranker._model.loaded().seen)) == (None, 1)

    async def test_an_unknown_model_is_named(self) -> None:
        with pytest.raises(ModelNotFoundError, match=r"'no/such-model' cannot be loaded: .*offline"):
            await CrossEncoderReranker("no/such-model").score("q", ["text"])

    async def test_a_model_of_several_labels_is_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(StandIn, "num_labels", 3)
        with pytest.raises(ModelNotFoundError, match="gives 3 numbers for a pair"):
            await CrossEncoderReranker("stand/in").score("q", ["text"])

    async def test_a_failing_model_is_a_model_error(self) -> None:
        with pytest.raises(ModelError, match="out of memory"):
            await CrossEncoderReranker("stand/in").score("q", ["explode"])


async def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(MissingExtraError, match=r"plumbline\[st\]"):
        await CrossEncoderReranker("any").score("q", ["text"])


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cross-encoder of random weights that reads 64 tokens, built on the spot."""
    pytest.importorskip("sentence_transformers", reason="the extra 'st' is not installed")
    transformers: Any = pytest.importorskip("transformers")
    torch: Any = pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("cross-encoder")
    letters = [chr(code) for code in range(33, 127)]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    transformers.BertTokenizerFast(vocab_file=str(folder / "vocab.txt"), model_max_length=64).save_pretrained(folder)
    torch.manual_seed(7)
    config = transformers.BertConfig(
        vocab_size=len(words), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=64, num_labels=1, initializer_range=0.5,
    )  # fmt: skip
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    return folder


@pytest.fixture
async def real(tiny: Path) -> AsyncIterator[CrossEncoderReranker]:
    reranker = CrossEncoderReranker(tiny, device="cpu")
    yield reranker
    await reranker.close()


@pytest.mark.parametrize("check", PROMISES, ids=lambda check: check.__name__)
async def test_a_real_model_keeps_the_promises(real: CrossEncoderReranker, check: Check) -> None:
    await check(real)


async def test_a_real_model_reads_long_passages_to_their_end(real: CrossEncoderReranker) -> None:
    assert real.max_tokens == 64
    noise = "nothing here " * 100
    plain, other = (await real.score(QUERY, [noise, noise + "the refund window is thirty days"])).values
    assert plain != pytest.approx(other, abs=1e-6)


async def test_a_real_model_scores_as_the_package_does(real: CrossEncoderReranker, tiny: Path) -> None:
    package: Any = pytest.importorskip("sentence_transformers")
    expected = package.CrossEncoder(str(tiny), device="cpu").predict([("a query", "a passage"), ("a query", "b")])
    np.testing.assert_allclose((await real.score("a query", ["a passage", "b"])).values, expected, atol=1e-6)
