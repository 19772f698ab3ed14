"""The index as arrays: in a file, mapped from it, and damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from plumbline.errors import CorruptStateError
from rag.index.lexical import LexicalIndex

Arrays = dict[str, npt.NDArray[np.generic]]
CHUNKS = [["a", "b", "b"], ["größe", "b"], ["c", "東京"], ["a", "𐐷", "with\nnewline"]]


def mapped(index: LexicalIndex, folder: Path) -> Arrays:
    found: Arrays = {}
    for name, array in index.to_arrays().items():
        np.save(folder / f"{name}.npy", array)
        found[name] = np.load(folder / f"{name}.npy", mmap_mode="r")
    return found


def test_mapped_arrays_are_searched_where_they_lie(tmp_path: Path) -> None:
    arrays = mapped(LexicalIndex(CHUNKS), tmp_path)
    index = LexicalIndex.from_arrays(arrays)
    again = index.to_arrays()
    for name in ("chunks", "frequencies", "indptr", "vocabulary", "vocabulary_ends"):
        assert np.shares_memory(again[name], arrays[name]), f"{name} was copied"
    for term in ("a", "b", "größe", "東京", "𐐷", "with\nnewline"):
        np.testing.assert_array_equal(index.scores([term]), LexicalIndex(CHUNKS).scores([term]))


def test_what_comes_after_leaves_the_file_as_it_is(tmp_path: Path) -> None:
    arrays = mapped(LexicalIndex(CHUNKS), tmp_path)
    before = {name: array.copy() for name, array in arrays.items()}
    index = LexicalIndex.from_arrays(arrays)
    added = [["b", "new"], ["a"], ["new", "new"]]
    for chunk in added:
        index.append([chunk])
        index.search(["b"], 3)
    index.remove([1, 4])
    fresh = LexicalIndex([*CHUNKS, *added])
    fresh.remove([1, 4])
    for query in (["a", "b"], ["new"], ["größe"]):
        np.testing.assert_array_equal(index.scores(query), fresh.scores(query))
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, before[name])
    again = LexicalIndex.from_arrays(index.to_arrays())
    np.testing.assert_array_equal(again.scores(["a", "b", "new"]), fresh.scores(["a", "b", "new"]))


def test_removed_chunks_leave_no_postings_behind() -> None:
    index = LexicalIndex(CHUNKS)
    index.remove([0, 3])
    arrays = index.to_arrays()
    assert len(arrays["chunks"]) == 4
    assert LexicalIndex.from_arrays(arrays).postings_of([0, 1, 2, 3]) == [
        {},
        {"größe": 1.0, "b": 1.0},
        {"c": 1.0, "東京": 1.0},
        {},
    ]


def test_languages_are_kept() -> None:
    index = LexicalIndex()
    index.append(CHUNKS, ["en", "de", "ja", None])
    assert index.languages == ("de", "en", "ja")
    again = LexicalIndex.from_arrays(index.to_arrays())
    again.remove([1])
    again.append([["x"]], ["fr"])
    assert again.languages == ("en", "fr", "ja")


def test_words_of_damaged_encodings_are_kept() -> None:
    index = LexicalIndex.from_arrays(LexicalIndex([["broken\ud800", "whole"]]).to_arrays())
    assert index.search(["broken\ud800"], 1)[0].tolist() == [0]


def damage(arrays: Arrays, name: str, at: int, value: int) -> Arrays:
    changed = arrays[name].copy()
    changed[at] = value
    return {**arrays, name: changed}


@pytest.mark.parametrize(
    ("name", "at", "value"),
    [
        ("chunks", 0, -1),
        ("chunks", -1, 99),
        ("chunks", 2, 0),
        ("indptr", 1, 99),
        ("vocabulary_ends", 0, 99),
        ("vocabulary_ends", -1, 1),
        ("vocabulary", 0, 0xFF),
        ("vocabulary", 0, 0x7A),
        ("languages", 0, 9),
    ],
)
def test_a_changed_number_is_noticed(name: str, at: int, value: int) -> None:
    arrays = LexicalIndex([["b", "a"], ["b", "c"]]).to_arrays()
    with pytest.raises(CorruptStateError, match="lexical index is damaged"):
        LexicalIndex.from_arrays(damage(arrays, name, at, value))


def test_an_earlier_format_is_not_read() -> None:
    arrays = LexicalIndex(CHUNKS).to_arrays()
    with pytest.raises(CorruptStateError, match="another format"):
        LexicalIndex.from_arrays({**arrays, "format": np.array([1])})


def test_postings_need_not_be_read_where_sums_were_checked() -> None:
    arrays = damage(LexicalIndex([["b", "a"], ["b", "c"]]).to_arrays(), "chunks", 0, 99)
    LexicalIndex.from_arrays(arrays, check_postings=False)
