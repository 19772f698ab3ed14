from hypothesis import given
from hypothesis import strategies as st

from rag.ingest.load.headings import numbered_headings

TEXT = "The company sells shoes and hats in eleven countries and has done so for ninety years. " * 4


def titles(*lines: str, gap: str = TEXT) -> list[tuple[int, str]]:
    return [(found.level, found.title) for found in numbered_headings("\n".join(f"{line}\n{gap}" for line in lines))]


def test_named_headings_of_reports():
    assert titles(
        "PART I", "Item 1. Business", "ITEM 1A – RISK FACTORS", "Note 5 – Fair value of leases", "PART II"
    ) == [
        (1, "PART I"),
        (2, "Item 1. Business"),
        (2, "ITEM 1A – RISK FACTORS"),
        (3, "Note 5 – Fair value of leases"),
        (1, "PART II"),
    ]


def test_numbered_headings_of_papers_and_contracts():
    assert titles(
        "1 Introduction", "2. Methods", "2.1 Data", "2.2 Models", "2.2.1 Training", "3 Results", "Appendix A"
    ) == [
        (4, "1 Introduction"),
        (4, "2. Methods"),
        (5, "2.1 Data"),
        (5, "2.2 Models"),
        (6, "2.2.1 Training"),
        (4, "3 Results"),
        (1, "Appendix A"),
    ]


def test_numbers_that_go_on_from_nothing_are_no_headings():
    assert titles("1 Introduction", "2 Methods", "7 Shops", "4.1 Nothing", "3 Results") == [
        (4, "1 Introduction"),
        (4, "2 Methods"),
        (4, "3 Results"),
    ]
    assert titles("1 Year") == [], "a count of one"


def test_references_in_running_text_are_no_headings():
    assert (
        titles(
            "Item 7 of this report, which says more",
            "Note 5 to the statements",
            "Part II, Item 8,",
            "section 12 Of The Act",
            "Item 1. Shoes are sold in many shops and in all of the countries named above, hats are not.",
        )
        == []
    )


def test_a_table_of_contents_is_no_structure():
    contents = (
        "PART I\nItem 1. Business 3\nItem 1A. Risk Factors ..... 10\nPART II\nItem 5. Market 20\nItem 7. Review 25\n"
    )
    assert [h.title for h in numbered_headings(contents + "PART I\nItem 1. Business\n" + TEXT)] == [
        "PART I",
        "Item 1. Business",
    ]
    bare = "Item 1. Business\nItem 2. Properties\nItem 3. Proceedings\n"
    assert [h.title for h in numbered_headings(bare + TEXT)] == ["Item 3. Proceedings"]


def test_lists_and_tables_are_no_headings():
    assert titles("1 Year", "2 Years", "3 Years", gap="10 20 30") == []
    assert titles("1. Shoes", "2. Hats", "3. Gloves", gap="") == []


def test_page_heads_that_repeat_the_open_heading_are_read_once_and_give_way_to_the_full_title():
    pages = [f"PART II\nItem 7\n{TEXT}"] * 3 + [
        f"PART II\nItem 7\nItem 7. REVIEW OF THE YEAR\n{TEXT}",
        f"Item 7\n{TEXT}",
    ]
    text = "\n".join(pages)
    assert [(h.title, h.offset) for h in numbered_headings(text)] == [("PART II", 0), ("Item 7. REVIEW OF THE YEAR", 8)]


@given(
    st.lists(
        st.sampled_from(["PART I", "Item 2. Shops", "1 One", "1.1 Two", "2 Three", "Note 1 9", TEXT, "", "x"]),
        max_size=25,
    )
)
def test_offsets_point_at_lines_in_order(lines: list[str]):
    text = "\n".join(lines)
    found = numbered_headings(text)
    assert [h.offset for h in found] == sorted({h.offset for h in found})
    assert all(text[h.offset :].startswith(h.title) for h in found)
