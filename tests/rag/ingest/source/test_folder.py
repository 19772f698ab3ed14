"""Folders are walked in the order of addresses, every file once, whichever links and names there are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rag import RAG
from rag.ingest.item import Item
from rag.ingest.source.folder import FolderSource
from tests.rag.ingest.test_sync import outcomes


def names(folder: Path | str) -> list[str]:
    return [each.name for each in FolderSource(folder).items() if isinstance(each, Item)]


def test_a_link_to_a_folder_that_is_walked_anyway_adds_nothing(docs: Path) -> None:
    before = names(docs)
    (docs / "also").symlink_to(docs / "more")
    (docs / "loop").symlink_to(docs)
    assert names(docs) == before


def test_a_folder_elsewhere_is_walked_through_the_first_link_to_it(docs: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "far.md").write_text("# Far\n", "utf-8")
    (docs / "b").symlink_to(tmp_path / "elsewhere")
    (docs / "c").symlink_to(tmp_path / "elsewhere")
    assert [name for name in names(docs) if name.endswith("far.md")] == ["b/far.md"]


def test_what_hides_behind_a_link_is_walked_through_it(docs: Path) -> None:
    (docs / ".hidden").mkdir()
    (docs / ".hidden" / "seen.md").write_text("# Seen\n", "utf-8")
    (docs / "shown").symlink_to(docs / ".hidden")
    assert "shown/seen.md" in names(docs)


@pytest.mark.parametrize("link", ["aaa", "zzz"])
def test_a_link_that_comes_later_doubles_nothing(kb: RAG, docs: Path, tmp_path: Path, link: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "far.md").write_text("# Far\n\nFar away lies Vardø.\n", "utf-8")
    (docs / "mmm").symlink_to(tmp_path / "elsewhere")
    kb.ingest(docs)
    (docs / link).symlink_to(tmp_path / "elsewhere")
    (docs / f"{link}2").symlink_to(docs / "more")
    kb.ingest(docs)
    assert kb.status().totals.documents == 4
    (docs / "mmm").unlink()
    kb.ingest(docs)
    assert [row["name"] for row in kb.status().documents if row["name"].endswith("far.md")] == [f"{link}/far.md"]


def test_two_names_that_are_printed_alike_are_two_files(kb: RAG, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / os.fsdecode(b"\xff.md")).write_text("# Bytes\n", "utf-8")
    (folder / "\\xff.md").write_text("# Backslash\n", "utf-8")
    items = list(FolderSource(folder).items())
    assert len({each.source for each in items}) == len(items)
    assert [each.source for each in items] == sorted(each.source for each in items)
    assert outcomes(kb.ingest(folder)) == {"\\xff.md": "added", "\\xff.md (another)": "failed"}


def test_a_pattern_leaves_out_what_is_hidden_unless_it_names_it(docs: Path) -> None:
    (docs / ".venv" / "lib").mkdir(parents=True)
    (docs / ".venv" / "lib" / "readme.md").write_text("# Not ours\n", "utf-8")
    assert names(f"{docs}/**/*.md") == ["more/shipping 🙂.md", "returns.md"]
    assert names(f"{docs}/.venv/**/*.md") == ["lib/readme.md"]
    assert names(f"{docs}/*") == ["returns.md", "shops.csv"]


def test_what_a_pattern_no_longer_matches_is_gone_when_it_is(kb: RAG, docs: Path) -> None:
    kb.ingest(f"{docs}/*.*")
    (docs / "shops.csv").unlink()
    assert outcomes(kb.ingest(f"{docs}/*.*")) == {"returns.md": "unchanged", "shops.csv": "removed"}


def test_a_file_that_becomes_a_link_to_another_is_removed(kb: RAG, docs: Path) -> None:
    kb.ingest(docs)
    (docs / "shops.csv").unlink()
    (docs / "shops.csv").symlink_to(docs / "returns.md")
    (docs / "plain.txt").symlink_to(docs.parent / "outside")
    (docs.parent / "outside").write_text("A text without a suffix, read under the name of a link.", "utf-8")
    assert outcomes(kb.ingest(docs))["shops.csv"] == "removed"
    assert "plain.txt" in names(docs)
