from rag.ingest.chunk.structure import StructureChunker
from rag.ingest.structure import Heading, sections_from
from rag.testing.chunker_samples import MARKDOWN_TABLE
from rag.types import Chunk, Document

PROSE = "The refund window is thirty days after delivery. Dr. Meyer signs every refund above $500.50! Who pays? We do. "
FENCE = "```python\n" + "".join(f"def f{n}(x):\n    return x + {n}\n\n\n" for n in range(8)) + "```"


def document(parts: list[tuple[int, str, str]], media_type: str = "text/markdown") -> Document:
    """Parts are (level, title, body)."""
    text, headings = "", []
    for level, title, body in parts:
        headings.append(Heading(level, title, len(text)))
        text += f"{'#' * level} {title}\n\n{body}\n\n" if body else f"{'#' * level} {title}\n\n"
    return Document("d", "s", "handbook.md", text, "", media_type, sections=sections_from(headings, len(text)))


def split(made: Document, size: int, overlap: int = 0) -> list[Chunk]:
    return StructureChunker(size=size, overlap=overlap).split(made)


def plain(text: str) -> Document:
    return Document("d", "s", "n.md", text, "", "text/markdown")


def test_a_section_that_fits_is_a_chunk_with_its_path():
    made = document([(1, "Policy", PROSE * 3), (2, "Window", PROSE * 3), (2, "Costs", PROSE * 3)])
    chunks = split(made, 120)
    assert [chunk.section for chunk in chunks] == ["Policy", "Policy > Window", "Policy > Costs"]
    assert chunks[1].text == f"## Window\n\n{PROSE * 3}".strip()
    assert chunks[1].context.endswith("Policy > Window")


def test_small_sections_share_a_chunk_up_to_the_budget():
    made = document([(1, "Terms", ""), *[(2, f"Term {n}", "One short sentence.") for n in range(30)]])
    chunks = split(made, 100)
    assert all(70 < chunk.tokens <= 100 for chunk in chunks[:-1])
    assert all(chunk.text.startswith("#") for chunk in chunks)


def test_a_heading_never_ends_a_chunk():
    parts = [(1 + n % 3, f"Heading {n}", PROSE * (n % 5)) for n in range(1, 60)]
    made = document([*parts, (1, "Last", PROSE)])
    for size in (16, 48, 130, 400):
        for chunk in split(made, size):
            assert not chunk.text.rsplit("\n", 1)[-1].startswith("#"), chunk.text


def test_headings_at_the_end_of_a_document_are_kept():
    made = document([(1, "One", PROSE * 5), (1, "Two", ""), (2, "Three", "")])
    chunks = split(made, 64)
    assert chunks[-1].text.endswith("## Three")


def test_a_table_that_fits_is_not_cut():
    table = "\n".join(MARKDOWN_TABLE.split("\n")[:20])
    chunks = split(plain(f"{PROSE * 4}\n\n{table}\n\n{PROSE * 4}"), 200)
    assert any(table in chunk.text for chunk in chunks)


def test_a_larger_table_is_cut_between_rows_and_its_header_goes_into_the_context():
    made = plain(f"{PROSE}\n\n{MARKDOWN_TABLE}\n\n{PROSE}")
    chunks = split(made, 100, 40)
    rows = set(MARKDOWN_TABLE.split("\n"))
    inside = [chunk for chunk in chunks if chunk.text.startswith("| part")]
    assert len(inside) > 10
    for chunk in inside:
        lines = chunk.text.split("\n\n")[0].split("\n")
        assert set(lines) <= rows
        assert chunk.context.endswith("\n| item | price |\n|---|---|")
    assert [chunk.context for chunk in chunks if chunk not in inside] == ["n"] * (len(chunks) - len(inside))
    shown = "\n".join(line for chunk in chunks for line in chunk.text.split("\n") if line in rows and line)
    assert shown == MARKDOWN_TABLE.strip(), "no row is said twice"


def test_code_that_fits_is_not_cut_and_larger_code_is_cut_between_definitions():
    whole = split(plain(f"{PROSE * 4}\n\n{FENCE}\n\n{PROSE}"), 160)
    assert any(FENCE in chunk.text for chunk in whole)
    cut = split(plain(FENCE), 60)
    assert len(cut) > 1
    assert all(chunk.text.startswith("def ") for chunk in cut[1:])


def test_source_code_is_code_from_end_to_end():
    text = "\n\n\n".join(f"def f{n}(x):\n    y = x\n\n    return y" for n in range(40))
    for chunk in split(Document("d", "s", "f.py", text, "", "text/x-python"), 90)[1:]:
        assert chunk.text.startswith("def ")


def test_only_prose_overlaps():
    chunks = split(document([(1, "Long", PROSE * 30), (1, "Next", PROSE)]), 100, 40)
    assert chunks[1].start < chunks[0].end
    assert chunks[1].text.startswith(("The ", "Dr. ", "Who ", "We "))
    assert chunks[-1].start >= chunks[-2].end, "a section starts without"


def test_a_heading_over_two_lines_stays_with_its_section():
    text = "Management's discussion and\nanalysis of results\n\n" + PROSE * 10
    heading = Heading(1, "Management's discussion and analysis of results", 0)
    made = Document("d", "s", "n.txt", text, "", "text/plain", sections=sections_from([heading], len(text)))
    assert split(made, 40)[0].text.startswith("Management's discussion and\nanalysis of results\n\nThe refund")
