"""One worker process, seen from the parent: started, asked, watched, killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from typing import Any

from rag.errors import RagError
from rag.ingest.engine.frames import HEADER, packed
from rag.ingest.engine.worker import RETIRED
from rag.ingest.prepare import Job, Recipe
from rag.ingest.settings import LoadingSettings

START_SECONDS = 120.0
_EXIT_SECONDS = 2.0
_LATE_SECONDS = 1.0
"""A loop that was held up gets this long to find the answer that came in time."""
_TAIL_BYTES = 4000
_PIPE_BYTES = 2**20

_BOOTSTRAP = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); from rag.ingest.engine.worker import main; main()"
)
"""Not `-m`: that would put the working directory first on the path, and whatever lies there before our packages."""

_ENVIRONMENT = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS", "TOKIO_WORKER_THREADS"), "1"
) | {"TOKENIZERS_PARALLELISM": "false", "MALLOC_ARENA_MAX": "2"}
"""One core for each worker; and few arenas of malloc, which count as address space whether they are used or not."""

_SIGKILL, _SIGALRM = 9, 14
"""POSIX fixes both numbers; Windows has neither signal."""
_OUT_OF_MEMORY = ("memory allocation of", "MemoryError", "bad_alloc", "Cannot allocate memory", "out of memory")


class WorkerDiedError(Exception):
    """Raised for a worker that ended, or was ended, before its answer; `reason` is one line.

    `at_fault` tells whether its job is to blame for sure; `retired` that it ended by itself before it began.
    """

    def __init__(self, reason: str, *, at_fault: bool = False, retired: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.at_fault = at_fault
        self.retired = retired


async def start_worker(function: str, recipe: Recipe) -> Worker:
    """A worker that is ready to work. Raises `RagError` when it does not start."""
    options: dict[str, Any] = {"process_group": 0} if os.name == "posix" else {}
    path = json.dumps([str(entry) for entry in sys.path])
    command = (sys.executable, "-c", _BOOTSTRAP, path)
    process = await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, limit=_PIPE_BYTES, env=os.environ | _ENVIRONMENT, **options
    )
    worker = Worker(process, recipe)
    try:
        await worker.greet(function)
    except BaseException:
        await worker.close()
        raise
    return worker


class Worker:
    """A child process that prepares jobs. Belongs to the event loop that started it."""

    def __init__(self, process: Process, recipe: Recipe) -> None:
        self._process = process
        self._recipe = recipe
        self._loop = asyncio.get_running_loop()
        self._length: int | None = None
        self._errors = b""
        self._drain = asyncio.create_task(self._keep_errors())
        self._answered = 0

    async def greet(self, function: str) -> None:
        """Say what it is to work with, and wait until it is ready. Raises `RagError`."""
        self._write(packed((function, self._recipe)))
        try:
            await self._read(START_SECONDS)
        except (TimeoutError, WorkerDiedError) as error:
            why = error.reason if isinstance(error, WorkerDiedError) else f"it took longer than {START_SECONDS:g} s."
            last = self._errors.decode("utf-8", "replace").strip().rpartition("\n")[2]
            message = f"A worker process for reading files did not start: {why} {last}"
            raise RagError(message.strip(), hint=f"Started was {sys.executable}.") from error

    @property
    def is_here(self) -> bool:
        """Whether the running event loop is the one that this worker belongs to."""
        return self._loop is asyncio.get_running_loop()

    def send(self, jobs: Sequence[Job]) -> None:
        """Hand over jobs; `answer` gives one result for each."""
        self._write(packed(list(jobs)))

    async def answer(self) -> bytes:
        """The next `Prepared`, packed. Raises `WorkerDiedError`; the worker is gone then."""
        limit = self._recipe.loading.max_seconds
        try:
            payload = await self._read(limit)
        except TimeoutError:
            await self.close()
            raise WorkerDiedError(_too_long(limit), at_fault=True) from None
        self._answered += 1
        return payload

    def kill(self) -> None:
        """End it at once, and whatever it has started; killing twice is allowed."""
        if self._process.returncode is not None:
            return
        try:
            if os.name == "posix":
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()
        except ProcessLookupError:
            return  # it has just ended by itself

    async def close(self) -> None:
        """Kill it and wait until it is gone; closing twice is allowed."""
        self.kill()
        await self._process.wait()
        await asyncio.wait({self._drain}, timeout=_EXIT_SECONDS)
        self._drain.cancel()

    def _write(self, message: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(message)

    async def _read(self, seconds: float) -> bytes:
        """The next message. Raises `TimeoutError` or `WorkerDiedError`."""
        try:
            try:
                async with asyncio.timeout(seconds):
                    return await self._frame()
            except TimeoutError:
                async with asyncio.timeout(_LATE_SECONDS):
                    return await self._frame()
        except asyncio.IncompleteReadError:
            raise await self._death() from None

    async def _frame(self) -> bytes:
        """The next payload; interrupted and called again, it goes on where it was."""
        stream = self._process.stdout
        assert stream is not None
        if self._length is None:
            (self._length,) = HEADER.unpack(await stream.readexactly(HEADER.size))
        payload = await stream.readexactly(self._length)
        self._length = None
        return payload

    async def _death(self) -> WorkerDiedError:
        """Why the pipe has ended."""
        try:
            async with asyncio.timeout(_EXIT_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self.kill()
        await self.close()
        code = self._process.returncode or 0
        errors = self._errors.decode("utf-8", "replace")
        first = self._answered == 0 and code != -_SIGKILL  # nothing before it, and nobody from outside, did it
        return WorkerDiedError(
            _reason(code, errors, self._recipe.loading), at_fault=first or code == -_SIGALRM, retired=code == RETIRED
        )

    async def _keep_errors(self) -> None:
        stream = self._process.stderr
        assert stream is not None
        while data := await stream.read(_PIPE_BYTES):
            self._errors = (self._errors + data)[-_TAIL_BYTES:]


def _reason(code: int, errors: str, loading: LoadingSettings) -> str:
    """What an exit code (negative: a signal) and the last output on stderr say about the end of a worker."""
    if any(phrase in errors for phrase in _OUT_OF_MEMORY):
        return "it needs more memory than loading.max_memory_bytes allows."
    if code == -_SIGALRM:
        return _too_long(loading.max_seconds)
    if code == -_SIGKILL:
        return "the reader was killed (signal 9), as happens where memory runs out."
    if code < 0:
        return f"the reader crashed (signal {-code})."
    return f"the reader ended unexpectedly (exit code {code})."


def _too_long(seconds: float) -> str:
    return f"reading it took longer than loading.max_seconds ({seconds:g} s)."
