"""Consistency: is everything there once, and written in one way?

This module imports numpy; import it lazily.
"""

from __future__ import annotations

import re
from collections import Counter

from rag.ingest.quality.damage import is_prose
from rag.ingest.quality.duplicates import Alike, Duplicates
from rag.ingest.quality.scale import Dimension, Example, Examples, Rule, scored, share
from rag.types import Document

RULES = (
    Rule("near_duplicates", 2.0, 0.2, "{value:.1%} of the documents are another version of one that is there too",
         "keep one version of each"),
    Rule("duplicates", 1.5, 0.2, "{value:.1%} of the documents repeat another word for word",
         "remove them, or ingest with loading.duplicates=skip"),
    Rule("repeated_passages", 0.5, 0.3, "{value:.1%} of the passages stand in several documents",
         "say each thing once"),
    Rule("mixed_dates", 1.0, 0.5, "{value:.1%} of the dates in digits are not written in the usual order",
         "write all dates as 2024-12-31"),
    Rule("ambiguous_dates", 0.5, 0.5, "{value:.1%} of the dates in digits can be read in two ways (03/04/2024)",
         "write all dates as 2024-12-31"),
    Rule("mixed_units", 0.5, 0.5, "{value:.1%} of the measures are in the other system of units",
         "give one system, or both everywhere"),
    Rule("mixed_spelling", 0.5, 0.1, "{value:.1%} of the compound names are not spelt as they mostly are",
         "choose one spelling"),
    Rule("no_headings", 1.0, 0.8, "{value:.1%} of the long documents have no headings", "give them headings"),
    Rule("missing_metadata", 0.5, 0.5, "{value:.1%} of the metadata that most documents have is missing in others",
         "fill it in"),
    Rule("other_languages", 0.5, 0.5, "{value:.1%} of the documents are in another language than most",
         "see whether they are meant to be there"),
)  # fmt: skip
LONG_WORDS = 1000
LEAST_FORMS = 3
PASSAGE_WORDS = 25
MOST_PASSAGES = 200_000
"""Passages compared with each other; at 540 bytes each they take 108 MB."""
MOST_SPELLINGS = 100_000

_BLOCK = re.compile(r"\S[^\n]*(?:\n(?!\s*\n)[^\n]*)*")
_DATE = re.compile(
    r"(?<![\w./-])(?:(?P<iso>(?:19|20)\d\d-\d\d-\d\d)|(?P<first>\d{1,2})(?P<sign>[./-])(?P<second>\d{1,2})(?P=sign)"
    r"(?:19|20)\d\d)(?![\w/-])"
)
_METRIC = (
    r"km|kg|cm|mm|°C|litres?|liters?|kilomet(?:re|er)s?|kilograms?|kilos?|met(?:re|er)s?|centimet(?:re|er)s?|grams?"
)
_IMPERIAL = r"miles?|lbs?|pounds?|inch(?:es)?|feet|ft|°F|gallons?|ounces?|oz|yards?"
_UNIT = re.compile(rf"(?<=\d)\s?(?:(?P<metric>{_METRIC})|(?P<imperial>{_IMPERIAL}))(?!\w)")
_COMPOUND = re.compile(r"(?<![\w-])[A-Z][a-z]{2,}(?:-[A-Za-z][a-z]{2,}|[A-Z][a-z]{2,})(?![\w-])")
_PLAIN = re.compile(r"(?<![\w-])[A-Z][a-z]{5,}(?![\w-])")


class Consistency:
    """Sees every document; close it, or use `result`, which does."""

    def __init__(self) -> None:
        self._documents = Duplicates()
        self._passages = Duplicates()
        self._names: list[str] = []
        self._passage_examples: list[Example] = []
        self._dates: Counter[str] = Counter()
        self._units: Counter[str] = Counter()
        self._spellings: dict[str, Counter[str]] = {}
        self._languages: Counter[str] = Counter()
        self._metadata: Counter[str] = Counter()
        self._long = self._plain = 0
        self._examples = Examples()

    def see(self, document: Document) -> None:
        """Take in a document."""
        self._documents.add(document.text)
        self._names.append(document.name)
        self._languages.update([document.language] if document.language and is_prose(document.media_type) else [])
        self._metadata.update(key for key, value in document.metadata.items() if value not in ("", ()))
        if len(document.text.split(None, LONG_WORDS)) > LONG_WORDS and "csv" not in document.media_type:
            self._long += 1
            if not document.sections:
                self._plain += 1
                self._examples.add("no_headings", Example(document.name, "long, without a heading"))
        self._see_forms(document)
        self._see_passages(document)

    def close(self) -> None:
        """Give back the temporary files."""
        self._documents.close()
        self._passages.close()

    def result(self) -> Dimension:
        """The score over all that was seen; gives back the temporary files."""
        equal, near = self._documents.equal(), self._documents.near()
        count = len(self._names)
        self._report("duplicates", equal)
        self._report("near_duplicates", near)
        usual = self._languages.most_common(1)[0][1] if self._languages else 0
        measures = {
            "duplicates": share(sum(len(group.members) - 1 for group in equal), count),
            "near_duplicates": share(sum(len(group.members) - 1 for group in near), count),
            "repeated_passages": self._repeated_passages(),
            **self._dates_measured(),
            "mixed_units": _minority(self._units),
            "mixed_spelling": self._mixed_spelling(),
            "no_headings": share(self._plain, self._long),
            "missing_metadata": self._missing_metadata(count),
            "other_languages": share(self._languages.total() - usual, self._languages.total()),
        }
        self.close()
        return scored("consistency", RULES, measures, self._examples)

    def _report(self, measure: str, groups: list[Alike]) -> None:
        for group in groups:
            for member, similarity in zip(group.members[1:], group.similarities[1:], strict=True):
                says = f"{similarity:.0%} the same as {self._names[group.members[0]]}"
                self._examples.add(measure, Example(self._names[member], says))

    def _see_forms(self, document: Document) -> None:
        text = document.text
        for match in _DATE.finditer(text):
            kind = _date_kind(match)
            self._dates[kind] += 1
            if kind == "ambiguous":
                self._examples.add("ambiguous_dates", Example.of(document, *match.span()))
        for match in _UNIT.finditer(text):
            self._units[match.lastgroup or ""] += 1
        for pattern in (_COMPOUND, _PLAIN):
            for match in pattern.finditer(text):
                key = match[0].replace("-", "").casefold()
                if key in self._spellings or len(self._spellings) < MOST_SPELLINGS:
                    self._spellings.setdefault(key, Counter())[match[0].casefold()] += 1

    def _see_passages(self, document: Document) -> None:
        """Passages of this document that stood in another before; within one, boilerplate is noticed elsewhere."""
        own: set[str] = set()
        for match in _BLOCK.finditer(document.text):
            text = match[0]
            normal = " ".join(text.split())
            if normal in own or len(self._passage_examples) >= MOST_PASSAGES:
                continue
            if len(normal.split(None, PASSAGE_WORDS)) > PASSAGE_WORDS and not text.startswith("|"):
                own.add(normal)
                self._passages.add(normal)
                self._passage_examples.append(Example.of(document, *match.span()))

    def _repeated_passages(self) -> float:
        again = 0
        for group in [*self._passages.equal(), *self._passages.near()]:
            examples = [self._passage_examples[member] for member in group.members]
            repeats = [each for each in examples[1:] if each.document != examples[0].document]
            again += len(repeats)
            for each in repeats:
                self._examples.add("repeated_passages", each)
        return share(again, len(self._passage_examples))

    def _dates_measured(self) -> dict[str, float]:
        clear = Counter({kind: number for kind, number in self._dates.items() if kind != "ambiguous"})
        total = self._dates.total()
        ambiguous = share(self._dates["ambiguous"], total) if total >= LEAST_FORMS else 0.0
        return {"mixed_dates": _minority(clear), "ambiguous_dates": ambiguous}

    def _mixed_spelling(self) -> float:
        odd = every = 0
        for spellings in self._spellings.values():
            if len(spellings) > 1 or any("-" in name for name in spellings):
                every += spellings.total()
                (usual, most), *others = spellings.most_common()
                odd += spellings.total() - most
                for name, number in others:
                    says = f"{name} ({number:,}) beside {usual} ({most:,})"
                    self._examples.add("mixed_spelling", Example("", says))
        return share(odd, every)

    def _missing_metadata(self, count: int) -> float:
        usual = [number for number in self._metadata.values() if number >= count / 2]
        return share(sum(count - number for number in usual), count * len(usual))


def _date_kind(match: re.Match[str]) -> str:
    if match["iso"]:
        return "year first"
    first, second = int(match["first"]), int(match["second"])
    if first > 12:
        return "day first"
    return "month first" if second > 12 else "ambiguous" if match["sign"] != "." and first != second else "day first"


def _minority(counts: Counter[str]) -> float:
    """The share of all but the most frequent; 0 of fewer than `LEAST_FORMS`, which show no habit."""
    if counts.total() < LEAST_FORMS:
        return 0.0
    return share(counts.total() - max(counts.values(), default=0), counts.total())
