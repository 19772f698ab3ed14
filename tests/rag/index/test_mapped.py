"""Files of arrays: what was written comes back, and no damage goes unnoticed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from rag.index.mapped import Content, read_arrays, write_arrays

ARRAYS: dict[str, npt.NDArray[Any]] = {
    "floats": np.arange(12, dtype=np.float32).reshape(3, 4),
    "nothing": np.empty((0, 5), np.int8),
    "flags": np.array([True, False, True]),
    "turned": np.arange(6, dtype=np.int64).reshape(2, 3).T,
    "big-endian": np.arange(3, dtype=">i4"),
}
CONTENT = Content({"format": 7, "name": "Größe"}, {**ARRAYS})


def written(folder: Path) -> Path:
    path = folder / "sub" / "some.index"
    write_arrays(CONTENT, path)
    return path


def test_comes_back_and_cannot_be_written_to(tmp_path: Path) -> None:
    path = written(tmp_path)
    content = read_arrays(path)
    assert content.facts == CONTENT.facts
    assert list(content.arrays) == list(CONTENT.arrays)
    for name, array in ARRAYS.items():
        assert np.array_equal(content.arrays[name], array), name
        assert content.arrays[name].dtype == array.dtype.newbyteorder("<"), name
    with pytest.raises(ValueError, match="read-only"):
        content.arrays["floats"][0, 0] = 1
    assert [each.name for each in path.parent.iterdir()] == ["some.index"]


def test_a_file_that_is_replaced_stays_as_it_was_for_who_has_it(tmp_path: Path) -> None:
    path = written(tmp_path)
    before = read_arrays(path)
    write_arrays(Content({}, {"floats": np.zeros(3)}), path)
    assert before.arrays["floats"][2, 3] == 11
    assert read_arrays(path).arrays["floats"].tolist() == [0, 0, 0]


def test_every_damaged_byte_is_noticed_or_harmless(tmp_path: Path) -> None:
    path = written(tmp_path)
    whole = path.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 0x15
        path.unlink()
        path.write_bytes(damaged)
        try:
            content = read_arrays(path)
        except (ValueError, UnicodeDecodeError):
            continue
        assert all(np.array_equal(content.arrays[name], array) for name, array in ARRAYS.items()), place


def test_a_file_that_was_cut_is_noticed(tmp_path: Path) -> None:
    path = written(tmp_path)
    whole = path.read_bytes()
    for size in (0, 5, 30, len(whole) // 2, len(whole) - 1):
        path.unlink()
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"damaged|short|not such"):
            read_arrays(path)


def test_a_draft_is_not_left_behind(tmp_path: Path) -> None:
    with pytest.raises(AttributeError):
        write_arrays(Content({}, {"good": np.ones(3), "bad": None}), tmp_path / "x.index")  # type: ignore[dict-item]  # that is the point
    assert list(tmp_path.iterdir()) == []
