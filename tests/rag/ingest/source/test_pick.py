from pathlib import Path
from typing import Any

import pytest

from plumbline.errors import InputError
from rag.ingest.source.folder import FolderSource
from rag.ingest.source.given import GivenSource, document_from_text
from rag.ingest.source.pick import source_for
from rag.ingest.source.remote import RemoteSource


def test_what_a_target_is(tmp_path: Path) -> None:
    (tmp_path / "a b.md").write_text("text")
    links = tmp_path / "links.urls"
    links.write_text("https://host/a.md\n")
    document = document_from_text("text", source="a")

    for target in (tmp_path, str(tmp_path), "docs/**/*.md", tmp_path / "a b.md", tmp_path / "none.urls"):
        assert isinstance(source_for(target), FolderSource)
    for url in ("https://host/a.md", "s3://bucket/docs/"):
        assert isinstance(source_for(url), RemoteSource)
    assert source_for((tmp_path / "a b.md").as_uri()).root == source_for(tmp_path / "a b.md").root
    assert isinstance(source_for(links), RemoteSource)
    assert source_for(str(links)).root == str(links.resolve())
    for documents in ([document], iter([document]), document):
        assert isinstance(source_for(documents), GivenSource)  # type: ignore[arg-type]  # one document will do


def test_what_names_no_documents() -> None:
    wrong: Any = 3
    with pytest.raises(InputError, match="A int names no documents"):
        source_for(wrong)
    with pytest.raises(InputError, match="is not a URL"):
        source_for("https://")
    for empty in ("", "  "):
        with pytest.raises(InputError, match="has an empty name"):
            source_for(empty)
