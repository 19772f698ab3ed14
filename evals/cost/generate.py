"""The shipped generator: base questions repeated by Zipf's law, some in other words, arriving at random times.

That questions to a search engine repeat by a Zipf distribution: Xie and O'Hallaron, "Locality in Search Engine Queries
and Its Implications for Caching" (INFOCOM 2002). Arrivals are a Poisson process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evals.cost.chance import chance
from evals.cost.log import known_answers
from evals.cost.workload import Query, Workload, ordered
from evals.dataset import Dataset, Example
from plumbline.errors import InputError


def generate(
    questions: Dataset,
    paraphrases: Mapping[str, Sequence[str]],
    *,
    queries: int,
    zipf: float,
    share_paraphrased: float,
    per_minute: float,
    seed: int,
) -> Workload:
    """A workload of `queries` questions.

    The question of rank r, the ranks being drawn by `seed`, is asked with a probability proportional to r^-`zipf`; with
    the probability `share_paraphrased` one of its paraphrases is asked instead. Raises `InputError` for paraphrases of
    a question that is not there.
    """
    known = {example.id for example in questions.examples}
    if strange := sorted(set(paraphrases) - known):
        raise InputError(f"There are paraphrases of '{strange[0]}', and no question has this id.")
    draw = chance("workload", seed)
    ranked = [questions.examples[place] for place in draw.permutation(len(questions.examples))]
    weights = [rank**-zipf for rank in range(1, len(ranked) + 1)]
    shares = [weight / sum(weights) for weight in weights]
    width = len(str(queries))
    made, at = [], 0.0
    for number in range(1, queries + 1):
        example = ranked[draw.choice(len(ranked), p=shares)]
        others = paraphrases.get(example.id, ())
        other = others[int(draw.integers(len(others)))] if others and draw.random() < share_paraphrased else None
        made.append(_query(f"q{number:0{width}}", example, other, at))
        at += draw.exponential(60 / per_minute)
    origin = (
        f"{queries:,} queries over {len(ranked):,} questions of {questions.name}: Zipf exponent {zipf:g}, "
        f"{share_paraphrased:.0%} paraphrased where there are paraphrases, {per_minute:g} a minute, seed {seed}"
    )
    return ordered(made, origin)


def _query(name: str, example: Example, other: str | None, at: float) -> Query:
    return Query(
        id=name,
        question=other or example.question,
        answers=known_answers(example),
        group=example.id,
        at=at,
        paraphrase_of=example.id if other else None,
    )
