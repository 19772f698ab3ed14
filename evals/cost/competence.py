"""What a simulated model says: the answer where its profile lets it be right, else another sentence or a refusal.

It looks into the answer key, which no real model has: how good it is, is what the profile assumes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from evals.cost.profiles import Profile
from evals.cost.workload import plain
from plumbline.text.sentences import sentences
from plumbline.text.terms import terms
from rag.answer.assemble import label
from rag.pipeline import REFUSAL
from routing.chat import ChatRequest, Evidence

if TYPE_CHECKING:
    from numpy.random import Generator

AnswerKey = Mapping[str, Sequence[str] | None]
"""The right answers by wording (`workload.plain`); empty: refusing is right; `None` or no entry: unknown."""

LONGEST = 300
"""A sentence of more characters is not quoted: the bare answer is given instead."""


def say(request: ChatRequest, key: AnswerKey, profile: Profile, draw: Generator) -> str:
    """The text of the answer, citing as the system prompt asks."""
    question = request.question
    if question is None or not request.evidence:
        return request.messages[-1].content.strip() or REFUSAL
    golds = key.get(plain(question))
    right, refuses = draw.random() < profile.right, draw.random() < profile.refuses
    found = next(_holding(request.evidence, golds), None) if golds else None
    if found is not None and right:
        return found
    if golds is not None and found is None and refuses:
        return REFUSAL
    return _other(question, request.evidence, golds or ()) or REFUSAL


def _holding(evidence: Sequence[Evidence], golds: Sequence[str]) -> Iterator[str]:
    """Answers that hold the gold answer, each cited."""
    for item in evidence:
        for gold in golds:
            if plain(gold) in plain(item.text):
                whole = (text for text in _sentences(item) if plain(gold) in plain(text) and len(text) <= LONGEST)
                yield _cited(next(whole, gold), item)


def _other(question: str, evidence: Sequence[Evidence], golds: Sequence[str]) -> str | None:
    """The sentence nearest to the question that holds no gold answer, cited."""
    asked = set(terms(question))
    candidates = [
        (len(asked & set(terms(text))), -place, text, item)
        for place, (text, item) in enumerate((text, item) for item in evidence for text in _sentences(item))
        if not any(plain(gold) in plain(text) for gold in golds) and len(text) <= LONGEST
    ]
    if not candidates:
        return None
    _, _, text, item = max(candidates, key=lambda candidate: candidate[:2])
    return _cited(text, item)


def _sentences(item: Evidence) -> Iterator[str]:
    for start, end in sentences(item.text):
        if text := " ".join(item.text[start:end].split()):
            yield text


def _cited(text: str, item: Evidence) -> str:
    return f"{text.removesuffix('.')} [Source: {label(item)}]."
