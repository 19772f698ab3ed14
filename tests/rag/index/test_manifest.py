"""The manifest: files by the folder they lie in, without reading more than asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from plumbline.database import open_database
from rag.index.components import catalogue_component
from rag.index.manifest import FileRecord, Manifest

FILE = FileRecord("/docs/a.pdf", "/docs", "10-20-30", 40, "abc", "readers 1")


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    path = tmp_path / "knowledge.db"
    return Manifest(open_database(path, [catalogue_component()]), path)


def test_files_belong_to_every_folder_above_them(manifest: Manifest) -> None:
    manifest.put([FILE])
    for root in ("/docs", "/docs/", "/", "/docs/a.pdf"):
        assert list(manifest.files(root)) == [FILE]
        assert manifest.count(root) == 1
    for root in ("/other", "/doc", "/docs/a", "/docs/%", "/d_cs"):
        assert list(manifest.files(root)) == []


def test_files_come_in_the_order_of_their_addresses(manifest: Manifest) -> None:
    names = ["/docs/b.txt", "/docs/a-b.txt", "/docs/a/x.txt", "/docs/é.txt", "/docs/\U0001f642.txt", "/docs/Z.txt"]
    manifest.put([replace(FILE, source=name) for name in names])
    assert [file.source for file in manifest.files("/docs")] == sorted(names)


def test_a_source_that_is_no_folder_owns_what_was_read_through_it(manifest: Manifest) -> None:
    manifest.put([replace(FILE, source="https://x/a.pdf", root="urls.txt"), FILE])
    assert [file.source for file in manifest.files("urls.txt")] == ["https://x/a.pdf"]


def test_the_last_run_over_a_source_is_remembered(manifest: Manifest) -> None:
    manifest.put([FILE])
    manifest.finish("/elsewhere", {"removed": 3})
    manifest.finish("/docs", {"added": 3})
    manifest.finish("/docs", {"unchanged": 3, "failed": 1})
    (source,) = manifest.sources()
    assert (source.root, source.counts) == ("/docs", {"unchanged": 3, "failed": 1})
    assert source.finished.endswith("+00:00")


def test_failed_files_are_listed(manifest: Manifest) -> None:
    bad = replace(FILE, source="/docs/bad.pdf", error="it is damaged")
    manifest.put([FILE, bad])
    assert manifest.failed() == [bad]
    assert manifest.file("/docs/bad.pdf") == bad
    assert manifest.file("/docs/none.pdf") is None


def test_files_are_read_some_at_a_time_and_nothing_is_left_open(
    manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reading that stays open as long as a run would keep the database's log from being cleared."""
    monkeypatch.setattr("rag.index.manifest.ROWS_PER_READ", 2)
    below = [replace(FILE, source=f"/docs/{n}.txt", root=("/docs", "/", "/other")[n % 3]) for n in range(9)]
    beside = [replace(FILE, source=f"{place}/x.txt") for place in ("/a", "/docs-1", "/zoo", "mem://docs")]
    manifest.put([*below, *beside, replace(FILE, source="/docs"), replace(FILE, source="/zoo/y.txt", root="/other")])
    expected = sorted([*below, *beside, replace(FILE, source="/docs")], key=lambda file: file.source)
    found = []
    for file in manifest.files("/docs"):
        assert manifest._engine.pool.status().count("Current Checked out connections: 0") == 1
        manifest.put([file])
        found.append(file)
    assert found == expected
    assert manifest.count("/docs") == len(expected)
