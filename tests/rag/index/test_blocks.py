"""Arrays that are made some at a time are, piece by piece, what they would be as a whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rag.index.blocks import Blocks, behind, beside, pieces
from rag.index.mapped import Content, read_arrays, write_arrays

ROWS = np.arange(24, dtype=np.int64).reshape(6, 4)


def test_behind_and_beside_continue_arrays() -> None:
    rows = behind([ROWS[:2], ROWS[2:3], ROWS[3:]])
    assert isinstance(rows, Blocks)
    assert rows.shape == ROWS.shape
    assert np.array_equal(rows.whole(), ROWS)
    columns = beside([ROWS[:, :1], ROWS[:, 1:]])
    assert isinstance(columns, Blocks)
    assert columns.shape == ROWS.shape
    assert np.array_equal(columns.whole(), ROWS)
    assert behind([ROWS]) is ROWS
    assert beside([ROWS]) is ROWS
    assert [*pieces(ROWS)] == [ROWS]


def test_a_file_of_pieces_is_a_file_of_the_whole(tmp_path: Path) -> None:
    arrays = {"rows": behind([ROWS[:2], ROWS[2:]]), "columns": beside([ROWS[:, :3], ROWS[:, 3:]]), "after": np.ones(3)}
    write_arrays(Content({}, arrays), tmp_path / "pieces")
    write_arrays(Content({}, {"rows": ROWS, "columns": ROWS, "after": np.ones(3)}), tmp_path / "whole")
    assert (tmp_path / "pieces").read_bytes() == (tmp_path / "whole").read_bytes()
    assert np.array_equal(read_arrays(tmp_path / "pieces").arrays["columns"], ROWS)


def test_pieces_that_do_not_add_up_leave_no_file(tmp_path: Path) -> None:
    short = Blocks(ROWS.dtype, (7, 4), lambda: [ROWS])
    with pytest.raises(ValueError, match=r"shape \(7, 4\) came as 24 numbers"):
        write_arrays(Content({}, {"short": short}), tmp_path / "some")
    assert not [*tmp_path.iterdir()]
