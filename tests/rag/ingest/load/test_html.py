from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.ingest.load.html import read_html
from rag.ingest.structure import Extracted

PATH = Path("page.html")


def read(markup: str) -> Extracted:
    return read_html(markup.encode(), PATH)


def body(markup: str) -> str:
    return read(f"<html><body>{markup}</body></html>").text


PAGE = """<!doctype html><html lang="en-GB"><head><title>Refund
 policy</title><meta name="date" content="2024-05-01"><style>p {}</style><script>var a = "<p>no</p>";</script></head>
<body><nav><a href="/">Home</a></nav><header><h1>Shop</h1></header><aside>Advert</aside>
<main><article><header><h1>Refunds</h1></header><p>You can return <b>goods</b> within
<a href="/x">30&nbsp;days</a> &amp; more.<h2>Exceptions</h2><ul><li>Food<li><p>Gift cards</p></ul>
<table><tr><th>Item<th>Days<tr><td>Shoes<td>30</table>
<h3>Hours</h3><p>Monday<br>9 to 5</p><pre># code
  x = 1</pre></article><aside>Note.</aside></main>
<footer>Copyright</footer></body></html>"""


def test_a_page_reads_as_a_reader_sees_it():
    page = read(PAGE)
    assert page.text == (
        "Refunds\n\nYou can return goods within 30 days & more.\n\nExceptions\n\n- Food\n- Gift cards\n\n"
        "| Item | Days |\n| --- | --- |\n| Shoes | 30 |\n\nHours\n\nMonday\n9 to 5\n\n# code\n  x = 1\n\nNote."
    )
    assert (page.title, page.language, page.created) == ("Refund policy", "en", "2024-05-01")


def test_headings_are_sections_at_their_offsets():
    page = read(PAGE)
    assert [(section.path, page.text[section.start :].split("\n")[0]) for section in page.sections] == [
        (("Refunds",), "Refunds"),
        (("Refunds", "Exceptions"), "Exceptions"),
        (("Refunds", "Exceptions", "Hours"), "Hours"),
    ]


@pytest.mark.parametrize(
    "boilerplate",
    [
        "<nav>no</nav>",
        "<footer>no</footer>",
        "<script>no</script>",
        "<noscript>no</noscript>",
        '<div role="navigation">no</div>',
        "<div hidden>no</div>",
        '<span aria-hidden="true">no</span>',
        '<div style="display: none">no <div>no</div> no</div>',
        "<template><p>no</p></template>",
        "<button>no</button>",
        "<!-- no -->",
        "<nav>no <nav>no</nav> no</nav>",
    ],
)
def test_what_no_reader_reads_is_left_out(boilerplate: str):
    assert body(f"<p>before</p>{boilerplate}<p>after</p>") == "before\n\nafter"


def test_a_header_is_kept_where_nothing_says_what_is_main():
    assert body("<header><h1>Title</h1></header><p>Text</p>") == "Title\n\nText"


def test_a_menu_never_closed_ends_where_the_main_content_begins():
    assert body("<nav><a>menu</a><main><p>Text</p></main>") == "Text"


def test_a_page_that_is_all_boilerplate_is_read_all_the_same():
    assert body("<nav><p>Only this</p></nav><script>no</script>") == "Only this"


def test_tables_that_arrange_a_page_are_no_tables():
    page = read("<table><tr><td>menu</td><td><h1>Title</h1><p>One.</p><p>Two.</p></td></tr></table>")
    assert page.text == "menu\n\nTitle\n\nOne.\n\nTwo."
    assert [section.path for section in page.sections] == [("Title",)]


def test_nested_tables_keep_their_rows():
    inner = "<table><tr><td>a<td>b<tr><td><p>c</p><p>d</p><td>e</table>"
    assert body(f"<table><tr><td>{inner}<td>side</table>") == "| a | b |\n| --- | --- |\n| c d | e |\n\nside"


def test_broken_markup_loses_no_text():
    assert body("<p>one<div>two</p></b>three</td></tr></table><h2>four<p>five</ul></h2>six").split() == [
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
    ]


def test_a_declared_encoding_is_read():
    markup = '<html><head><meta charset="windows-1251"><title>t</title></head><body><p>Привет</p></body></html>'
    assert read_html(markup.encode("cp1251"), PATH).text == "Привет"


def test_character_references_that_are_no_characters():
    page = read("<p>a&#0;b&#xD800;c&bogus;d</p>")
    page.text.encode()
    assert "\x00" not in page.text


@given(
    st.lists(
        st.sampled_from(
            [
                "<p>",
                "</p>",
                "<table>",
                "<tr>",
                "<td>",
                "</table>",
                "<nav>",
                "</nav>",
                "<main>",
                "</main>",
                "<h1>",
                "</h1>",
                "<li>",
                "<pre>",
                "</pre>",
                "<br>",
                "word ",
                "<script>",
                "</script>",
                "<",
            ]
        ),
        max_size=25,
    )
)
def test_any_markup_gives_sections_that_fit(tokens: list[str]):
    page = read("".join(tokens))
    for section in page.sections:
        assert page.text[section.start :].startswith(section.path[-1])
    assert not page.text or page.text == page.text.strip() or "<pre>" in tokens
