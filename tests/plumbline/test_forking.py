"""A process that forks, in a process without warnings: from Python 3.12 on every fork beside a thread is one."""

from __future__ import annotations

import gc
import os
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from plumbline import forking
from plumbline.forking import at_fork

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")

BEGIN = """
import os, signal, sys, threading
from decimal import Decimal
from pathlib import Path
from plumbline.database import open_database
from plumbline.reading import ReadConnection
from plumbline.trace_store import SpanRecord, SpanWriter, component as spans
from routing.chat import Usage
from routing.cost.ledger import Ledger, LedgerEntry, component as rows

path = Path(sys.argv[1])
engine = open_database(path, [rows(), spans()])
ledger, writer, reader = Ledger(engine, path), SpanWriter(engine, 64), ReadConnection(path)

def entry(name):
    return LedgerEntry("chat", name, Usage(1, 1), Decimal(1), 0.1)

def span(name):
    return SpanRecord("t", name, None, name, 0.0, 1.0, None, {})

def count():
    return reader.rows("SELECT count(*) FROM ledger")[0][0]

def forked(child):
    pid = os.fork()
    if pid:
        return pid
    signal.alarm(20)
    try:
        child()
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    os._exit(0)

def well(pid):
    assert os.waitpid(pid, 0)[1] == 0
"""


def run(path: Path, script: str) -> None:
    program = BEGIN + textwrap.dedent(script)
    subprocess.run([sys.executable, "-W", "ignore", "-c", program, str(path)], check=True, timeout=60)


def stored(path: Path, query: str) -> list[str]:
    connection = sqlite3.connect(path)
    try:
        return sorted(name for (name,) in connection.execute(query))
    finally:
        connection.close()


MODELS, SPANS = "SELECT model FROM ledger", "SELECT name FROM spans"


def test_nobody_takes_the_log_away_that_a_child_writes_into(tmp_path: Path) -> None:
    """With a connection of its parent's a child would not hold the lock that says that it is there."""
    path = tmp_path / "home.db"
    run(
        path,
        """
        import sqlite3
        ledger.record(entry("parent")); ledger.enqueue(entry("at once")); assert count() == 2
        wrote, closed = os.pipe(), os.pipe()
        def child():
            ledger.record(entry("child")); ledger.enqueue(entry("child, at once")); assert count() == 4
            os.write(wrote[1], b"x"); os.read(closed[0], 1)
            ledger.record(entry("child, later")); assert count() == 5
            assert len(list(ledger.after(0))) == 5
            assert sqlite3.connect(path).execute("SELECT count(*) FROM ledger").fetchone() == (5,)
        pid = forked(child)
        os.read(wrote[0], 1)
        reader.close(); engine.dispose(); ledger.held.close(); ledger._later.close()
        assert path.with_name("home.db-wal").exists()
        os.write(closed[1], b"x")
        well(pid)
        """,
    )
    assert stored(path, MODELS) == ["at once", "child", "child, at once", "child, later", "parent"]


def test_what_waits_is_stored_once_and_by_the_parent(tmp_path: Path) -> None:
    path = tmp_path / "home.db"
    run(
        path,
        """
        for number in range(40):
            writer.put(span(f"parent {number}"))  # its thread waits for more
        ledger.enqueue(entry("parent"), soon=False)
        def child():
            for number in range(40):
                writer.put(span(f"child {number}"))
            ledger.enqueue(entry("child"), soon=False)
            ledger.flush(); writer.close()
            assert writer.dropped == 0
        first, second = forked(child), forked(writer.close)
        well(first); well(second)
        ledger.flush(); writer.close()
        """.replace("child {number}", "child {os.getpid()} {number}"),
    )
    assert stored(path, MODELS) == ["child", "parent"]
    names = stored(path, SPANS)
    assert len(names) == len(set(names)) == 80
    assert sum(name.startswith("parent") for name in names) == 40


def test_a_child_waits_for_no_thread_of_its_parent(tmp_path: Path) -> None:
    """The locks are held, the queue is full, rows are being stored: by threads that the child has not."""
    path = tmp_path / "home.db"
    run(
        path,
        """
        writer._ensure_thread = lambda: None  # nobody empties it
        for number in range(100):
            writer.put(span(f"parent {number}"))
        assert writer.dropped == 36
        del writer._ensure_thread
        ledger._busy = True
        def child():
            writer.put(span("child")); writer.close()
            assert ledger.enqueue(entry("child")).done()
        with ledger._lock, writer._start_lock, writer._queue.mutex:
            pid = forked(child)
        well(pid)
        """,
    )
    assert stored(path, MODELS) == stored(path, SPANS) == ["child"]


def test_a_connection_in_the_midst_of_writing_is_left_to_the_parent(tmp_path: Path) -> None:
    path = tmp_path / "home.db"
    run(
        path,
        """
        from plumbline import held
        held.FORK_WAITS_SECONDS = 0.01
        with ledger.held.transaction() as connection:
            connection.execute("CREATE TABLE parents (number)")
            def child():
                assert ledger.held._held._connection is None
            pid = forked(child)
            well(pid)
            connection.execute("INSERT INTO parents VALUES (1)")
        assert reader.rows("SELECT number FROM parents") == [(1,)]
        """,
    )


def test_a_holder_that_is_gone_is_not_called() -> None:
    class Holder:
        calls = 0

        def count(self) -> None:
            Holder.calls += 1

    kept, gone = Holder(), Holder()
    for holder in (kept, gone):
        at_fork(holder, before=Holder.count)
    del gone, holder
    gc.collect()
    forking._before()
    forking._lock.release()
    assert Holder.calls == 1
    del kept
