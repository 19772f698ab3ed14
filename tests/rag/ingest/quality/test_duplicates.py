"""Groups of equal and nearly equal texts, against the exhaustive comparison of all with all."""

from __future__ import annotations

import random
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from plumbline.errors import MissingExtraError
from rag.ingest.quality.duplicates import Duplicates
from rag.ingest.quality.fingerprint import text_fingerprint
from rag.ingest.quality.shingles import jaccard, shingles

pytest.importorskip("rensa")

SOURCES = sorted((Path(__file__).parents[4] / "examples" / "sources").glob("*.md"))


def variants(seed: int, count: int) -> list[str]:
    """Paragraphs of the example corpus, each with some of its words changed, dropped or moved."""
    draw = random.Random(seed)
    paragraphs = [
        part for path in SOURCES for part in path.read_text(encoding="utf-8").split("\n\n") if len(part.split()) >= 40
    ]
    made = []
    for _ in range(count):
        words = draw.choice(paragraphs).split()
        for _ in range(draw.choice([0, 1, 1, 2, 3, 5, 8])):
            at = draw.randrange(len(words) - 1)
            if draw.random() < 0.5:
                words[at] = draw.choice(["indeed", "no", "17", "sometimes", "Norway"])
            else:
                del words[at]
        made.append(" ".join(words))
    return made


def exhaustive(texts: list[str], threshold: float) -> dict[tuple[int, int], float]:
    sets = [shingles(text) for text in texts]
    alike = {(a, b): jaccard(sets[a], sets[b]) for a, b in combinations(range(len(texts)), 2)}
    return {pair: similarity for pair, similarity in alike.items() if similarity >= threshold}


@pytest.mark.parametrize("threshold", [0.7, 0.8, 0.9])
def test_pairs_are_those_of_the_exhaustive_comparison(threshold: float) -> None:
    texts = list(dict.fromkeys(variants(7, 300)))
    expected = exhaustive(texts, threshold)
    with Duplicates(threshold) as duplicates:
        for text in texts:
            duplicates.add(text)
        found = {(a, b): similarity for a, b, similarity in duplicates.pairs()}
    assert len(expected) > 40
    assert not set(found) - set(expected), "verified: nothing that is less alike"
    assert len(found) / len(expected) >= 0.99
    assert all(found[pair] == expected[pair] for pair in found)


def test_groups_are_the_same_whenever_they_are_made() -> None:
    texts = variants(3, 200)

    def groups() -> tuple[list[object], list[object]]:
        with Duplicates() as duplicates:
            for text in texts:
                duplicates.add(text)
            return list(duplicates.equal()), list(duplicates.near())

    assert groups() == groups()


def test_equal_but_for_case_and_space() -> None:
    with Duplicates() as duplicates:
        for text in ("One  text.\n", "another", "one text.", "ONE TEXT."):
            duplicates.add(text)
        (group,) = duplicates.equal()
        assert group.members == (0, 2, 3)
        assert duplicates.near() == []


def test_a_chain_of_versions_is_one_group() -> None:
    words = [f"word{n}" for n in range(80)]
    versions = []
    for number in range(4):
        words[number * 20] = f"changed{number}"
        versions.append(" ".join(words))
    with Duplicates(0.9) as duplicates:
        for text in ["something else entirely", *versions]:
            duplicates.add(text)
        (group,) = duplicates.near()
    assert group.members == (1, 2, 3, 4)
    assert 0.9 <= group.least < 1


def test_a_crowd_costs_no_square() -> None:
    base = " ".join(f"w{n}" for n in range(60))
    with Duplicates() as duplicates:
        for number in range(400):
            duplicates.add(f"{base} tail{number}")
        (group,) = duplicates.near()
        assert len(list(duplicates.pairs())) < 400 * 399 / 2 / 5
    assert len(group.members) == 400


def test_short_empty_and_unspaced_texts() -> None:
    with Duplicates() as duplicates:
        for text in ("", "", "a", "返品は三十日以内に行ってください", "返品は三十日以内に行つてください", "??"):
            duplicates.add(text)
        assert [group.members for group in duplicates.equal()] == [(0, 1)]
        assert duplicates.near()[0].members == (0, 5), "no words at all, both"


def test_the_order_of_words_counts() -> None:
    assert jaccard(shingles("a b c d e f"), shingles("f e d c b a")) == 0
    assert jaccard(shingles("a b c d"), shingles("A, b: c — d!")) == 1
    assert jaccard(np.zeros(0, np.uint64), np.zeros(0, np.uint64)) == 1


def test_fingerprints_are_pinned() -> None:
    assert text_fingerprint("Hello  World") == text_fingerprint("hello world\n") == "e9a804b2e527fd3601d2ffc0bb023cd6"


def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rensa", None)
    with pytest.raises(MissingExtraError, match=r"plumbline\[quality\]"):
        Duplicates()
