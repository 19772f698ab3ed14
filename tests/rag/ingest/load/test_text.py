from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import DamagedFileError
from rag.ingest.load.text import decode, iso_date, markdown_headings, read_markdown

PATH = Path("file.txt")


@pytest.mark.parametrize(
    ("data", "text", "dropped"),
    [
        ("Señor 日本 😀".encode(), "Señor 日本 😀", 0),
        ("\ufeffSeñor".encode(), "Señor", 0),
        ("Señor 😀".encode("utf-16"), "Señor 😀", 0),
        ("\ufeffSeñor".encode("utf-16-be"), "Señor", 0),
        ("Señor".encode("utf-32"), "Señor", 0),
        ("Plain English, no mark.".encode("utf-16-le"), "Plain English, no mark.", 0),
        ("Plain English, no mark.".encode("utf-16-be"), "Plain English, no mark.", 0),
        ("Café – “naïve” €5".encode("cp1252"), "Café – “naïve” €5", 0),
        (b"Caf\xe9 \x81 \x9d end", "Café   end", 2),
        ("日本語のテキスト".encode()[:-1], "日本語のテキス", 1),
        (("Größe und Länge. " * 9).encode() + b"\xff.", "Größe und Länge. " * 9 + ".", 1),
        (b"one\r\ntwo\rthree\nfour", "one\ntwo\nthree\nfour", 0),
        (b"nulls\x00 " + b"and text " * 20, "nulls " + "and text " * 20, 1),
        (b"\xff\xfe" + "a\ud800b".encode("utf-16-le", "surrogatepass"), "ab", 1),
    ],
)
def test_encodings(data: bytes, text: str, dropped: int):
    assert decode(data, PATH) == (text, dropped)


def test_a_declared_encoding_is_used_where_it_is_not_utf8():
    assert decode("Привет, мир".encode("cp1251"), PATH, "windows-1251") == ("Привет, мир", 0)
    assert decode("Grüße".encode(), PATH, "latin-1") == ("Grüße", 0)
    assert decode(b"Caf\xe9", PATH, "no-such-encoding") == ("Café", 0)


@pytest.mark.parametrize(
    "data", [bytes(range(256)) * 10, b"\x89PNG\r\n\x1a\n" + bytes(200), b"\x7fELF\x02\x01\x01" + bytes(100)]
)
def test_binaries_are_refused(data: bytes):
    with pytest.raises(DamagedFileError, match="not text"):
        decode(data, PATH)


@given(st.binary(max_size=300))
def test_any_bytes_become_storable_text_or_an_error(data: bytes):
    try:
        text, dropped = decode(data, PATH)
    except DamagedFileError:
        return
    assert not set(text) & {"\x00", "\r"}
    assert dropped >= 0
    text.encode()


MARKDOWN = """---
title: "Refund policy"
date: 2024-05-01
# no heading
---
Intro.

# Policy #

Text # not a heading
#no heading

## *Window* and [terms](https://example.org) `x`

```python
# a comment, no heading
```

~~~~
# fenced
~~~
# still fenced
~~~~

Below
-----

- item
---

| a | b |
|---|---|

    # indented code

Annex
=====

####### seven
#
"""


def headings(text: str) -> list[tuple[int, str, str]]:
    return [(h.level, h.title, text[h.offset :].split("\n", maxsplit=1)[0]) for h in markdown_headings(text)]


def test_markdown_headings_stand_where_they_are_written():
    document = read_markdown(MARKDOWN.encode(), PATH)
    assert document.text == MARKDOWN, "Markdown stays as it is written"
    assert [(s.path, document.text[s.start :].split("\n")[0]) for s in document.sections] == [
        (("Policy",), "# Policy #"),
        (("Policy", "Window and terms x"), "## *Window* and [terms](https://example.org) `x`"),
        (("Policy", "Below"), "Below"),
        (("Annex",), "Annex"),
    ]
    assert (document.title, document.created) == ("Refund policy", "2024-05-01")


def test_the_first_top_heading_is_the_title():
    assert read_markdown(b"## Sub\n\n# Top\n\n# Other\n", PATH).title == "Top"
    assert read_markdown(b"no headings\n", PATH).title is None


def test_an_unclosed_fence_holds_the_rest():
    assert headings("# a\n```\n# b\n") == [(1, "a", "# a")]


def test_a_rule_or_a_table_underlines_nothing():
    assert headings("text\n\n---\n\n> quote\n---\n\na | b\n---|---\n") == []


def test_names_with_underscores_and_stars_keep_them():
    assert [title for _, title, _ in headings("# snake_case_name\n# 2 * 3 * 4\n# **bold** __strong__\n")] == [
        "snake_case_name",
        "2 * 3 * 4",
        "bold strong",
    ]


@given(
    st.lists(
        st.sampled_from(["# a", "## b", "```", "~~~", "text", "---", "===", "", "- x", "    # c", "#"]), max_size=30
    )
)
def test_headings_come_in_order_and_on_lines_of_their_own(lines: list[str]):
    text = "\n".join(lines)
    offsets = [heading.offset for heading in markdown_headings(text)]
    assert offsets == sorted(set(offsets))
    assert all(offset == 0 or text[offset - 1] == "\n" for offset in offsets)


def test_iso_dates():
    assert iso_date("2024-05-01T10:00:00Z") == "2024-05-01"
    assert iso_date("May 2024") is None
    assert iso_date(None) is None
