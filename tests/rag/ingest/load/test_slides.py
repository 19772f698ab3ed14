from pathlib import Path

import pytest

from rag.errors import DamagedFileError
from rag.ingest.load import read_document
from rag.ingest.structure import heading_path, page_at
from rag.testing.loader import check_document
from tests.rag.ingest.load import office_files


def load(folder: Path, parts: dict[str, str]):
    (folder / "deck.pptx").write_bytes(office_files.pack(parts))
    document = read_document(folder / "deck.pptx")
    check_document(document)
    return document


def test_a_page_per_slide_in_the_order_shown(tmp_path: Path):
    deck = load(tmp_path, office_files.pptx_parts())
    assert [deck.text[page.start : page.end] for page in deck.pages] == [
        "Refunds\n\nThirty days.\n\nFrom delivery & on.\n\nNotes: Say it slowly.",
        "",
        "Items\n\n| Item | Days |\n| --- | --- |\n| Shoes | 30 |",
    ]
    assert page_at(deck, deck.text.index("Shoes")) == 3
    assert heading_path(deck, deck.text.index("Thirty")) == "Refunds"
    assert (deck.metadata["title"], deck.created) == ("Deck", "2024-05-06")


def test_a_missing_part_is_damage(tmp_path: Path):
    parts = office_files.pptx_parts()
    del parts["ppt/slides/slide3.xml"]
    with pytest.raises(DamagedFileError):
        load(tmp_path, parts)


def test_entities_and_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    parts = office_files.pptx_parts()
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]>' + parts["ppt/slides/slide1.xml"].removeprefix(office_files.XML)
    with pytest.raises(DamagedFileError):
        load(tmp_path, {**parts, "ppt/slides/slide1.xml": office_files.XML + bomb})
    monkeypatch.setattr("rag.ingest.load.slides._MAX_PART_BYTES", 100)
    with pytest.raises(DamagedFileError):
        load(tmp_path, parts)
