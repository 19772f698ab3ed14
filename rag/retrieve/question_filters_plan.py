"""From what a question says about its documents to filters and further searches."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from rag.index.fields import OF_CHUNKS
from rag.index.filters import And, Eq, Filter, In, Not, Or, matches
from rag.retrieve.plan import Asked
from rag.retrieve.question_filters import draw
from rag.retrieve.question_filters_names import DocumentNames, Identity, Names

PREFERRED = 0.5
"""How much the ranking inside what is preferred counts beside the one over all that is certain, or over everything
where documents are named and nothing is certain."""
LIKELY = 0.1
"""The same where nothing is named: enough to lift a hit over near ones. Defaults, measured and not certified."""
MOST_FOR_SECTIONS = 8
"""A section is looked up where at most so many documents are meant."""
_NAMED_IN_NOTES = 3

_PAGE = re.compile(r"\b(?:pages?|pp?\.|Seite|página|pagina)\s*(?P<page>\d{1,5})\b", re.IGNORECASE)
_SECTION = re.compile(
    r"\b(?P<word>section|chapter|item|part|article|appendix|annex|note|abschnitt|kapitel|sección|capítulo|chapitre)"
    r"\s+(?P<label>\d+(?:\.\d+)*[a-z]?|[ivx]+|[a-z])\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Limits:
    """The filter that a question asks for, the searches inside what it prefers, and both in words."""

    narrow: Filter | None = None
    searches: tuple[Asked, ...] = ()
    notes: tuple[str, ...] = ()


def limits(question: str, documents: DocumentNames, condition: Filter | None = None) -> Limits:
    """What the question says about its documents, among those that can satisfy the caller's `condition`.

    Raises `StateError` when the names of the documents cannot be read.
    """
    names = documents.names()
    drawn = draw(question, names, lambda identity: condition is None or can_match(condition, identity.payload))
    said = ", ".join(f"“{each}”" for each in drawn.said)
    narrow, searches, notes = None, [], []
    if drawn.certain is not None:
        narrow = _of(drawn.certain, names)
        notes.append(f"Searched only {_shown(drawn.certain, names)}, for {said}.")
    if drawn.preferred is not None:
        weight = PREFERRED if drawn.named or drawn.certain is not None else LIKELY
        searches.append(Asked(question, weight=weight, condition=_of(drawn.preferred, names)))
        notes.append(f"Preferred {_shown(drawn.preferred, names)}, for {said}.")
    if drawn.certain is not None:
        for place, what in _places(question, drawn.certain, names, documents):
            searches.append(Asked(question, weight=PREFERRED, condition=place))
            notes.append(f"Preferred {what}.")
    return Limits(narrow, tuple(searches), tuple(notes))


def can_match(condition: Filter, payload: Mapping[str, object]) -> bool:
    """Whether a chunk of a document with this payload could satisfy the condition, whatever page it stands on."""
    return _holds(condition, payload) is not False


def _holds(condition: Filter, payload: Mapping[str, object]) -> bool | None:
    """`None`: it depends on the chunk."""
    match condition:
        case And(parts):
            found = [_holds(part, payload) for part in parts]
            return False if False in found else None if None in found else True
        case Or(parts):
            found = [_holds(part, payload) for part in parts]
            return True if True in found else None if None in found else False
        case Not(part):
            inner = _holds(part, payload)
            return None if inner is None else not inner
    return None if condition.field in OF_CHUNKS else matches(condition, payload)


def _of(positions: Collection[int], names: Names) -> Filter:
    return In("source_document", tuple(sorted({each.document for each in _identities(positions, names)})))


def _identities(positions: Collection[int], names: Names) -> list[Identity]:
    return [names.identities[position] for position in sorted(positions)]


def _shown(positions: Collection[int], names: Names) -> str:
    called = sorted({each.document for each in _identities(positions, names)})
    return " and ".join(called) if len(called) <= _NAMED_IN_NOTES else f"{len(called)} documents"


def _places(
    question: str, positions: Collection[int], names: Names, documents: DocumentNames
) -> list[tuple[Filter, str]]:
    """The pages and sections that the question speaks of."""
    found: list[tuple[Filter, str]] = [
        (Eq("page_number", int(match["page"])), f"page {match['page']}") for match in _PAGE.finditer(question)
    ]
    mentioned = list(_SECTION.finditer(question)) if len(positions) <= MOST_FOR_SECTIONS else []
    if mentioned:
        sections = documents.sections([each.document_id for each in _identities(positions, names)])
        for match in mentioned:
            inside = tuple(path for path in sections if _is_in(path, match["word"], match["label"]))
            if inside:
                found.append((In("section_heading", inside), f"“{match[0]}”"))
    return found


def _is_in(path: str, word: str, label: str) -> bool:
    """Whether one of the headings begins with the label ("4.2 Scope"), or names it ("Item 7. Discussion")."""
    exact = rf"{re.escape(label)}(?!\w|\.\d)"
    named = re.compile(rf"\b{re.escape(word)}\s+{exact}", re.IGNORECASE)
    numbered = re.compile(rf"\s*{exact}", re.IGNORECASE) if label[0].isdigit() else named
    return any(named.search(heading) or numbered.match(heading) for heading in path.split(" > "))
