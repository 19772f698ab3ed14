"""A journal has one owner at a time, and keeps whole lines."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from evals.cost.replay import start_over
from evals.journal import Journal, check_closed
from plumbline.errors import StateError, StorageError

HOLD = """
import sys, time
from pathlib import Path
from evals.journal import Journal
journal = Journal(Path(sys.argv[1]))
journal.append({"mine": 1})
print("open", flush=True)
sys.stdin.read()
"""


def test_another_process_cannot_write_it_until_the_first_has_ended_however_it_did(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(StateError, match=r"rows.jsonl is being written by another run"):
            Journal(path)
        with pytest.raises(StateError, match=r"rows.jsonl is being written by another run"):
            start_over(tmp_path)
        assert path.exists()
        holder.kill()
    journal = Journal(path)
    assert journal.entries == [{"mine": 1}]
    journal.close()
    check_closed(path)


def test_an_entry_that_does_not_fit_leaves_no_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    journal = Journal(path)
    journal.append({"fits": 1})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(StorageError, match=r"Cannot write"):
            journal.append({"long": "x" * 200})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    journal.append({"fits": 2})
    journal.close()
    again = Journal(path)
    again.close()
    assert again.entries == [{"fits": 1}, {"fits": 2}]


def test_a_line_that_was_cut_short_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a": 1}\n{"b": ')
    journal = Journal(path)
    journal.append({"c": "half of a pair: \ud83d"})  # a model's text may hold one
    journal.close()
    again = Journal(path)
    again.close()
    assert again.entries == [{"a": 1}, {"c": "half of a pair: \ud83d"}]
