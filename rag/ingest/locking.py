"""One ingestion at a time into a knowledge base, whichever process runs it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

from plumbline.database import storage_errors
from plumbline.locks import lock_file

LOCK_FILE = "ingest.lock"
_WAIT_SECONDS = 0.1


@asynccontextmanager
async def ingesting(folder: Path) -> AsyncIterator[None]:
    """Hold the lock of the knowledge base in `folder`; waits for whoever holds it. The death of a process frees it."""
    file = await asyncio.to_thread(_opened, folder / LOCK_FILE)
    try:
        while not lock_file(file):  # noqa: ASYNC110 (no event tells what another process does)
            await asyncio.sleep(_WAIT_SECONDS)
        yield
    finally:
        file.close()


def _opened(path: Path) -> IO[str]:
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("w")
