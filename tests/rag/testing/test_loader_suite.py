"""The loader suite accepts ours and catches what it is there to catch."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rag.errors import MissingFileError, UnreadableFileError
from rag.ingest.load import Loader, load_file
from rag.testing.loader import check_document, check_loader
from rag.types import Document, Page, Section


async def test_ours_passes(tmp_path: Path):
    await check_loader(load_file, tmp_path)


def _spoiled(**changes: Any) -> Loader:
    async def load(path: Path, **options) -> Document:
        return replace(await load_file(path, **options), **changes)

    return load


@pytest.mark.parametrize(
    ("wrong", "changes"),
    [
        ("id, name and source", {"id": ""}),
        ("no text", {"text": "  "}),
        ("must not be in the text", {"text": "a\x00b"}),
        ("SHA-256", {"hash": "0" * 64}),
        ("numbered 0", {"pages": (Page(0, 0, 5),)}),
        ("overlaps", {"pages": (Page(1, 0, 5), Page(2, 4, 6))}),
        ("on no page", {"pages": (Page(1, 3, 5),)}),
        ("empty heading", {"sections": (Section((" ",), 0, 5),)}),
        ("crosses the end", {"sections": (Section(("a",), 0, 5), Section(("b",), 3, 7))}),
    ],
)
async def test_it_catches(tmp_path: Path, wrong: str, changes: dict[str, object]):
    with pytest.raises(AssertionError, match=wrong):
        await check_loader(_spoiled(**changes), tmp_path, suffixes=(".txt",))


async def test_it_catches_the_wrong_error(tmp_path: Path):
    async def load(path: Path, **options) -> Document:
        try:
            return await load_file(path, **options)
        except MissingFileError as error:
            raise UnreadableFileError(path, "it is gone") from error

    with pytest.raises(AssertionError, match="UnreadableFileError was raised, not MissingFileError"):
        await check_loader(load, tmp_path)


async def test_it_catches_ids_that_follow_the_machine(tmp_path: Path):
    async def load(path: Path, *, root: Path | None = None, max_bytes: int = 10**6) -> Document:
        return replace(await load_file(path, root=root, max_bytes=max_bytes), id=str(path))

    with pytest.raises(AssertionError, match="path below the root alone"):
        await check_loader(load, tmp_path)


def test_check_document_wants_text_after_the_last_page_on_a_page():
    document = Document("i", "s", "n", "page one, then more", "", "text/plain", pages=(Page(1, 0, 8),))
    with pytest.raises(AssertionError, match="after the last page"):
        check_document(document)
