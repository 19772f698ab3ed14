"""What is said of a source's documents stays with them, whatever is ingested later and in whatever part."""

from __future__ import annotations

import io
import math
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from plumbline.errors import InputError
from rag import RAG
from rag.index.filters import Eq, Filter
from rag.ingest.labels import Labels, LabelUse, checked, in_use, labelled
from rag.ingest.source.given import GivenSource, document_from_text
from rag.retrieve.access import EVERYTHING, Access
from rag.types import Document


def found(
    kb: RAG, query: str = "refund shipping shop", access: Access | None = None, where: Filter | None = None
) -> set[str]:
    return {Path(hit.document).name for hit in kb.search(query, access=access, condition=where)}


def test_labels_are_those_of_the_innermost_source() -> None:
    labels = Labels({"/docs": {"tenant": "acme"}, "/docs/a": {"tenant": "globex"}, "urls": {"year": 2024}})
    assert labels.of("/docs/x.md", "/docs") == {"tenant": "acme"}
    assert labels.of("/docs/a/x.md", "/docs") == {"tenant": "globex"}
    assert labels.of("/docs/ab/x.md", "/docs") == {"tenant": "acme"}
    assert labels.of("https://somewhere/x", "urls") == {"year": 2024}
    assert labels.of("/other/x.md", "/other") == {}
    roots = Labels({"/": {"a": 1}, "https://x/docs/": {"b": 1}, "/docs/*.md": {"c": 1}})
    assert roots.of("/docs/x.md", "/docs") == {"a": 1}
    assert roots.of("/docs/x.md", "/docs/*.md") == {"c": 1}
    assert roots.of("https://x/docs/y", "https://x/docs/y") == {"b": 1}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"groups": "staff"}, {"groups": ("staff",)}),
        ({"groups": ["b", "a"]}, {"groups": ("b", "a")}),
        ({"groups": {"b", "a"}}, {"groups": ("a", "b")}),
        ({"groups": []}, {"groups": ()}),
        ({"year": 2024, "draft": False, "kind": "report"}, {"year": 2024, "draft": False, "kind": "report"}),
        ({"filed": date(2024, 1, 31), "tags": ["b", "a"]}, {"filed": "2024-01-31", "tags": ("b", "a")}),
        ({}, {}),
    ],
)
def test_labels_are_what_filters_compare(given: dict[str, Any], expected: dict[str, Any]) -> None:
    assert checked(given) == expected


REFUSED: list[dict[str, Any]] = [
    *({"tenant": each} for each in (3, True, "", " ", ["acme", "globex"])),
    *({"groups": each} for each in (4, "", ["staff", ""], [1])),
    *({"a": each} for each in (None, [1], math.nan, math.inf)),
    {" ": "x"},
    {"date_created": "2020-01-01"},
]


@pytest.mark.parametrize("given", REFUSED)
def test_other_labels_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        checked(given)


@pytest.mark.parametrize("given", ["tenant", ["tenant"], [("tenant", "acme")], 5])
def test_labels_are_a_mapping(kb: RAG, docs: Path, given: Any) -> None:
    with pytest.raises(InputError, match=r"labels is .* and no mapping of names to values"):
        kb.ingest(docs, labels=given)


@pytest.mark.parametrize("name", [1, None, ("tenant",), ""])
def test_a_label_has_a_name(name: Any) -> None:
    with pytest.raises(InputError, match=r"A label needs a name, which .* is not"):
        checked({name: "x"})


def test_labels_in_use_are_counted_by_source_and_value() -> None:
    said: dict[str, Any] = {"a": {"flag": True, "groups": ("x", "y")}, "b": {"flag": 1, "groups": ("y",)}, "c": {}}
    assert in_use(said) == (LabelUse("flag", 2, 2), LabelUse("groups", 2, 2))


def test_a_file_does_not_say_itself_whom_it_is_for() -> None:
    document = Document("1", "/x", "x", "text", "", "text/plain", metadata={"tenant": "acme", "groups": "a", "year": 1})
    assert labelled(document, {}, trusted=False).metadata == {"year": 1}
    assert labelled(document, {}, trusted=True) is document
    assert labelled(document, {"tenant": "globex"}, trusted=True).metadata["tenant"] == "globex"


@pytest.mark.parametrize("metadata", [{"rate": math.nan}, {"tenant": 5}, {"groups": [""]}, {"at": date(2024, 1, 1)}])
def test_a_document_that_cannot_be_stored_stops_no_other(kb: RAG, docs: Path, metadata: dict[str, Any]) -> None:
    loose: dict[str, Any] = {"tenant": None, "nested": {"a": 1}}
    given = [
        document_from_text("The refund takes a week.", source="good", metadata=loose),
        document_from_text("The refund takes a day.", source="worse", metadata=metadata),
    ]
    report = kb.ingest(given)
    assert [each.outcome for each in report.files] == ["added", "failed"]
    assert next(iter(metadata)) in f"{report.files[1].reason}" or "metadata" in f"{report.files[1].reason}"
    assert kb.ingest(docs).count("added") == 3
    assert "good" in found(kb, "refund takes")


def test_a_tenants_documents_are_found_by_theirs_alone(kb: RAG, docs: Path) -> None:
    kb.ingest(docs / "shops.csv")
    kb.ingest(docs / "more", labels={"tenant": "acme", "groups": ["board"]})
    assert found(kb) == {"shops.csv"}
    assert found(kb, access=Access("acme")) == {"shops.csv"}
    assert found(kb, access=Access("acme", ("board",))) == {"shops.csv", "shipping 🙂.md"}
    assert found(kb, access=EVERYTHING) == {"shops.csv", "shipping 🙂.md"}
    assert "shipping" not in kb.ask("How long does shipping take?", tenant="globex").text.lower()
    assert not kb.search("shipping", tenant="globex", condition=Eq("tenant", "acme"))


def test_what_others_documents_say_of_themselves_is_not_told(kb: RAG, docs: Path) -> None:
    kb.ingest(docs / "shops.csv", labels={"region": "north"})
    kb.ingest(docs / "more", labels={"tenant": "acme", "merger": "yes", "region": 5})
    assert found(kb, access=Access("acme"), where=Eq("merger", "yes")) == {"shipping 🙂.md"}
    assert found(kb, access=EVERYTHING, where=Eq("region", 5)) == {"shipping 🙂.md"}
    for who in (Access(), Access("globex")):
        assert found(kb, access=who, where=Eq("region", "north")) == {"shops.csv"}
        with pytest.raises(InputError, match="No document has a field 'mergers'") as refused:
            kb.search("refund", access=who, condition="mergers = 'yes'")
        assert "merger," not in f"{refused.value}"
        assert "or merger" not in f"{refused.value}"
        with pytest.raises(InputError, match="holds text"):
            kb.ask("How long is the refund window?", access=who, condition="region = 5")


def test_labels_stay_until_others_are_given(kb: RAG, docs: Path) -> None:
    first = kb.ingest(docs, labels={"tenant": "acme", "year": 2024})
    (docs / "new.md").write_text("# Gift cards\n\nGift cards are valid for two years.", encoding="utf-8")
    again = kb.ingest(docs)
    assert again.count("unchanged") == first.count("added")
    assert again.count("added") == 1
    assert found(kb) == set()
    assert "new.md" in found(kb, "gift cards", Access("acme"), Eq("year", 2024))
    (docs / "more" / "later.md").write_text("Parcels are insured.", encoding="utf-8")
    kb.ingest(docs / "more")
    assert "later.md" in found(kb, "parcels insured", Access("acme"))
    assert "later.md" not in found(kb, "parcels insured")
    assert kb.verify().complete


def test_other_labels_are_read_into_every_document_and_embed_nothing(kb: RAG, docs: Path, tmp_path: Path) -> None:
    kb.ingest(docs)
    report = kb.ingest(docs, labels={"tenant": "acme"})
    assert report.count("updated") == 3
    assert sum(file.embedded for file in report.files) == 0
    assert found(kb) == set()
    kb.ingest(docs, labels={})
    assert len(found(kb)) == 3
    with RAG.open(tmp_path / "other", home=tmp_path / "home", environ={}) as other:
        other.ingest(docs)
        assert exported(other) == exported(kb)


def test_what_was_said_of_one_pattern_stays_when_another_meets_the_same_files(kb: RAG, docs: Path) -> None:
    kb.ingest(docs / "**" / "*.md", labels={"tenant": "acme"})
    ours = found(kb, access=Access("acme"))
    assert ours
    report = kb.ingest(docs / "*" / "*.md")
    assert report.count("unchanged") == 1
    assert found(kb) == set()
    kb.ingest(docs / "*" / "*.md", labels={"tenant": "globex"})
    assert found(kb, access=Access("globex")) == {"shipping 🙂.md"}, "what is said last counts"


def test_saying_nothing_of_a_part_leaves_it_what_is_said_of_the_whole(kb: RAG, docs: Path) -> None:
    kb.ingest(docs, labels={"tenant": "acme"})
    kb.ingest(docs / "more", labels={})
    assert found(kb) == set()
    assert kb.ingest(docs).count("unchanged") == 3


def test_a_dry_run_says_nothing_of_a_source(kb: RAG, docs: Path) -> None:
    kb.ingest(docs)
    report = kb.ingest(docs, labels={"tenant": "acme"}, dry_run=True)
    assert report.count("updated") == 3
    kb.ingest(docs)
    assert len(found(kb)) == 3


def exported(kb: RAG) -> str:
    text = io.StringIO()
    kb.export(text)
    return text.getvalue()


def test_a_copy_that_others_read_stands_in_for_nobodys_own(tmp_path: Path, home: Path) -> None:
    text = "# Refunds\n\nThe refund window is 45 days.\n"
    with RAG.open(tmp_path / "kb", home=home, environ={}, settings={"loading.duplicates": "skip"}) as kb:
        for folder, labels in (("a", {"tenant": "acme"}), ("b", {"tenant": "globex"}), ("c", {"tenant": "acme"})):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / "refunds.md").write_text(text, encoding="utf-8")
            (file,) = kb.ingest(tmp_path / folder, labels=labels).files
            assert "globex" not in f"{file.reason}"
            assert file.outcome == ("skipped" if folder == "c" else "added")
        assert found(kb, access=Access("globex")) == {"refunds.md"}
        assert kb.parts.catalogue.audiences() == [
            {"tenant": "acme", "groups": None, "documents": 1},
            {"tenant": "globex", "groups": None, "documents": 1},
        ]


def test_a_name_however_long_keeps_others_out(tmp_path: Path, home: Path) -> None:
    (tmp_path / "refunds.md").write_text("# Refunds\n\nThe refund window is 45 days.\n", encoding="utf-8")
    name = "a" * 300
    with RAG.open(tmp_path / "kb", home=home, environ={}) as kb:
        kb.ingest(tmp_path / "refunds.md", labels={"tenant": name, "groups": ["b", "c" * 300]})
        assert found(kb) == found(kb, access=Access(name)) == found(kb, access=Access(name, ("c",))) == set()
        assert found(kb, access=Access(name, ("c" * 300,))) == {"refunds.md"}
        (row,) = kb.parts.catalogue.documents()
        assert (row["tenant"], row["groups"]) == (name, ["b", "c" * 300])


def handed(kb: RAG, name: str, text: str, labels: dict[str, Any] | None = None) -> str:
    (file,) = kb.ingest([document_from_text(text, source=name)], labels=labels).files
    return file.outcome


def test_what_is_said_of_documents_handed_over_is_said_of_those_of_that_call(kb: RAG) -> None:
    assert handed(kb, "ours", "The refund takes a week.", {"tenant": "acme"}) == "added"
    assert handed(kb, "theirs", "The refund takes a day.", {"tenant": "globex"}) == "added"
    assert handed(kb, "all", "The refund takes a month.") == "added"
    assert (found(kb), found(kb, access=Access("acme"))) == ({"all"}, {"all", "ours"})
    assert handed(kb, "ours", "The refund takes a week.") == "unchanged"
    assert handed(kb, "ours", "The refund takes two weeks.") == "updated"
    assert handed(kb, "all", "The refund takes a month.") == "unchanged"
    assert (found(kb), found(kb, access=Access("globex"))) == ({"all"}, {"all", "theirs"})
    assert kb.verify().complete


def test_a_document_handed_over_again_may_get_other_labels_or_none(kb: RAG) -> None:
    handed(kb, "ours", "The refund takes a week.", {"tenant": "acme"})
    assert handed(kb, "ours", "The refund takes a week.", {"tenant": "acme"}) == "unchanged"
    assert handed(kb, "ours", "The refund takes a week.", {"tenant": "globex"}) == "updated"
    assert (found(kb, access=Access("acme")), found(kb, access=Access("globex"))) == (set(), {"ours"})
    assert handed(kb, "ours", "The refund takes a week.", {}) == "updated"
    assert found(kb) == {"ours"}
    kb.ingest([document_from_text("The refund takes a week.", source="ours")])
    assert found(kb) == {"ours"}
    assert handed(kb, "ours", "The refund takes a week.") == "unchanged"


def test_what_versions_before_said_of_all_that_was_handed_over_stays(kb: RAG) -> None:
    documents = [document_from_text("The refund takes a week.", source="ours")]
    kb.ingest(GivenSource(documents), labels={"tenant": "acme"})
    handed(kb, "theirs", "The refund takes a day.", {"tenant": "globex"})
    assert handed(kb, "ours", "The refund takes two weeks.") == "updated"
    assert (found(kb), found(kb, access=Access("acme"))) == (set(), {"ours"})
    handed(kb, "open", "The refund takes a year.", {})
    assert handed(kb, "ours", "The refund takes three weeks.") == "updated"
    assert found(kb) == {"open"}
