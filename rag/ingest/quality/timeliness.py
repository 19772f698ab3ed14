"""Timeliness: is what the documents say still so?"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from statistics import median

from rag.ingest.quality.collection import parse_day
from rag.ingest.quality.scale import Dimension, Example, Examples, Rule, scored, share
from rag.types import Document

DEFAULT_MAX_AGE_DAYS = 730
RULES = (
    Rule("old", 3.0, 0.8, "{value:.1%} of the dated documents are older than the limit",
         "see whether they still hold, or raise --max-age-days"),
    Rule("superseded", 2.0, 0.25, "{value:.1%} of the documents have a later version beside them",
         "keep the latest version only"),
    Rule("undated", 1.5, 0.8, "{value:.1%} of the documents have no date", "give their files a date"),
)  # fmt: skip
# "policy_v1", "policy-v2.1", "handbook 2019", "handbook (2023 edition)", "plan-draft", "plan-final", "report rev 3".
_VERSION = re.compile(
    r"[\s_.(-]*(?:\b|_)(?:v|ver|version|rev|revision|release)[\s_.-]?(?P<number>\d{1,4}(?:[._]\d{1,4}){0,2})(?=[\s_.)-]|\Z)",
    re.IGNORECASE,
)
_YEAR = re.compile(
    r"(?<!\d)(?P<year>(?:19|20)\d\d)(?:[-_.]?(?P<month>0[1-9]|1[0-2])(?:[-_.]?(?P<day>[0-2]\d|3[01]))?)?(?!\d)"
)
_STAGE = re.compile(
    r"(?:\b|_)(?P<stage>old|obsolete|superseded|draft|final|current|new|latest)(?=[\s_.)-]|\Z)", re.IGNORECASE
)
_STAGES = {"old": 0, "obsolete": 0, "superseded": 0, "draft": 1, "final": 2, "current": 3, "new": 3, "latest": 4}
# What comes out again and again: next year's does not replace it.
_SERIES = re.compile(
    r"10[-_ ]?[kq]|annual|quarter|q[1-4](?![a-z0-9])|report|review|minutes|results|earnings|newsletter|invoice"
    r"|statement|budget|log(?![a-z])|diary|agenda",
    re.IGNORECASE,
)
_EDGES = re.compile(r"\bedition\b|[\s_.()\[\]-]+", re.IGNORECASE)

Version = tuple[tuple[int, ...], tuple[int, ...], int]


class Timeliness:
    """Sees every document; ages are counted to `now`."""

    def __init__(self, max_age_days: int = DEFAULT_MAX_AGE_DAYS, now: datetime | None = None) -> None:
        self._now = now or datetime.now(UTC)
        self._oldest = self._now - timedelta(days=max_age_days)
        self._limit = max_age_days
        self._ages: list[int] = []
        self._documents = self._undated = self._old = 0
        self._versions: dict[str, list[tuple[Version, str]]] = {}
        self._examples = Examples()

    def see(self, document: Document) -> None:
        """Take in a document."""
        self._documents += 1
        moment = parse_day(document.created)
        if moment is None:
            self._undated += 1
            self._examples.add("undated", Example(document.name, "no date"))
        else:
            self._ages.append((self._now - moment).days)
            if moment < self._oldest:
                self._old += 1
                self._examples.add("old", Example(document.name, f"of {moment:%Y-%m-%d}"))
        name, version = split_version(document.name)
        self._versions.setdefault(name, []).append((version, document.name))

    def result(self) -> Dimension:
        """The score over all that was seen."""
        superseded = 0
        for family in self._versions.values():
            latest, latest_name = max(family)
            for version, name in family:
                if version < latest:
                    superseded += 1
                    self._examples.add("superseded", Example(name, f"superseded by {latest_name}"))
        measures = {
            "old": share(self._old, len(self._ages)),
            "superseded": share(superseded, self._documents),
            "undated": share(self._undated, self._documents),
            "median_age_days": median(self._ages) if self._ages else 0,
            "max_age_days": self._limit,
        }
        note = "a file that says nothing of its date counts as of its last change"
        return scored("timeliness", RULES, measures, self._examples, note=note)


def split_version(name: str) -> tuple[str, Version]:
    """A document's name without its version, and the version: numbers, year and so on, stage; comparable."""
    stem, dot, suffix = name.rpartition(".")
    if not dot or len(suffix) > 5 or not suffix.isalnum() or suffix.isdigit():
        stem, suffix = name, ""
    folder, slash, base = stem.rpartition("/")
    number = _VERSION.search(base)
    numbers = tuple(int(part) for part in re.split(r"[._]", number["number"])) if number else ()
    base = _VERSION.sub(" ", base)
    year = _YEAR.search(base)
    day: tuple[int, ...] = ()
    if year and not year["day"] and not _SERIES.search(base):
        day = tuple(int(part) for part in year.groups() if part)
        base = _YEAR.sub(" ", base)
    stage = _STAGE.search(base)
    base = _EDGES.sub(" ", _STAGE.sub(" ", base)).strip()
    if not base:  # nothing but a year: "2019.txt" is no version of "2020.txt"
        return name, ((), (), 2)
    rank = _STAGES[stage["stage"].lower()] if stage else 2
    return f"{folder}{slash}{base.casefold()}.{suffix.casefold()}", (numbers, day, rank)
