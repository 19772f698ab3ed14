"""Where a question mentions what documents are called."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from math import log

from rag.retrieve.question_filters_names import FUNCTION_WORDS, LONGEST_KEY, Names, is_telling
from rag.retrieve.question_filters_periods import Period

LARGEST_SHARE = 0.5
"""A word in the names of more than this share of the documents names none of them."""
_INITIALS = re.compile(r"[A-Z](?:n?[A-Z])+")
_SHORTEST_START = 3  # letters of "JPM" for "jpmorgan"
_WORD = re.compile(r"[^\W_]+")
_POSSESSIVE = re.compile(r"['\u2019]s\b")
_BETWEEN = re.compile(r"[\s,(_-]*(?:(?:for|of|from|FY)\b[\s_-]*)*", re.IGNORECASE)
_VERBS = frozenset({"may", "might", "must", "shall", "will"})  # that begin a question, and are names elsewhere
_ENDING = re.compile(r"\.\w{2,5}\b")
_ALSO_CALLED = (
    (re.compile(r"\bannual (?:report|filing)s?\b", re.IGNORECASE), "10k"),
    (re.compile(r"\bquarterly (?:report|filing)s?\b", re.IGNORECASE), "10q"),
    (re.compile(r"\bcurrent reports?\b", re.IGNORECASE), "8k"),
)


@dataclass(frozen=True, slots=True)
class Mention:
    """question[start:end] is, joined, the `key` of `documents` (positions in `Names.identities`).

    `as_name` says that the question writes it as a name is written; `kind` that it names a kind of document ("10-K").
    """

    key: str
    start: int
    end: int
    documents: frozenset[int]
    as_name: bool
    kind: bool = False


def mentions(question: str, names: Names) -> list[Mention]:
    """What the question mentions, the longest run of words first taken, in order of place."""
    words = [match for match in _WORD.finditer(question) if match[0] != "s" or not _is_possessive(question, match)]
    found, at = [], 0
    while at < len(words):
        mention = next(_at(question, words, at, names), None)
        if mention is None:
            at += 1
        else:
            found.append(mention)
            at += sum(mention.start <= word.start() < mention.end for word in words[at:])
    most = LARGEST_SHARE * len(names.identities)
    found.extend(
        Mention(key, *match.span(), names.keys[key], as_name=True, kind=True)
        for pattern, key in _ALSO_CALLED
        if key in names.keys and (match := pattern.search(question))
        if not any(mention.start < match.end() and match.start() < mention.end for mention in found)
    )
    return [mention for mention in found if mention.kind or len(mention.documents) <= most]


def _at(question: str, words: list[re.Match[str]], at: int, names: Names) -> Iterator[Mention]:
    """Mentions that begin with the word there, the longest first."""
    if words[at][0].lower() in _VERBS and _begins(question, words[at].start()):
        return
    for length in range(min(LONGEST_KEY, len(words) - at), 0, -1):
        run = words[at : at + length]
        start, end = run[0].start(), run[-1].end()
        key = "".join(word[0] for word in run).lower()
        if key in names.keys and is_telling(key):
            kind = key in names.kinds
            yield Mention(key, start, end, names.keys[key], kind or _written_as_name(question, run, key), kind)
    if (longer := _written_out(words[at][0], names)) is not None:
        yield Mention(longer, *words[at].span(), names.keys[longer], as_name=False)


def _is_possessive(question: str, word: re.Match[str]) -> bool:
    return _POSSESSIVE.match(question, word.start() - 1) is not None


def _written_as_name(question: str, run: list[re.Match[str]], key: str) -> bool:
    """With the ending of a file, as a number and letters, or with capitals that do not only begin a sentence."""
    start, end = run[0].start(), run[-1].end()
    if _ENDING.match(question, end) or (len(run) == 1 and not key.isalpha()):
        return True
    if len(run) == 1 and _begins(question, start):
        return run[0][0].isupper() or (run[0][0][0].isupper() and _POSSESSIVE.match(question, end) is not None)
    return all(not word[0][0].islower() or word[0] in FUNCTION_WORDS for word in run)


def _begins(question: str, start: int) -> bool:
    """Whether a sentence begins there."""
    before = question[:start].rstrip()
    return not before or before[-1] in ".!?:"


def is_file(question: str, mention: Mention) -> bool:
    """Whether the mention is written with the ending of a file."""
    return _ENDING.match(question, mention.end) is not None


def says_kind(mention: Mention, names: Names) -> bool:
    """Whether it is a kind of document, or a name that begins or ends with one ("Northwind 10-K")."""
    kinds = tuple(names.kinds)
    return mention.kind or mention.key.endswith(kinds) or mention.key.startswith(kinds)


def kinds_called(question: str) -> list[tuple[int, int]]:
    """Where the question says "annual report" and the like, whether or not a document is called so."""
    return [match.span() for pattern, _ in _ALSO_CALLED for match in pattern.finditer(question)]


def is_beside(question: str, start: int, end: int, period: Period) -> bool:
    """Whether nothing stands between question[start:end] and the period: "2022 10-K", "annual report for FY2022"."""
    between = (end, period.start) if end <= period.start else (period.end, start)
    return between[0] <= between[1] and _BETWEEN.fullmatch(question, *between) is not None


def _written_out(capitals: str, names: Names) -> str | None:
    """The one name of these initials ("JnJ" for johnson, johnson), or else that begins with these letters ("JPM").

    `None` when there is none, or several.
    """
    if _INITIALS.fullmatch(capitals):
        keys = names.initials.get(capitals.replace("n", "").lower(), frozenset())
        if len(keys) == 1:
            return next(iter(keys))
    if not (capitals.isupper() and capitals.isalpha() and len(capitals) >= _SHORTEST_START):
        return None
    letters = capitals.lower()
    at = bisect_left(names.sorted_keys, letters)
    if at == len(names.sorted_keys) or not names.sorted_keys[at].startswith(letters):
        return None
    root = names.sorted_keys[at]
    while at < len(names.sorted_keys) and names.sorted_keys[at].startswith(letters):
        if not names.sorted_keys[at].startswith(root):
            return None
        at += 1
    return root


def coverage(mention: Mention, number: int, names: Names) -> float:
    """How much of the best name of document `number` the mention covers, in [0, 1]; rare words count for more."""
    identity = names.identities[number]
    return max((_covered(mention.key, name, names, identity.unsaid) for name in identity.names), default=0.0)


def _covered(key: str, name: tuple[str, ...], names: Names, unsaid: Collection[str]) -> float:
    weights = {word: _weight(word, names) for word in name if word not in names.kinds and word not in unsaid}
    total = sum(weights.values())
    inside = "".join(name)
    return sum(weight for word, weight in weights.items() if word in key and key in inside) / total if total else 0.0


def _weight(word: str, names: Names) -> float:
    return log(1 + len(names.identities) / len(names.keys[word])) if word in names.keys else 0.0
