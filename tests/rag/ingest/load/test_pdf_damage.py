"""PDFs that are hostile or broken: an error that says so, or what can be read, in bounded time."""

import random
import tracemalloc
from pathlib import Path

import pytest

from rag.errors import DamagedFileError, EncryptedFileError, LoadError, NoTextError
from rag.ingest.load.pdf import read_pdf
from tests.rag.ingest.load.pdf_files import FONT, many_pages, new, out, raw, simple, stream

SHOWN = b"BT /F1 12 Tf 72 700 Td (Some text stands here.) Tj ET"


def read(data: bytes) -> str:
    return read_pdf(data, Path("a.pdf")).text


def outcome(data: bytes) -> str | type[LoadError]:
    """The text, or the kind of error; anything but a `LoadError` is raised."""
    try:
        return read(data)
    except LoadError as error:
        return type(error)


def locked(user: str) -> bytes:
    made = new()
    made.multi_cell(0, text="Text.")
    made.set_encryption(owner_password="owner", user_password=user)
    return out(made)


def test_an_owner_password_stops_nobody_from_reading_and_a_user_password_does():
    assert read(locked("")) == "Text."
    with pytest.raises(EncryptedFileError, match="password"):
        read(locked("secret"))


def test_ten_thousand_pages_are_read_page_by_page():
    data = many_pages(10_000)
    tracemalloc.start()
    found = read_pdf(data, Path("long.pdf"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found.pages) == 10_000
    page = found.pages[9_876]
    assert found.text[page.start : page.end] == "This is page 9877."
    assert peak < 100 * 2**20


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.98])
def test_a_file_cut_short_says_so(share: float):
    whole = many_pages(20)
    with pytest.raises(DamagedFileError, match="truncated or damaged"):
        read(whole[: int(share * len(whole))])


def test_an_updated_file_cut_inside_its_update_says_so():
    with pytest.raises(DamagedFileError):
        read(simple(SHOWN) + b"\n9 0 obj\n<</Type/Page")


def test_bytes_after_the_end_do_no_harm():
    assert read(simple(SHOWN) + b"\n<html>added by a server</html>" * 200) == "Some text stands here."


def test_a_list_of_pages_that_holds_itself_ends():
    looped = raw(
        [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[2 0 R 2 0 R 1 0 R]/Count 1000000/Parent 2 0 R>>"]
    )
    with pytest.raises(LoadError):
        read(looped)


def test_a_count_of_pages_that_is_a_lie_ends():
    lying = simple(SHOWN).replace(b"/Count 1>>", b"/Count 99>>")
    assert outcome(lying) in ("Some text stands here.", DamagedFileError)


@pytest.mark.parametrize("box", [b"0 0 1e9 1e9", b"0 0 0 0", b"-5 -5 -1 -1", b"0 0 99999999999999999999 1"])
def test_the_size_of_a_page_costs_nothing(box: bytes):
    assert read(simple(SHOWN, box=box)) == "Some text stands here."


def test_scripts_and_actions_are_not_run_and_no_text():
    action = b"/OpenAction<</S/JavaScript/JS(while\\(true\\){} app.alert\\('hidden'\\))>>"
    assert read(simple(SHOWN, catalog=action)) == "Some text stands here."


def test_many_objects_cost_little():
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        stream(SHOWN),
        FONT,
        *[b"null"] * 200_000,
    ]
    assert read(raw(objects)) == "Some text stands here."


def test_a_stream_that_unpacks_to_much_more_is_no_text():
    with pytest.raises(NoTextError):
        read(simple(b"q Q " * 5_000_000))


def test_bookmarks_in_a_loop_end():
    found = read_pdf(
        raw(
            [
                b"<</Type/Catalog/Pages 2 0 R/Outlines 6 0 R>>",
                b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
                b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
                stream(SHOWN),
                FONT,
                b"<</First 7 0 R/Last 7 0 R>>",
                b"<</Title(Some text)/Dest[3 0 R/Fit]/Next 7 0 R/First 7 0 R/Parent 6 0 R>>",
            ]
        ),
        Path("a.pdf"),
    )
    assert [section.path for section in found.sections] == [("Some text",)]


def test_broken_content_and_fonts_lose_only_themselves():
    assert read(simple(b"BT /None 12 Tf (lost?) Tj ET ]]>> " + SHOWN)).endswith("Some text stands here.")


@pytest.mark.parametrize("seed", range(40))
def test_damage_anywhere_gives_a_text_or_an_error_of_ours(seed: int):
    chance = random.Random(seed)
    data = bytearray(many_pages(3) if seed % 2 else locked(""))
    for _ in range(chance.randrange(1, 30)):
        data[chance.randrange(len(data))] = chance.randrange(256)
    found = outcome(bytes(data))
    assert found.strip() if isinstance(found, str) else issubclass(found, LoadError)


def test_no_pdf_at_all_is_told(tmp_path: Path):
    for data in (b"hello", b"%PDF-1.7", b"\0" * 1000, b"%PDF-1.7\n%%EOF\n"):
        with pytest.raises(DamagedFileError):
            read_pdf(data, tmp_path / "a.pdf")
