from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.ingest.quality.sensitive import find_sensitive, redact
from rag.types import Document, Page, Section
from tests.rag.ingest.quality.labelled import JWT, NEGATIVE, PEM, POSITIVE


def document(text: str, **more) -> Document:
    return Document("1", "/docs/a.txt", "a.txt", text, "0" * 64, "text/plain", **more)


@pytest.mark.parametrize(("text", "value", "kind"), POSITIVE, ids=[text[:24] for text, _, _ in POSITIVE])
def test_what_is_sensitive_is_found_exactly(text: str, value: str, kind: str) -> None:
    assert [(each.kind, text[each.start : each.end]) for each in find_sensitive(text)] == [(kind, value)]


@pytest.mark.parametrize("text", NEGATIVE)
def test_what_only_looks_like_it_is_left_alone(text: str) -> None:
    assert find_sensitive(text) == []


def test_all_of_it_in_one_text_among_other_text() -> None:
    text = "\n\nİstanbul naïve 日本. ".join(text for text, _, _ in POSITIVE + tuple((n, "", "") for n in NEGATIVE))
    found = find_sensitive(text)
    assert len(found) == len(POSITIVE)
    assert sorted(text[each.start : each.end] for each in found) == sorted(value for _, value, _ in POSITIVE)


def test_one_group_alone() -> None:
    text = f"mail a.b@c.org, token {JWT}"
    assert [each.kind for each in find_sensitive(text, "secrets")] == ["token"]
    assert [each.kind for each in find_sensitive(text, "personal")] == ["e-mail"]


def test_masks_are_plain_and_stable() -> None:
    text = "Write to ann@nordby.example or +46 8 123 456 78."
    masked, counts = redact(document(text), "all")
    assert masked.text == "Write to [E-MAIL] or [PHONE]."
    assert counts == {"e-mail": 1, "phone": 1}
    assert redact(masked, "all") == (masked, {})


def test_a_document_without_findings_is_the_same_object() -> None:
    clean = document("Nothing to see.")
    assert redact(clean, "all")[0] is clean


def test_pages_and_sections_move_with_the_text() -> None:
    first, second, third = "Ann: ann@nordby.example\n", "# Second ben@nordby.example\n", "Body 415-555-2671 end"
    a, b = len(first), len(first + second)
    text = first + second + third
    masked, _ = redact(
        document(
            text,
            pages=(Page(1, 0, a), Page(2, a, b), Page(3, b, len(text))),
            sections=(Section(("Second ben@nordby.example",), a, len(text)),),
        ),
        "all",
    )
    pages = [masked.text[page.start : page.end] for page in masked.pages]
    assert pages == ["Ann: [E-MAIL]\n", "# Second [E-MAIL]\n", "Body [PHONE] end"]
    assert "".join(pages) == masked.text
    (section,) = masked.sections
    assert section.path == ("Second [E-MAIL]",)
    assert masked.text[section.start : section.end] == "# Second [E-MAIL]\nBody [PHONE] end"


def test_a_key_over_a_page_break_is_masked_once() -> None:
    cut = 40
    text = f"{PEM} after"
    masked, counts = redact(document(text, pages=(Page(1, 0, cut), Page(2, cut, len(text)))), "secrets")
    assert [masked.text[page.start : page.end] for page in masked.pages] == ["[PRIVATE KEY]", " after"]
    assert counts == {"private key": 1}


def test_a_private_key_without_its_end_is_masked_to_the_last_of_its_letters() -> None:
    text = PEM.split("-----END", maxsplit=1)[0]
    assert redact(document(text), "secrets")[0].text == "[PRIVATE KEY]"


def test_nothing_is_left_in_name_and_metadata() -> None:
    more = {"metadata": {"author": "ann@nordby.example", "to": ("ben@nordby.example", "Cy"), "pages": 3}}
    masked, counts = redact(document("x", **more), "personal")
    assert masked.metadata == {"author": "[E-MAIL]", "to": ("[E-MAIL]", "Cy"), "pages": 3}
    assert counts == {"e-mail": 2}
    named = Document("1", "/docs/ann@nordby.example", "ann@nordby.example", "x", "0" * 64, "text/plain")
    assert redact(named, "personal")[0].name == "[E-MAIL]"


pieces = st.sampled_from([text for text, _, _ in POSITIVE] + list(NEGATIVE)) | st.text(max_size=20)


@given(st.lists(pieces, max_size=8))
def test_masking_moves_every_offset_to_the_same_text(parts: list[str]) -> None:
    text = "\n".join(parts)
    found = find_sensitive(text)
    ends = [0, *(end for each in found for end in (each.start, each.end)), len(text)]
    assert ends == sorted(ends)
    pages = tuple(Page(n, a, b) for n, (a, b) in enumerate(pairwise(ends), 1))
    masked, counts = redact(document(text, pages=pages), "all")
    assert sum(counts.values()) == len(found)
    for number, (before, after) in enumerate(zip(pages, masked.pages, strict=True)):
        expected = found[number // 2].mask if number % 2 else text[before.start : before.end]
        assert masked.text[after.start : after.end] == expected
