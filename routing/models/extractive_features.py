"""What the extractive model looks at: question and evidence as sentences, and one row of features per sentence.

Plain Python over the terms of `plumbline.text.terms`; no numpy, so that the model of last resort needs nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from plumbline.text.common import common_terms
from plumbline.text.questions import AnswerKind, answer_kind, bare_word, holds, names
from plumbline.text.sentences import sentences
from plumbline.text.stopwords import STOPWORDS
from plumbline.text.terms import terms
from routing.chat import Evidence

MAX_QUESTION_CHARS = 4000
MAX_QUESTION_TERMS = 128
_LONGEST_REMEMBERED = 20_000  # characters of a passage

_ALIKE_CREDIT = 0.6
_ASKS = ("?", "？", "؟")
_CLOSERS = "\"'”’»)]"
_STOPS = ".!?…\"'”’»)]。！？؟।"

_WORDS = re.compile(r"[^\W_]{1,64}(?:['’][^\W_]{1,64})?")
_NO_LABEL = re.compile(r"\d|^[-*•‣–—]|:\s*\S|\|")
_FIGURE = re.compile(r"\d+(?:[.,]\d+)*")
# A sentence that opens with one of these speaks of what the sentence before it named.
_OPENS_BACK = re.compile(
    r"\W*(?:he|she|it|they|this|these|that|those|his|her|its|their|such|él|ella|este|esta|su|sus)\b", re.IGNORECASE
)
_POINTS_BACK = re.compile(
    r"\b(?:this|these|those|such|the (?:latter|former|same))\b|^\W*(?:he|she|it|they|his|her|its|their)\b",
    re.IGNORECASE,
)
# Words that say what is asked for more than what about.
_ASKING = (
    "year date name named called many much kind type number percent percentage amount person people time day month "
    "place term word often long old large main thing things something example one two first happen happened give"
)


@lru_cache(maxsize=1)
def _asking() -> frozenset[str]:
    return frozenset(terms(_ASKING))


@dataclass(frozen=True, slots=True)
class Question:
    """A question as read: its distinct terms in order, the raw words in lower case, and the kind of its answer."""

    text: str
    terms: tuple[str, ...]
    words: frozenset[str]
    names: frozenset[str]
    kind: AnswerKind
    language: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """One sentence of the evidence: evidence[passage].text[start:end] == text."""

    passage: int
    start: int
    end: int
    text: str
    terms: tuple[str, ...]
    bag: frozenset[str]


def read_question(text: str, language: str) -> Question:
    """The question's terms and kind; of one longer than `MAX_QUESTION_CHARS` its two ends are read."""
    if len(text) > MAX_QUESTION_CHARS:
        text = text[: MAX_QUESTION_CHARS // 2] + " " + text[-MAX_QUESTION_CHARS // 2 :]
    found = tuple(dict.fromkeys(terms(text, language)))[:MAX_QUESTION_TERMS]
    words = frozenset(raw_words(text))
    named = frozenset(term for name in names(text) for term in terms(name, language))
    return Question(text, found, words, named, answer_kind(text), language)


def read_evidence(evidence: Sequence[Evidence], language: str) -> list[Candidate]:
    """Every sentence of every passage, in order."""
    return [
        Candidate(index, *sentence) for index, passage in enumerate(evidence) for sentence in _said(passage, language)
    ]


_Said = tuple[int, int, str, tuple[str, ...], frozenset[str]]
"""A sentence as `Candidate` has it: start, end, text, terms, bag."""


def _said(passage: Evidence, language: str) -> Sequence[_Said]:
    """The sentences of a passage; those of chunks are remembered, for they come again and again."""
    return (_remembered if len(passage.text) <= _LONGEST_REMEMBERED else _split)(passage.text, language)


def _split(passage: str, language: str) -> tuple[_Said, ...]:
    found = []
    for start, end in sentences(passage):
        text = passage[start:end]
        own = tuple(terms(text, language))
        found.append((start, end, text, own, frozenset(own)))
    return tuple(found)


_remembered = lru_cache(maxsize=256)(_split)


@lru_cache(maxsize=2**12)
def _named(sentence: str) -> frozenset[str]:
    return frozenset(bare_word(name) for name in names(sentence))


def read(question: str, evidence: Sequence[Evidence], language: str | None = None) -> Reading | None:
    """Question and evidence made ready; `None` when either holds nothing to work with."""
    language = language or detect_language(question, evidence)
    asked = read_question(question, language)
    candidates = tuple(read_evidence(evidence, language))
    if not asked.terms or not candidates:
        return None
    return Reading(asked, candidates, match(asked, candidates, evidence))


def raw_words(text: str) -> list[str]:
    """The words and numbers of `text` in lower case, in order."""
    return [word.lower() for word in _WORDS.findall(text)]


def detect_language(question: str, evidence: Sequence[Evidence]) -> str:
    """The language whose function words the question and the first passages use most; "en" when none shows."""
    sample = question[:2000] + " " + " ".join(passage.text[:500] for passage in evidence[:3])
    words = raw_words(sample)
    counts = {code: sum(word in stopwords for word in words) for code, stopwords in STOPWORDS.items()}
    best = max(counts, key=lambda code: (counts[code], code == "en"))
    return best if counts[best] > counts.get("en", 0) * 1.3 else "en"


def inverse_frequencies(wanted: Sequence[str], bags: Sequence[frozenset[str]]) -> dict[str, float]:
    """The inverse document frequency of each wanted term over `bags` (BM25's form, never negative)."""
    total = len(bags)
    counts = {term: sum(term in bag for bag in bags) for term in wanted}
    return {term: math.log(1 + (total - count + 0.5) / (count + 0.5)) for term, count in counts.items()}


def term_weights(wanted: Sequence[str], bags: Sequence[frozenset[str]]) -> dict[str, float]:
    """What sharing each wanted term is worth: its inverse frequency in `bags`, plus a prior against common words."""
    common = common_terms()
    asking = _asking()
    counted = inverse_frequencies(wanted, bags)
    return {t: (w + (0.35 if t in common else 1.0)) * (0.4 if t in asking else 1.0) for t, w in counted.items()}


def coverage(claim: Sequence[str], evidence: frozenset[str], weights: Mapping[str, float]) -> float:
    """The weighted share of the claim's terms that the evidence holds, in [0, 1]; 0 for a claim without terms.

    `weights` are inverse document frequencies; a term without one weighs 1.
    """
    total = sum(weights.get(term, 1.0) for term in claim)
    return sum(weights.get(term, 1.0) for term in claim if term in evidence) / total if total else 0.0


def _alike(term: str, vocabulary: Mapping[str, Sequence[str]]) -> frozenset[str]:
    """Terms that share most of their beginning with `term`: "defens" and "defend", "coloni" and "colonist"."""
    if len(term) < 5 or not term.isalpha():
        return frozenset()
    need = max(4, math.ceil(0.65 * len(term)))
    prefix = term[:need]
    return frozenset(
        other
        for other in vocabulary.get(term[:4], ())
        if other != term and other.startswith(prefix) and len(other) <= len(term) + 4
    )


FEATURES = (
    "overlap", "plain_overlap", "passage_overlap", "rank", "heading", "previous", "following", "previous_pronoun",
    "following_pronoun", "previous_overlap", "following_overlap", "first", "length", "new_terms", "new_names",
    "new_figures", "names", "numbers", "pairs", "label", "person", "time", "quantity", "share", "money", "place",
    "reason", "definition", "alike", "alike_weighted", "alike_previous",
    "alike_following", "alike_passage",
)  # fmt: skip
"""The columns of `feature_rows`. Overlaps are weighted shares of the question's terms.

overlap: found in the sentence; plain_overlap: the same unweighted; passage_overlap: found in its passage; rank: one
over the passage's place; heading: found only in the names of document and section; previous, following: found only in
the neighbour, and _pronoun: that one side points back to the other; previous_overlap, following_overlap: found in the
neighbour; first: opens its passage; length: log of its terms; new_*: log of what it says beyond the question; names,
numbers: the question's names and figures found; pairs: neighbours in the question that are close in the sentence;
label: it reads like a heading; the kinds: it holds an answer of the kind that the question asks for; alike*: the
alignment of `routing.models.extractive_words`, where there is one. Rows also say whether a sentence is "empty": a
question or a heading that repeats the question, which cannot answer.
"""


@dataclass(frozen=True, slots=True)
class Matches:
    """Which of the question's terms each sentence and passage holds, and how well: term to credit in (0, 1]."""

    weights: Mapping[str, float]
    total: float
    sentences: tuple[Mapping[str, float], ...]
    passages: Mapping[int, Mapping[str, float]]
    headings: Mapping[int, Mapping[str, float]]

    def share(self, found: Mapping[str, float], beyond: Mapping[str, float] = MappingProxyType({})) -> float:
        """The weighted share of the question that `found` holds beyond what `beyond` does already, in [0, 1]."""
        weights = self.weights
        gain = sum(weights[t] * (v - beyond.get(t, 0.0)) for t, v in found.items() if v > beyond.get(t, 0.0))
        return gain / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True)
class Reading:
    """A question over its evidence: the sentences, and which of the question's terms they hold."""

    question: Question
    candidates: tuple[Candidate, ...]
    matches: Matches


def match(question: Question, candidates: Sequence[Candidate], evidence: Sequence[Evidence]) -> Matches:
    """Find the question's terms in the sentences, their passages and the passages' headings."""
    bags = [candidate.bag for candidate in candidates]
    weights = term_weights(question.terms, bags)
    wanted = frozenset(question.terms)
    alike = _alike_terms(question.terms, bags)
    found = tuple(_found(wanted, alike, bag) for bag in bags)
    passages: dict[int, dict[str, float]] = {}
    for candidate, own in zip(candidates, found, strict=True):
        best = passages.setdefault(candidate.passage, {})
        for term, credit in own.items():
            best[term] = max(credit, best.get(term, 0.0))
    headings = {
        i: _found(
            wanted, alike, frozenset(terms(f"{evidence[i].document} {evidence[i].section or ''}", question.language))
        )
        for i in passages
    }
    return Matches(weights, sum(weights.values()), found, passages, headings)


def _alike_terms(wanted: Sequence[str], bags: Sequence[frozenset[str]]) -> dict[str, frozenset[str]]:
    by_prefix: dict[str, list[str]] = {}
    for term in frozenset().union(*bags):
        by_prefix.setdefault(term[:4], []).append(term)
    found = {term: _alike(term, by_prefix) for term in wanted}
    return {term: others for term, others in found.items() if others}


def _found(wanted: frozenset[str], alike: Mapping[str, frozenset[str]], bag: frozenset[str]) -> dict[str, float]:
    found = dict.fromkeys(wanted & bag, 1.0)
    for term, others in alike.items():
        if term not in found and not others.isdisjoint(bag):
            found[term] = _ALIKE_CREDIT
    return found


def feature_rows(reading: Reading) -> list[dict[str, float]]:
    """One row for each candidate: the value of each of `FEATURES` that is not zero."""
    question, candidates, matches = reading.question, reading.candidates, reading.matches
    rows = []
    for i, candidate in enumerate(candidates):
        row = _own_features(question, candidate, matches.sentences[i], matches)
        row |= _passage_features(candidate, matches)
        if i and candidates[i - 1].passage == candidate.passage:
            row["previous"] = matches.share(matches.sentences[i - 1], matches.sentences[i])
            row["previous_overlap"] = matches.share(matches.sentences[i - 1])
            row["previous_pronoun"] = row["previous"] if _OPENS_BACK.match(candidate.text) else 0.0
        else:
            row["first"] = 1.0
        if i + 1 < len(candidates) and candidates[i + 1].passage == candidate.passage:
            row["following"] = matches.share(matches.sentences[i + 1], matches.sentences[i])
            row["following_overlap"] = matches.share(matches.sentences[i + 1])
            points_back = _POINTS_BACK.search(candidates[i + 1].text)
            row["following_pronoun"] = row["following_overlap"] if points_back else 0.0
        rows.append(row)
    return rows


def _passage_features(candidate: Candidate, matches: Matches) -> dict[str, float]:
    passage = matches.passages[candidate.passage]
    return {
        "passage_overlap": matches.share(passage),
        "heading": matches.share(matches.headings[candidate.passage], passage),
        "rank": 1 / (1 + candidate.passage),
    }


def _own_features(
    question: Question, candidate: Candidate, own: Mapping[str, float], matches: Matches
) -> dict[str, float]:
    figures = [term for term in question.terms if term[0].isdigit()]
    row = {
        "overlap": matches.share(own),
        "plain_overlap": len(own) / len(question.terms),
        "length": math.log1p(len(candidate.terms)),
        "new_terms": math.log1p(len(candidate.bag) - sum(term in candidate.bag for term in own)),
        "new_names": math.log1p(len(_named(candidate.text) - question.words)),
        "new_figures": math.log1p(len(set(_FIGURE.findall(candidate.text)) - question.words)),
        "names": sum(term in own for term in question.names) / len(question.names) if question.names else 0.0,
        "numbers": float(sum(1 if term in own else -1 for term in figures)),
        "pairs": _pairs(question, candidate, own, matches.weights),
        "label": float(_is_label(candidate)),
        "empty": float(_is_empty(candidate, own)),
    }
    if question.kind != "other":
        row[question.kind] = float(holds(question.kind, candidate.text, question.words))
    return row


def _is_label(candidate: Candidate) -> bool:
    """Whether the candidate reads like a heading: short, no stop, no figure, no list item, no "key: value"."""
    if candidate.text[-1] in _STOPS or len(candidate.terms) >= 8:
        return False
    return _NO_LABEL.search(candidate.text) is None


def _is_empty(candidate: Candidate, own: Mapping[str, float]) -> bool:
    """Whether the candidate asks, or is a heading that says at most one word beyond the question."""
    if candidate.text.rstrip(_CLOSERS).endswith(_ASKS):
        return True
    return _is_label(candidate) and sum(term not in own for term in candidate.bag) <= 1


def _pairs(question: Question, candidate: Candidate, own: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """The weighted share of neighbours in the question that stand at most two terms apart in the candidate."""
    pairs = list(zip(question.terms, question.terms[1:], strict=False))
    total = sum(weights[a] + weights[b] for a, b in pairs)
    if len(own) < 2 or not total:
        return 0.0
    places: dict[str, list[int]] = {}
    for place, term in enumerate(candidate.terms):
        if term in own:
            places.setdefault(term, []).append(place)
    close = (
        weights[a] + weights[b]
        for a, b in pairs
        if a in places and b in places and any(abs(x - y) <= 2 for x in places[a] for y in places[b])
    )
    return sum(close) / total
