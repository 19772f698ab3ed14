"""Metrics of an outcome's answer, by the contract."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from evals.dataset import Example
from evals.metrics import citations, text
from evals.metrics.citations import GoldEvidence
from evals.metrics.contract import FunctionMetric, Score
from evals.metrics.correctness import answer_correct
from evals.metrics.numeric import numeric_match
from evals.metrics.pages import page_hit
from evals.metrics.refusal import is_refusal
from evals.outcome import Outcome
from rag.answer.markers import without_markers
from rag.types import Answer


def answer_metrics() -> list[FunctionMetric]:
    """All of them, in the order of the documentation."""
    cites = "Share of citations that are gold evidence", "Share of the gold evidence that is cited"
    return [
        FunctionMetric("correct", "Right by the gold answers; refused, if unanswerable", _correct, _judged),
        FunctionMetric("exact_match", "The normalised answer equals a gold answer", _by(text.exact_match), _gold),
        FunctionMetric("token_f1", "Token F1 with the gold answer that fits best", _by(text.token_f1), _gold),
        FunctionMetric(
            "token_recall", "Share of the gold answer's tokens in the answer", _by(text.token_recall), _gold
        ),
        FunctionMetric("alias_recall", "The answer contains a gold answer whole", _by(text.alias_recall), _gold),
        FunctionMetric("numeric_match", "The answer states the gold answer's quantities", _numeric, _gold_number),
        FunctionMetric("refused_rightly", "Refused if unanswerable, answered if answerable", _refused_rightly, _known),
        FunctionMetric("citation_precision", cites[0], _citation_precision, _evidence),
        FunctionMetric("citation_recall", cites[1], _citation_recall, _evidence),
        FunctionMetric("supported_claims", "Share of claims with a citation that supports them", _supported),
        FunctionMetric("page_cited", "A labelled page is among those cited", _page_cited, _paged),
        FunctionMetric("confidence", "What the system says about itself; better only where calibrated", _confidence),
    ]


def _gold(example: Example) -> bool:
    return bool(example.answers)


def _judged(example: Example) -> bool:
    return bool(example.answers) or example.answerable is False


def _gold_number(example: Example) -> bool:
    return numeric_match("", example.answers, example.question, _language(example) or "en") is not None


def _known(example: Example) -> bool:
    return example.answerable is not None


def _evidence(example: Example) -> bool:
    return bool(gold_evidence(example))


def _paged(example: Example) -> bool:
    return bool(example.pages)


def refused(answer: Answer) -> bool:
    """Whether the system says that it refuses, or its words do."""
    return answer.refused or is_refusal(answer.text)


def judged(question: str, answer: Answer, golds: Sequence[str], language: str = "en") -> tuple[bool, str]:
    """Whether the answer is right, and why: as a gold answer says; without any, refusing is right."""
    if not golds:
        if refused(answer):
            return True, "refused, rightly"
        return False, "answered what the documents do not answer"
    if answer.refused:
        return False, "refused what the documents answer"
    verdict = answer_correct(question, answer.text, golds, language)
    return verdict.label == "correct", verdict.reason


def gold_evidence(example: Example) -> GoldEvidence:
    """The example's labels."""
    spans = [(span.document, span.start, span.end) for span in example.spans]
    return GoldEvidence(spans, example.pages, example.documents)


def _language(example: Example) -> str | None:
    return example.tags.get("language")


def _correct(example: Example, outcome: Outcome) -> float | None:
    if outcome.answer is None:
        return None
    right, _ = judged(example.question, outcome.answer, example.answers, _language(example) or "en")
    return float(right)


def _by(function: Callable[[str, Sequence[str], str | None], float | None]) -> Score:
    def score(example: Example, outcome: Outcome) -> float | None:
        if outcome.answer is None:
            return None
        return function(without_markers(outcome.answer.text), example.answers, _language(example))

    return score


def _numeric(example: Example, outcome: Outcome) -> float | None:
    if outcome.answer is None:
        return None
    said = without_markers(outcome.answer.text)
    return _float(numeric_match(said, example.answers, example.question, _language(example) or "en"))


def _refused_rightly(example: Example, outcome: Outcome) -> float | None:
    if outcome.answer is None:
        return None
    return float(refused(outcome.answer) is not example.answerable)


def _citation_precision(example: Example, outcome: Outcome) -> float | None:
    answer = _given(outcome)
    return None if answer is None else citations.citation_precision(answer.citations, gold_evidence(example))


def _citation_recall(example: Example, outcome: Outcome) -> float | None:
    answer = _given(outcome)
    return None if answer is None else citations.citation_recall(answer.citations, gold_evidence(example))


def _supported(_: Example, outcome: Outcome) -> float | None:
    answer = _given(outcome)
    return None if answer is None else citations.supported_claims(answer)


def _page_cited(example: Example, outcome: Outcome) -> float | None:
    answer = _given(outcome)
    if answer is None:
        return None
    cited = [(citation.document, citation.page) for citation in answer.citations if citation.verdict != "not_found"]
    return _float(page_hit(cited, example.pages))


def _confidence(_: Example, outcome: Outcome) -> float | None:
    return None if outcome.answer is None else outcome.answer.confidence


def _given(outcome: Outcome) -> Answer | None:
    """The answer, if it answers: a refusal has nothing to cite."""
    return None if outcome.answer is None or refused(outcome.answer) else outcome.answer


def _float(value: bool | None) -> float | None:
    return None if value is None else float(value)
