"""What a worker process runs: prepares the jobs that come over stdin and answers each over stdout, in order.

The parent may die at any moment: stdin then ends, and so does the process, whatever it is doing. A job that outlives
the parent and holds the interpreter is ended by the kernel's alarm clock.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from typing import Any, BinaryIO

from rag.ingest.engine.frames import frame, packed, read_frame, unpacked
from rag.ingest.prepare import Job, Prepared, Recipe

READY = b""
"""The first message of a worker, once it has loaded what it needs."""
RETIRED = 75
"""The exit code of a worker that has grown too large to begin another job: nothing is wrong with the job."""
GRACE_SECONDS = 10.0
"""How much later than the parent's clock the kernel's alarm rings."""

Prepare = Callable[[Job, Recipe], Prepared]


def main() -> None:
    """Serve until stdin ends. The first message is `(function, recipe)`, each of the others a list of jobs."""
    source, sink = _streams()
    inbox: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_receive, args=(source, inbox), daemon=True).start()
    name, recipe = unpacked(inbox.get())
    prepare = _function(name)
    limit = recipe.loading.max_memory_bytes
    _limit_memory(limit)
    try:
        _send(sink, frame(READY))
        served = False
        while True:
            jobs = unpacked(inbox.get())
            if served and limit and _address_space() > limit / 2:
                os._exit(RETIRED)
            for job in jobs:
                _alarm(recipe.loading.max_seconds + GRACE_SECONDS)
                _send(sink, _answer(prepare, job, recipe))
            _alarm(0)
            served = True
    except BrokenPipeError:
        os._exit(0)  # the parent is gone


def _streams() -> tuple[BinaryIO, BinaryIO]:
    """Stdin and stdout for the parent alone: what libraries print goes to stderr, what they read is empty."""
    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to decide
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return source, sink


def _receive(source: BinaryIO, inbox: SimpleQueue[bytes]) -> None:
    while (message := read_frame(source)) is not None:
        inbox.put(message)
    os._exit(0)


def _send(sink: BinaryIO, message: bytes) -> None:
    sink.write(message)
    sink.flush()


def _answer(prepare: Prepare, job: Job, recipe: Recipe) -> bytes:
    """The result as a frame, or, where it cannot be sent, an error in its place."""
    try:
        return packed(prepare(job, recipe))
    except MemoryError:
        return packed(Prepared(job.item, error="it needs more memory than loading.max_memory_bytes allows."))
    except Exception as error:  # noqa: BLE001 (one bad file must never stop the others)
        return packed(Prepared(job.item, error=f"unexpected {type(error).__name__}: {error}"))


def _function(name: str) -> Any:
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)


def _limit_memory(limit: int) -> None:
    """Cap this process's address space, and let the kernel prefer it to its parent where memory runs out."""
    if not sys.platform.startswith("linux"):
        return
    import resource

    if limit:
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        ceiling = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(resource.RLIMIT_AS, (ceiling, hard))
    try:
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
    except OSError:
        return  # a kernel or container that does not let us: the default stands


def _address_space() -> int:
    """Bytes of address space in use; 0 where there is no telling."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _alarm(seconds: float) -> None:
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)
