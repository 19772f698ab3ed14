from __future__ import annotations

import asyncio
import importlib.machinery
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from routing.errors import ModelNotFoundError
from routing.models.embedded import EmbeddedEmbedder
from routing.testing.embedder import CHECKS, Check, check_embedder


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_it_keeps_the_contract(check: Check) -> None:
    await check(EmbeddedEmbedder())


async def test_close_texts_are_close() -> None:
    texts = ["How do I get my money back?", "Refunds are paid within a week.", "The crane lifts cargo onto the ship."]
    vectors = (await EmbeddedEmbedder().embed_passages(texts)).vectors
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.1


async def test_white_space_has_no_vector_and_layout_no_influence() -> None:
    result = await EmbeddedEmbedder().embed_passages([" \n\t", "net  sales\n\n2022", "net sales 2022"])
    assert not result.vectors[0].any()
    np.testing.assert_array_equal(result.vectors[1], result.vectors[2])


async def test_it_is_the_mean_of_the_package_s_own_vectors() -> None:
    tokenizers = pytest.importorskip("tokenizers")
    safetensors = pytest.importorskip("safetensors.numpy")
    spec = importlib.util.find_spec("wordllama")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent
    table = safetensors.load_file(folder / "weights/l2_supercat_256.safetensors")["embedding.weight"].astype(np.float32)
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizers/l2_supercat_tokenizer_config.json"))
    text = "Net sales of 10.5 % in Zürich, 東京 and co-operating offices (see Note 7)."
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    mean = table[ids].mean(axis=0)
    result = await EmbeddedEmbedder().embed_queries([text])
    np.testing.assert_allclose(result.vectors[0], mean / np.linalg.norm(mean), atol=1e-5)
    assert (result.usage.input_tokens, result.usage.estimated) == (len(ids), False)


async def test_many_words_and_very_long_ones_leave_the_memo_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("routing.models.embedded._MEMO", 50)
    embedder = EmbeddedEmbedder()
    text = " ".join(f"word{i}" for i in range(120)) + " " + "x" * 500
    first = (await embedder.embed_passages([text])).vectors
    np.testing.assert_array_equal(first, (await embedder.embed_passages([text])).vectors)
    np.testing.assert_array_equal(first, (await EmbeddedEmbedder().embed_passages([text])).vectors)


async def test_it_loads_once_for_many_callers_and_leaves_the_package_unimported() -> None:
    embedder = EmbeddedEmbedder()
    results = await asyncio.gather(*(embedder.embed_queries(["one text"]) for _ in range(8)))
    assert all((result.vectors == results[0].vectors).all() for result in results)
    assert "wordllama" not in sys.modules
    await embedder.close()


async def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelNotFoundError, match=r"'wordllama' is not installed.*pip install"):
        await EmbeddedEmbedder().embed_queries(["text"])


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (None, "no file weights/"),
        ({}, "does not hold the vectors expected"),
        ({"embedding.weight": {"dtype": "F32", "shape": [3, 256], "data_offsets": [0, 3072]}}, "F32"),
    ],
)
async def test_another_layout_of_the_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, header: dict[str, object] | None, message: str
) -> None:
    if header is not None:
        (tmp_path / "weights").mkdir()
        text = json.dumps(header).encode()
        (tmp_path / "weights/l2_supercat_256.safetensors").write_bytes(
            len(text).to_bytes(8, "little") + text + bytes(3072)
        )
    spec = importlib.machinery.ModuleSpec("wordllama", None, origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)
    with pytest.raises(ModelNotFoundError, match=message):
        await check_embedder(EmbeddedEmbedder())


async def test_tokens_have_spans_and_add_up_to_the_text() -> None:
    embedder = EmbeddedEmbedder()
    text = "Naïve  cats,\nrefund 🙂"
    (tokens,) = await embedder.embed_tokens([text])
    whole = (await embedder.embed_passages([text])).vectors[0]
    assert tokens.vectors.shape == (len(tokens.spans), embedder.dim)
    total = tokens.vectors.sum(axis=0)
    assert total @ whole / np.linalg.norm(total) == pytest.approx(1, abs=1e-5)
    assert all(start < end <= len(text) for start, end in tokens.spans)
    covered = {place for start, end in tokens.spans for place in range(start, end)}
    assert covered == {place for place, letter in enumerate(text) if not letter.isspace()}
    assert (await embedder.embed_tokens([""]))[0].vectors.shape == (0, embedder.dim)
