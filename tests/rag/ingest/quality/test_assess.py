"""Each dimension on data that has, and has not, what it measures."""

from __future__ import annotations

import random
import re
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from plumbline.errors import InputError
from rag import RAG
from rag.ingest.quality import accuracy, completeness, consistency, relevance, timeliness, volume
from rag.ingest.quality.assess import PASS_MARK, Assessment, assess
from rag.ingest.quality.boilerplate import Boilerplate, repeated_lines
from rag.ingest.quality.collection import Kind, Unread
from rag.ingest.quality.contradictions import Contradictions
from rag.ingest.quality.damage import find_damage
from rag.ingest.quality.scale import Dimension
from rag.ingest.quality.timeliness import split_version
from rag.types import Document, Page, Section

pytest.importorskip("rensa")

NOW = datetime(2026, 6, 1, tzinfo=UTC)
EXAMPLES = Path(__file__).parents[4] / "examples"
SUBJECTS = ("refund window", "gift cards", "parcels to Norway", "the warranty of tents", "opening hours", "repairs")


WORDS = (
    "customer", "member", "order", "parcel", "return", "shop", "staff", "price", "week", "card", "receipt", "stock",
    "season", "sale", "label", "size",
)  # fmt: skip


def prose(subject: str, times: int = 30) -> str:
    """Sentences about one subject, in words that all subjects share."""
    draw = random.Random(subject)
    return " ".join(
        f"The {subject} of a {draw.choice(WORDS)} {draw.choice(WORDS)} {draw.choice(WORDS)} "
        f"and its {draw.choice(WORDS)} are settled in case {n}."
        for n in range(times)
    )


def document(name: str, text: str, created: str | None = "2026-05-01", **more) -> Document:
    return Document(name, f"/docs/{name}", name, text, "0" * 64, "text/plain", created=created, language="en", **more)


def good() -> list[Document | Unread]:
    return [document(f"{subject}.txt", prose(subject)) for subject in SUBJECTS]


class Given:
    kind: Kind = "folder"
    name = "given"

    def __init__(self, contents: list[Document | Unread]) -> None:
        self._contents = contents

    def contents(self) -> Iterator[Document | Unread]:
        yield from self._contents


def assessed(contents: list[Document | Unread], **how) -> Assessment:
    return assess(Given(contents), now=NOW, **how)


def dimension(result: Assessment, name: str) -> Dimension:
    return next(each for each in result.dimensions if each.name == name)


def measure(contents: list[Document | Unread], name: str, key: str, **how) -> float:
    return dimension(assessed(contents, **how), name).measures[key]


def test_good_data_passes_with_almost_full_marks() -> None:
    result = assessed(good())
    assert result.passed
    assert result.total >= 28
    assert [each.name for each in result.dimensions] == [
        "completeness", "accuracy", "consistency", "timeliness", "relevance", "volume",
    ]  # fmt: skip


def test_the_example_corpus_passes_with_its_questions() -> None:
    result = assess(EXAMPLES / "corpus", questions=EXAMPLES / "questions.jsonl")
    assert result.total >= PASS_MARK
    uncovered = next(e for d, e in result.worst() if e.measure == "uncovered_questions")
    assert uncovered.value <= 6 / 28, "at most those that the corpus does not answer"
    assert uncovered.examples[0].text.endswith("at best)")


def test_bad_data_fails() -> None:
    bad: list[Document | Unread] = [Unread(f"{n}.pdf", "a password is needed", failed=True) for n in range(6)]
    bad += [document(f"plan_v{n}.txt", "Das GerÃ¤t \ufffd\ufffd und", created="2009-01-01") for n in range(3)]
    result = assessed(bad, questions=["How long is the warranty of a tent?"])
    assert not result.passed
    assert result.total < 12
    lost = [evidence.lost for _, evidence in result.worst()]
    assert lost == sorted(lost, reverse=True)
    assert lost[0] == 5


def test_completeness() -> None:
    blank = document("scan.pdf", "Words enough on page one.\n\n\n", pages=(Page(1, 0, 26), Page(2, 26, 28)))
    hollow = document(
        "hollow.md",
        "# Full\n\nText.\n\n# Empty\n\n# More\n\nText.",
        sections=(Section(("Full",), 0, 15), Section(("Empty",), 15, 24), Section(("More",), 24, 37)),
    )
    cut = document("cut.txt", prose("tents") + " They also cover the seams of the")
    skipped = Unread("a.xyz", "the format '.xyz' is not read", failed=False)
    found = dimension(assessed([blank, hollow, cut, skipped, Unread("b.pdf", "damaged", failed=True)]), "completeness")
    assert found.measures["pages_without_text"] == 1 / 2
    assert found.measures["empty_sections"] == 1 / 3
    assert found.measures["truncated"] == 1 / 3
    assert found.measures["nearly_empty"] == 2 / 3
    assert found.measures["unread"] == 1 / 4
    assert found.measures["unknown_format"] == 1 / 5
    by_measure = {each.measure: each.examples[0] for each in found.evidence}
    assert by_measure["pages_without_text"].page == 2
    assert hollow.text[by_measure["empty_sections"].start : by_measure["empty_sections"].end] == "# Empty\n\n"
    assert by_measure["truncated"].text.endswith("seams of the")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("cafÃ© and donâ€™t", ["Ã©", "â€™"]),
        ("a \ufffd\ufffd b", ["\ufffd\ufffd"]),
        ("the comp4ny and pro|it, t h e  a n d", ["comp4ny", "pro|it"]),
        ("hmmmmmm grrrrr", ["hmmmmmm", "grrrrr"]),
        ("N E W S R E L", ["N E W S R E L"]),
        ("Façade naïve Ångström âge Âge São Ñandú €5 “quoted” … 5 °C", []),
        ("rhythms, H2O, COVID19, user_42, v2.1, https://a.b/x1y2, 3rd, mp3, ISO9001, b2b", []),
        ("Angstschweiß, Borschtsch, Knightsbridge, 日本語 Привет", []),
    ],
)
def test_damage(text: str, found: list[str]) -> None:
    assert [text[start:end] for _, start, end in find_damage(text)] == found


def test_contradictions_are_the_same_words_with_other_numbers() -> None:
    def found(*texts: str) -> int:
        statements = Contradictions()
        for number, text in enumerate(texts):
            statements.add(document(f"{number}.txt", text))
        return len(statements.found())

    one, other = (f"Unopened goods may be returned within {n} days of delivery." for n in (30, 45))
    assert found(one, other) == 1
    assert found(one, one) == 0
    assert found(f"{one} {other}") == 0, "in one document"
    assert (
        found("On 3 May 2019 we had 30 shops in all of Norway.", "On 3 May 2020 we had 31 shops in all of Norway.") == 0
    )
    assert (
        found("See section 4 for what our members may return.", "See section 5 for what our members may return.") == 0
    )


def test_consistency() -> None:
    contents = good()
    first = next(each for each in contents if isinstance(each, Document))
    contents.append(document("copy.txt", first.text.upper()))
    contents.append(document("edited.txt", first.text.replace("case 7", "case seven")))
    contents.append(document("dates.txt", "On 2024-01-31, 2024-02-28, 31.01.2024 and 03/04/2024: 5 km, 6 kg, 3 miles."))
    contents.append(document("names.txt", "Tarn-Brook and Tarnbrook, Tarnbrook and Tarnbrook."))
    found = dimension(assessed(contents), "consistency")
    assert found.measures["duplicates"] == 1 / 10
    assert found.measures["near_duplicates"] == 1 / 10
    assert found.measures["mixed_dates"] == 1 / 3
    assert found.measures["ambiguous_dates"] == 1 / 4
    assert found.measures["mixed_units"] == pytest.approx(1 / 3)
    assert found.measures["mixed_spelling"] == 1 / 4
    (near,) = next(each for each in found.evidence if each.measure == "near_duplicates").examples
    assert near.document == "edited.txt"
    assert "the same as refund window.txt" in near.text


def test_timeliness() -> None:
    contents = [
        document("policy_v1.txt", prose("a"), created="2020-01-01"),
        document("policy_v2.txt", prose("b"), created="2026-01-01T10:00:00+02:00"),
        document("other.txt", prose("c"), created=None),
        document("wrong.txt", prose("d"), created="last week"),
    ]
    found = dimension(assessed(list(contents)), "timeliness")
    assert found.measures["old"] == 1 / 2
    assert found.measures["undated"] == 1 / 2
    assert found.measures["superseded"] == 1 / 4
    assert measure(list(contents), "timeliness", "old", max_age_days=5000) == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("policy_v1.pdf", "policy_v2.pdf"),
        ("policy v1.9.docx", "policy v1.10.docx"),
        ("Handbook 2019 edition.pdf", "handbook (2023).pdf"),
        ("a/plan-draft.md", "a/plan-final.md"),
        ("plan.md", "plan_latest.md"),
        ("price list rev 2.xlsx", "price list rev 3.xlsx"),
    ],
)
def test_versions(old: str, new: str) -> None:
    (name, before), (same, after) = split_version(old), split_version(new)
    assert name == same
    assert before < after


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("minutes-2019-03-01.txt", "minutes-2019-04-01.txt"),
        ("ACME_2019_10K.pdf", "ACME_2020_10K.pdf"),
        ("annual-review-2025.pdf", "annual-review-2026.pdf"),
        ("2019.txt", "2020.txt"),
        ("a/plan_v1.md", "b/plan_v2.md"),
        ("chapter 1.md", "chapter 2.md"),
        ("policy_v1.pdf", "policy_v2.docx"),
    ],
)
def test_no_versions(one: str, other: str) -> None:
    assert split_version(one)[0] != split_version(other)[0]


def test_relevance() -> None:
    asked = ["How long is the refund window?", "Who repaired the space telescope?"]
    found = dimension(assessed(good(), questions=asked), "relevance")
    assert found.measures["uncovered_questions"] == 1 / 2
    (missed,) = found.evidence[0].examples
    assert missed.text.startswith("Who repaired the space telescope?")
    stranger = document("stranger.txt", "Mitochondria oxidise pyruvate; ribosomes translate messengers. " * 20)
    assert measure([*good(), stranger], "relevance", "unrelated") == 1 / 7
    assert "no questions were given" in str(dimension(assessed(good()), "relevance").note)


def test_volume() -> None:
    small = [document("a.txt", prose("tents", 2))]
    assert measure(list(small), "volume", "missing_tokens") > 0.9
    assert measure(good(), "volume", "missing_tokens", questions=["refund?"] * 400) > 0.9
    crowd = [document(f"{n}.txt", prose(f"tent {n}", 2)) for n in range(10)]
    assert measure([*crowd, document("huge.txt", prose("all", 400))], "volume", "largest_document") > 0.9


def test_headers_and_disclaimers() -> None:
    parts = [f"Tarnbrook Handbook - page {n}\n{prose(each, 3)}\n" for n, each in enumerate(SUBJECTS, 1)]
    ends = [sum(map(len, parts[: n + 1])) for n in range(6)]
    pages = tuple(Page(n + 1, end - len(parts[n]), end) for n, end in enumerate(ends))
    paged = document("paged.pdf", "".join(parts), pages=pages)
    (header,) = repeated_lines(paged)
    assert (header.count, header.of) == (6, 6)
    assert paged.text[header.example.start : header.example.end] == "Tarnbrook Handbook - page 1"
    mails = [document(f"{n}.txt", f"{prose(WORDS[n], 2)}\nThis message is confidential.\n") for n in range(8)]
    seen = Boilerplate()
    for each in mails:
        seen.add(each)
    (disclaimer,) = seen.over_documents()
    assert disclaimer.count == 8
    assert disclaimer.example.text == "This message is confidential."
    assert 0 < seen.share() < 0.5


def test_a_knowledge_base(kb: RAG, docs: Path) -> None:
    (docs / "empty.txt").write_bytes(b"")
    kb.ingest(docs)
    result = assess(kb.status().path)
    assert result.kind == "knowledge base"
    assert result.documents == 3
    assert result.unread == 1


def test_pictures_inside_files_are_of_a_format_that_is_not_read_as_on_disk(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("good.md", "# Refunds\n\n" + prose("refund window"))
        archive.writestr("photo.png", b"\x89PNG")
        archive.writestr("broken.pdf", b"%PDF-1.4 nothing")
    (tmp_path / "photo.png").write_bytes(b"\x89PNG")
    measures = next(each for each in assess(tmp_path).dimensions if each.name == "completeness").measures
    assert measures["unread"] == pytest.approx(1 / 2)
    assert measures["unknown_format"] == pytest.approx(2 / 4)


def test_sensitive_things_are_counted() -> None:
    result = assessed([*good(), document("mail.txt", "ann@nordby.example, +46 8 123 456 78")])
    assert result.sensitive == {"e-mail": 1, "phone": 1}
    assert [(each.document, each.text, each.start) for each in result.sensitive_examples] == [
        ("mail.txt", "e-mail", 0),
        ("mail.txt", "phone", 20),
    ]


def test_nothing_to_assess(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to assess"):
        assess(tmp_path)
    with pytest.raises(InputError, match="no file or folder"):
        assess(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no question"),
        ('{"question": "a"}\n{"q": 1}', "line 2.*Field required"),
        ('{"question": " "}', "line 1.*empty"),
        ("[", "line 1"),
    ],
)
def test_bad_questions(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        assess(EXAMPLES / "corpus", questions=file)


def test_the_page_lists_every_rule_as_it_is() -> None:
    page = (EXAMPLES.parent / "docs" / "data.md").read_text(encoding="utf-8")
    listed = {
        (measure, float(most), float(limit))
        for measure, most, limit in re.findall(
            r"^\|[^|]*\| `(\w+)` \|.*\| ([\d.]+) \| ([\d.]+) \|$", page, re.MULTILINE
        )
    }
    rules = [
        rule for each in (completeness, accuracy, consistency, timeliness, relevance, volume) for rule in each.RULES
    ]
    assert listed == {(rule.measure, rule.most, rule.limit) for rule in rules}
