"""Filters as text: what is written is read back as what it meant, and errors show the place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.errors import InputError
from rag.index.fields import Fields, check_filter
from rag.index.filter_parse import DEEPEST
from rag.index.filter_text import filter_text, parse_filter
from rag.index.filters import And, Eq, Exists, Filter, In, Not, Or, Range, Value, matches

FIELDS = Fields(
    {
        "author": frozenset({"text"}),
        "issued": frozenset({"date"}),
        "stars": frozenset({"number"}),
        "draft": frozenset({"boolean"}),
    }
)

names = st.sampled_from(["page", "date_created", "größe", "my field", "and", "Not", "a`b", "x-1", "3rd", "exists"])
texts = st.text(max_size=6) | st.sampled_from(["2023-01-01", "2023-02", "2023", "true", "it's", 'say "x"', "a.pdf"])
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
values: st.SearchStrategy[Value] = st.booleans() | numbers | texts
bound = st.none() | values
ranges = st.builds(Range, names, bound, bound, bound, bound).filter(
    lambda each: (each.gte, each.gt, each.lte, each.lt) != (None,) * 4
)
leaves: st.SearchStrategy[Filter] = (
    st.builds(Eq, names, values)
    | st.builds(In, names, st.lists(values, max_size=3).map(tuple))
    | ranges
    | st.builds(Exists, names)
)


def grown(parts: st.SearchStrategy[Filter]) -> st.SearchStrategy[Filter]:
    several = st.lists(parts, max_size=3).map(tuple)
    return st.builds(And, several) | st.builds(Or, several) | st.builds(Not, parts)


trees = st.recursive(leaves, grown, max_leaves=8)
payloads = st.dictionaries(names, values | st.lists(texts, max_size=3), max_size=6)


@given(trees, st.lists(payloads, max_size=5))
def test_what_is_written_means_the_same_when_it_is_read(condition: Filter, some: list[dict[str, object]]) -> None:
    written = filter_text(condition)
    read = parse_filter(written)
    assert filter_text(read) == written
    for payload in some:
        assert matches(read, payload) == matches(condition, payload), written


@given(
    st.text(max_size=40) | st.lists(st.sampled_from(["and", "not", "(", ")", "a", "=", "3", "in", ","])).map(" ".join)
)
def test_any_text_is_a_filter_or_an_input_error(text: str) -> None:
    try:
        condition = parse_filter(text)
    except InputError:
        return
    assert parse_filter(filter_text(condition)) == condition


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("page = 3", Eq("page", 3)),
        ("page==3.0", Eq("page", 3.0)),
        ("page <> -3", Not(Eq("page", -3))),
        ("draft = TRUE", Eq("draft", True)),
        ("name = report.pdf", Eq("name", "report.pdf")),
        ("type = application/pdf", Eq("type", "application/pdf")),
        ("name = 'it''s'", Eq("name", "it's")),
        ('name = "it\'s"', Eq("name", "it's")),
        ("`my field` > 1", Range("my field", gt=1)),
        ("page in ()", In("page", ())),
        ("page not in (1, 'a', true)", Not(In("page", (1, "a", True)))),
        ("page between 3 and 5", Range("page", gte=3, lte=5)),
        ("3 < page <= 5", Range("page", gt=3, lte=5)),
        ("3 <= page", Range("page", gte=3)),
        ("missing(page)", Not(Exists("page"))),
        ("a = 1 or b = 2 and not c = 3", Or((Eq("a", 1), And((Eq("b", 2), Not(Eq("c", 3))))))),
        ("(a = 1 OR b = 2) AND c = 3", And((Or((Eq("a", 1), Eq("b", 2))), Eq("c", 3)))),
        ("true", And(())),
        ("not false", Not(Or(()))),
    ],
)
def test_the_language(text: str, meant: Filter) -> None:
    assert parse_filter(text) == meant


@pytest.mark.parametrize(
    ("text", "first", "following"),
    [
        ("date = 2023", "2023", "2024"),
        ("date = 2023-12", "2023-12", "2024-01"),
        ("date = 2024-02-28", "2024-02-28", "2024-02-29"),
        ("date = 2023-12-31", "2023-12-31", "2024-01-01"),
    ],
)
def test_a_bare_date_is_a_whole_year_month_or_day(text: str, first: str, following: str) -> None:
    field = "date_created"
    assert parse_filter(text, FIELDS) == Range(field, gte=first, lt=following)
    assert parse_filter(text.replace("=", "!="), FIELDS) == Not(Range(field, gte=first, lt=following))
    assert parse_filter(text.replace("=", "<="), FIELDS) == Range(field, lt=following)
    assert parse_filter(text.replace("=", ">"), FIELDS) == Range(field, gte=following)
    assert parse_filter(text.replace("=", ">="), FIELDS) == Range(field, gte=first)
    assert parse_filter(text.replace("=", "<"), FIELDS) == Range(field, lt=first)


@pytest.mark.parametrize("number", [0, 1, 9999])
def test_a_number_need_be_no_year(number: int) -> None:
    assert parse_filter(f"page = {number:04}", FIELDS) == Eq("page_number", number)
    assert parse_filter(f"a between {number:04} and 9999") == Range("a", gte=number, lte=9999)


def test_dates_stand_in_ranges_and_lists_too() -> None:
    assert parse_filter("2022 <= issued < 2023-06", FIELDS) == Range("issued", gte="2022", lt="2023-06")
    assert parse_filter("issued between 2022 and 2023", FIELDS) == Range("issued", gte="2022", lt="2024")
    assert parse_filter("issued in (2022, '2023')", FIELDS) == Or(
        (Range("issued", gte="2022", lt="2023"), In("issued", ("2023",)))
    )
    assert parse_filter("issued <= '2023'", FIELDS) == Range("issued", lte="2023")


def test_names_are_looked_up() -> None:
    assert parse_filter("page = 3 and name = 'a' and exists(author)", FIELDS) == And(
        (Eq("page_number", 3), Eq("source_document", "a"), Exists("author"))
    )


@pytest.mark.parametrize(
    ("text", "said", "line", "mark"),
    [
        ("page = and", 'a value was expected, and not "and"', "page = and", "       ^^^"),
        (
            "page = 3 autor = 'x'",
            'and, or, or the end was expected, and not "autor"',
            "page = 3 autor",
            " " * 9 + "^^^^^",
        ),
        ("page = 3 and autor = 'x'", "Did you mean author", "page = 3 and autor", " " * 13 + "^^^^^"),
        ("page = 'three'", "holds numbers, and 'three' is a text. Give a number", "page = 'three'", "       ^^^^^^^"),
        ("page = '3'", "Write it without quotes", "page = '3'", "       ^^^"),
        ("author = 3", "As text it is '3', in quotes", "author = 3", "         ^"),
        ("draft = 1", "holds true or false, and 1 is a number. Give true or false", "draft = 1", "        ^"),
        (
            "issued = true",
            "holds dates, and true is a boolean. Give one as 2023-01-31",
            "issued = true",
            "         ^^^^",
        ),
        (
            "issued >= soon",
            "holds dates, and 'soon' is none. Give one as 2023-01-31",
            "issued >= soon",
            " " * 10 + "^^^^",
        ),
        ("issued = '31.1.2023'", "holds dates, and '31.1.2023' is none", "issued = '31.1.2023'", " " * 9 + "^" * 11),
        ("author = '東京' and", "a field was expected", "author = '東京' and", " " * 19 + "^"),
        ("issued = 2023-02-30", "day is out of range", "issued = 2023-02-30", "         ^^^^^^^^^^"),
        ("issued < 9999", "dates end before the year 9999", "issued < 9999", "         ^^^^"),
        ("page = 1e999", "too large", "page = 1e999", "       ^^^^^"),
        ("author = 'x", "' is not closed", "author = 'x", "         ^"),
        ("author ! 3", "! means nothing here", "author ! 3", "       ^"),
        ("(page = 3", '")" was expected, and not the end', "(page = 3", "         ^"),
        ("page in (1 2)", '"," or ")" was expected', "page in (1 2)", "           ^"),
        ("author =\n'x' 3\nand", "and, or, or the end was expected", "'x' 3", "    ^"),
        ("3 = page", "one of < <= was expected", "3 = page", "  ^"),
        ("", "a field was expected, and not the end", "", "^"),
    ],
)
def test_errors_show_the_place(text: str, said: str, line: str, mark: str) -> None:
    with pytest.raises(InputError) as raised:
        parse_filter(text, FIELDS)
    assert said in str(raised.value)
    *_, shown, marked = str(raised.value).splitlines()
    assert shown.startswith(f"    {line}")
    assert marked == f"    {mark}"


def test_errors_fit_into_eighty_columns_and_say_what_to_do() -> None:
    long = " or ".join(f"page = {number}" for number in range(100))
    for text in (f"{long} or", f"pge = 1 and {long}", f"{long} and pge = 1 and {long}", "", "'" + "x" * 200):
        with pytest.raises(InputError) as raised:
            parse_filter(text, FIELDS)
        advice, shown, marked = (raised.value.hint or "").splitlines()
        assert advice
        assert max(len(shown), len(marked)) <= 76
        assert shown[marked.index("^") :].startswith(("pge", "'xxx")) or not shown[marked.index("^") :]


def test_a_filter_can_be_too_deep_and_not_too_long() -> None:
    with pytest.raises(InputError, match=f"more than {DEEPEST} deep"):
        parse_filter("not " * 10_000 + "a = 1")
    deep = "(" * DEEPEST + "page = 1" + " and page = 2 or page = 3)" * DEEPEST
    assert check_filter(parse_filter(deep, FIELDS), FIELDS) == parse_filter(deep, FIELDS)
    condition = parse_filter(" or ".join(f"a = {n}" for n in range(3000)))
    assert isinstance(condition, Or)
    assert len(condition.parts) == 3000


def test_what_text_cannot_say_is_refused() -> None:
    for condition in (Range("a"), Eq("a", float("nan")), Eq("", 1)):
        with pytest.raises(InputError):
            filter_text(condition)
