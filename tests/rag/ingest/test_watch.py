import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from plumbline.errors import InputError
from rag.ingest.watch import changes

pytest.importorskip("watchfiles", reason="the extra `watch` is not installed")


@asynccontextmanager
async def watching(target: Path, **options: Any) -> AsyncIterator["Watched"]:
    watched = Watched(target, options)
    try:
        assert await watched.next() == set()
        yield watched
    finally:
        await watched.stream.aclose()


class Watched:
    def __init__(self, target: Path, options: dict[str, Any]) -> None:
        self.stream = changes(target, debounce_seconds=0.1, **options)

    async def next(self) -> set[Path]:
        async with asyncio.timeout(30):
            return await anext(self.stream)

    async def until(self, wanted: set[Path]) -> set[Path]:
        """All that is reported until `wanted` has been."""
        found: set[Path] = set()
        while not wanted <= found:
            found |= await self.next()
        return found


@pytest.mark.parametrize("poll", [False, True])
async def test_reports_what_changes_below_a_folder(tmp_path: Path, poll: bool) -> None:
    (tmp_path / "sub").mkdir()
    gone = tmp_path / "gone.md"
    gone.write_text("text")
    async with watching(tmp_path, poll=poll) as watched:
        (tmp_path / "sub" / "new.md").write_text("text")
        await watched.until({tmp_path / "sub" / "new.md"})
        gone.unlink()
        await watched.until({gone})


async def test_hidden_and_ignored_files_are_left_out(tmp_path: Path) -> None:
    for name in ("kb", ".git"):
        (tmp_path / name).mkdir()
    async with watching(tmp_path, ignored=[tmp_path / "kb"]) as watched:
        for name in ("kb/index.db", ".git/HEAD", ".hidden.md", "~$a.docx", "last.md"):
            (tmp_path / name).write_text("text")
        assert await watched.until({tmp_path / "last.md"}) == {tmp_path / "last.md"}


async def test_a_file_that_an_editor_replaces_is_still_watched(tmp_path: Path) -> None:
    file, other = tmp_path / "a.md", tmp_path / "b.md"
    file.write_text("one")
    async with watching(file) as watched:
        for text in ("two", "three"):
            other.write_text(text)
            other.replace(file)
            assert await watched.until({file}) == {file}


async def test_a_pattern_watches_the_folder_before_it(tmp_path: Path) -> None:
    async with watching(tmp_path / "*" / "*.md") as watched:
        (tmp_path / "sub").mkdir()
        await watched.until({tmp_path / "sub"})


async def test_changes_made_while_the_reader_is_busy_are_not_lost(tmp_path: Path) -> None:
    async with watching(tmp_path) as watched:
        (tmp_path / "a.md").write_text("text")
        await watched.until({tmp_path / "a.md"})
        (tmp_path / "b.md").write_text("text")
        await asyncio.sleep(0.5)
        (tmp_path / "c.md").write_text("text")
        await watched.until({tmp_path / "b.md", tmp_path / "c.md"})


async def test_cancelling_ends_it(tmp_path: Path) -> None:
    async with watching(tmp_path) as watched:
        waiting = asyncio.ensure_future(anext(watched.stream))
        await asyncio.sleep(0)
        waiting.cancel()
        done, _ = await asyncio.wait({waiting}, timeout=30)
        assert done == {waiting}


@pytest.mark.parametrize("name", ["nothing", "nothing/*.md"])
async def test_nothing_there_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="nothing to watch"):
        await anext(changes(tmp_path / name))
