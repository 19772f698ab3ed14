"""What a question says about its documents, without a model: names ("Verizon", "the handbook"), kinds ("10-K"), years
and quarters. Only what the knowledge base has counts: a name is a name because a document is called so.

What is certain narrows the search to the documents that are named. What is likely (a year alone, a word that happens to
be in a document's name) only has them preferred, and so has a name alone: what it names may be told of elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from rag.retrieve.question_filters_mentions import (
    Mention,
    coverage,
    is_beside,
    is_file,
    kinds_called,
    mentions,
    says_kind,
)
from rag.retrieve.question_filters_names import Identity, Names
from rag.retrieve.question_filters_periods import Period, periods, runs, years_between

MOST_DOCUMENTS = 1000
"""A search is narrowed to at most so many documents."""
WHOLE = 0.95
"""How much of a document's name must be mentioned for the document to be named; a default, not certified."""
PART = 0.3
"""The same where a year or a kind agrees, or for the document to be preferred."""
PART_IN_PASSING = 0.6
"""The same where it is not written as a name is."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a question says of its documents (positions in `Names.identities`), in the words `said`.

    It is about one of `certain`, more likely about one of `preferred`; `None`: it does not say. `named`: their whole
    names are said.
    """

    certain: frozenset[int] | None = None
    preferred: frozenset[int] | None = None
    said: tuple[str, ...] = ()
    named: bool = False


def draw(question: str, names: Names, visible: Callable[[Identity], bool] = lambda _: True) -> Drawn:
    """What the question says about the documents; those that are not `visible` might as well not exist."""
    found = [_seen(mention, names, visible) for mention in mentions(question, names)]
    asked = _asked(question, found, names)
    named = [mention for mention in found if not mention.kind]
    whole = _together(_covering(mention, WHOLE, names) for mention in named if mention.as_name)
    likely = whole or _together(
        _covering(mention, PART if mention.as_name else PART_IN_PASSING, names) for mention in named
    )
    kinds = frozenset[int]().union(*(mention.documents for mention in found if mention.kind))
    base = likely & kinds or likely or kinds
    timely = _timely(asked, names, base) if base else _timely(asked, names, _of_years(asked, names, visible))
    sure = any(
        mention.documents & whole and (is_file(question, mention) or says_kind(mention, names)) for mention in named
    )
    certain = sure or bool(likely and kinds & likely) or bool(base and timely)
    if base and timely:
        base = timely | frozenset(n for n in base if not names.identities[n].periods)
    base = base or timely
    if not 0 < len(base) < len(names.identities) or len(base) > MOST_DOCUMENTS:
        return Drawn()
    said = [question[mention.start : mention.end] for mention in found if mention.documents & base]
    said += [question[each.start : each.end] for each in asked if each.end and timely]
    best = _best(asked, names, base)
    return Drawn(
        base if certain else None,
        (None if best == base else best) if certain else base,
        tuple(dict.fromkeys(said)),
        bool(whole),
    )


def _asked(question: str, found: Sequence[Mention], names: Names) -> list[Period]:
    """The periods the question is about. One that stands beside a kind ("the 2022 10-K") is that of the document, and
    those that stand elsewhere are then no documents'.
    """
    asked = periods(question)
    kinds = [(each.start, each.end) for each in found if says_kind(each, names)] + kinds_called(question)
    own = [
        each
        for run in runs(question, asked)
        if any(is_beside(question, start, end, period) for start, end in kinds for period in run)
        for each in run
    ]
    return [*(own or asked), *years_between(question, own or asked)]


def _seen(mention: Mention, names: Names, visible: Callable[[Identity], bool]) -> Mention:
    return replace(mention, documents=frozenset(n for n in mention.documents if visible(names.identities[n])))


def _covering(mention: Mention, least: float, names: Names) -> frozenset[int]:
    """The documents of whose name the mention says enough."""
    return frozenset(n for n in mention.documents if coverage(mention, n, names) >= least)


def _together(sets: Iterable[frozenset[int]]) -> frozenset[int]:
    """What several mentions have in common, the fewest documents first; those that share none are all meant."""
    found = frozenset[int]()
    for documents in sorted(filter(None, sets), key=len):
        found = found & documents or found | documents
    return found


def _of_years(asked: Sequence[Period], names: Names, visible: Callable[[Identity], bool]) -> frozenset[int]:
    found = frozenset[int]().union(*(names.years.get(period.year, ()) for period in asked))
    if len(found) > MOST_DOCUMENTS:
        return frozenset()
    return frozenset(n for n in found if visible(names.identities[n]))


def _timely(asked: Sequence[Period], names: Names, among: Iterable[int]) -> frozenset[int]:
    """Those whose names speak of a period that is asked about."""
    return frozenset(n for n in among if any(one.fits(other) for one in names.identities[n].periods for other in asked))


def _best(asked: Sequence[Period], names: Names, among: frozenset[int]) -> frozenset[int]:
    """Those of the latest year asked about, which tell of the years before too; and of as long a period as is asked."""
    years = {period.year for period in asked}
    held = {n: [period for period in names.identities[n].periods if period.year in years] for n in among}
    latest = max((period.year for found in held.values() for period in found), default=None)
    if latest is None:
        return among
    of_latest = frozenset(n for n, found in held.items() if any(period.year == latest for period in found))
    parts = {(period.quarter, period.month) for period in asked if period.year == latest}
    exact = frozenset(n for n in of_latest if any((p.quarter, p.month) in parts for p in held[n] if p.year == latest))
    return exact or of_latest
