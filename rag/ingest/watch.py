"""Notices changes of files, once they have settled, through watchfiles (extra `watch`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from pathlib import Path
from typing import Any

from plumbline.errors import InputError
from plumbline.extras import require

_PATTERN_MARKS = "*?["
_AT_MOST = 10
"""Where changes never end, they are reported after this many times the time that they are given to settle."""
_FOR_EVER = 3_600_000


async def changes(
    target: Path, *, debounce_seconds: float = 1.0, poll: bool = False, ignored: Collection[Path] = ()
) -> AsyncGenerator[set[Path], None]:
    """First nothing, as soon as watching has begun; then what has changed, each time when it has settled.

    Ingest on each, the first included: then nothing falls between looking and watching. `target` is a file, a folder
    or a pattern; what is hidden or `ignored` (the knowledge base itself, say) is left out, and so is what lies behind
    links to other folders. `poll` looks again and again, for file systems that tell nothing (network shares, some
    containers). Raises `InputError` when there is nothing to watch. Ends when it is closed or cancelled.
    """
    watchfiles = require("watchfiles", "watch")
    target, base = _place(target)
    left_out = [_place_of(each) for each in ignored]
    settle = max(int(debounce_seconds * 1000), 1)
    events: AsyncGenerator[set[tuple[Any, str]], None] = watchfiles.awatch(
        base,
        watch_filter=lambda _, path: _counts(Path(path), target, base, left_out),
        step=settle,
        debounce=settle * _AT_MOST,
        rust_timeout=_FOR_EVER,
        recursive=target != base or target.is_dir(),
        force_polling=poll or None,
        ignore_permission_denied=True,
    )
    async with aclosing(events):
        upcoming = asyncio.ensure_future(anext(events))
        try:
            await asyncio.sleep(0)  # the first step of `events` begins to watch
            if not upcoming.done():
                yield set()
            while True:
                found = await upcoming
                upcoming = asyncio.ensure_future(anext(events))
                yield {Path(path) for _, path in found}
        except FileNotFoundError as error:
            raise InputError(f"There is nothing to watch at {target}.", hint="Name a folder or a file.") from error
        finally:
            upcoming.cancel()
            await asyncio.wait({upcoming})


def _place_of(path: Path) -> Path:
    return path.expanduser().resolve()


def _place(target: Path) -> tuple[Path, Path]:
    """What counts, and the folder to watch: an editor replaces a file, and patterns match what comes later."""
    target = _place_of(target)
    if target.is_dir():
        return target, target
    if target.exists():
        return target, target.parent
    fixed = target
    for part in (target, *target.parents):
        if any(mark in part.name for mark in _PATTERN_MARKS):
            fixed = part.parent
    if fixed == target or not fixed.is_dir():
        raise InputError(f"There is nothing to watch at {target}.", hint="Name a folder or a file.")
    return target, fixed


def _counts(path: Path, target: Path, base: Path, ignored: Collection[Path]) -> bool:
    """Whether a change of `path` may change what is ingested."""
    if target != base and target.exists():
        return path == target
    inside = path.parts[len(base.parts) :]
    if any(part.startswith((".", "~$")) for part in inside):
        return False
    return not any(path.is_relative_to(each) for each in ignored)
