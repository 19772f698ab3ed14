from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from evals.cost.generate import generate
from evals.cost.log import read_log
from evals.cost.workload import Query, Workload, ordered
from evals.dataset import Dataset, Example
from evals.sample import read_paraphrases, sample_corpus, sample_paraphrases, sample_questions
from plumbline.errors import InputError

QUESTIONS = Dataset("ten", tuple(Example(f"e{n}", f"Question {n}?", (f"answer {n}",)) for n in range(10)))
OTHERS = {"e1": ("Another way to ask 1?",), "e2": ("Two, once more?", "And again 2?")}


def made(queries: int = 2000, zipf: float = 1.0, seed: int = 3, share: float = 0.5) -> Workload:
    return generate(QUESTIONS, OTHERS, queries=queries, zipf=zipf, share_paraphrased=share, per_minute=60, seed=seed)


def test_questions_repeat_by_zipfs_law() -> None:
    counts = [count for _, count in Counter(query.group for query in made().queries).most_common()]
    harmonic = sum(1 / rank for rank in range(1, 11))
    for rank, count in enumerate(counts, 1):
        assert count == pytest.approx(2000 / rank / harmonic, rel=0.25)
    even = Counter(query.group for query in made(zipf=0).queries)
    assert max(even.values()) < 1.4 * min(even.values())


def test_a_share_is_paraphrased_where_there_are_paraphrases() -> None:
    queries = made(zipf=0).queries
    of_two = [query for query in queries if query.group == "e2"]
    assert sum(query.paraphrase_of == "e2" for query in of_two) == pytest.approx(len(of_two) / 2, rel=0.25)
    assert {query.question for query in of_two} == {"Question 2?", "Two, once more?", "And again 2?"}
    assert all(query.paraphrase_of is None for query in queries if query.group == "e5")
    assert all(query.answers == (f"answer {query.group[1:]}",) for query in queries)
    assert made(share=0).paraphrases == 0


def test_arrivals_are_a_poisson_process_from_zero() -> None:
    times = [query.at for query in made().queries]
    gaps = [later - sooner for sooner, later in pairwise(times)]
    mean = sum(gaps) / len(gaps)
    assert times[0] == 0
    assert times == sorted(times)
    assert mean == pytest.approx(1, rel=0.1)
    assert sum((gap - mean) ** 2 for gap in gaps) / len(gaps) == pytest.approx(1, rel=0.25)


def test_a_seed_makes_the_same_workload_and_another_one_another() -> None:
    assert made().queries == made().queries
    assert made().hash == made().hash
    assert made().hash != made(seed=4).hash


def test_repeats_name_the_first_of_their_wording() -> None:
    queries = [
        Query(f"q{n}", text, None, "g", float(-n)) for n, text in enumerate(["What is it?", "WHAT  is it?", "No"])
    ]
    work = ordered(queries, "")
    assert [(query.id, query.at, query.repeat_of) for query in work.queries] == [
        ("q2", 0.0, None),
        ("q1", 1.0, None),
        ("q0", 2.0, "q1"),
    ]
    assert (work.repeats, work.groups, work.judged) == (1, 1, 0)


def test_paraphrases_of_what_is_not_there_are_an_error() -> None:
    with pytest.raises(InputError, match="'e11'"):
        generate(QUESTIONS, {"e11": ("?",)}, queries=1, zipf=1, share_paraphrased=0, per_minute=1, seed=0)


def test_the_sample_is_whole() -> None:
    questions, paraphrases = sample_questions(), sample_paraphrases()
    assert set(paraphrases) == {example.id for example in questions.examples}
    wordings = [text for texts in paraphrases.values() for text in texts]
    assert len(set(wordings)) == len(wordings)
    assert all(2 <= len(texts) <= 4 for texts in paraphrases.values())
    assert {path.name for path in sample_corpus().iterdir()} >= {"delivery.html", "shops.csv"}


def log(folder: Path, *lines: str) -> Path:
    path = folder / "log.jsonl"
    path.write_text("\n".join(lines), "utf-8")
    return path


def read(path: Path, limit: int | None = None) -> Workload:
    return read_log(path, limit=limit, per_minute=60, seed=0)


def test_a_log_is_replayed_by_its_times(tmp_path: Path) -> None:
    work = read(
        log(
            tmp_path,
            '{"id": "b", "question": "Second?", "at": "2026-03-01T09:30:10Z", "answers": ["x"]}',
            '{"id": "a", "question": "First?", "at": "2026-03-01T10:30:00+01:00", "answerable": false}',
            '{"id": 3, "question": " second? ", "at": "2026-03-01T09:31:00Z"}',
        )
    )
    first, second, third = work.queries
    assert [(query.id, query.at) for query in work.queries] == [("a", 0), ("b", 10), ("3", 60)]
    assert [first.answers, second.answers, third.answers] == [(), ("x",), None]
    assert third.repeat_of == "b"
    assert third.group == second.group != first.group


def test_a_log_without_times_gets_some_and_a_limit_takes_the_first(tmp_path: Path) -> None:
    path = log(tmp_path, *(f'{{"question": "Number {n}?"}}' for n in range(5)))
    work = read(path, limit=3)
    assert [query.id for query in work.queries] == ["1", "2", "3"]
    assert 0 == work.queries[0].at < work.queries[1].at < work.queries[2].at
    assert work.queries == read(path, limit=3).queries


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "holds no question"),
        (['{"question": "a"', ""], r"log\.jsonl:1: this line is not JSON"),
        (['["a"]'], r"log\.jsonl:1: this line is a list"),
        (['{"question": "a"}', '{"qestion": "b"}'], r"log\.jsonl:2: there is no key 'qestion'.*'question'"),
        (['{"id": "x"}'], r"log\.jsonl:1: 'question' is missing"),
        (['{"question": " "}'], r"log\.jsonl:1: 'question' is ' '"),
        (
            ['{"id": "x", "question": "a"}', '{"id": "x", "question": "b"}'],
            r"log\.jsonl:2: the id 'x' comes twice; line 1",
        ),
        (['{"question": "a", "group": 4}'], "'group' is 4"),
        (['{"question": "a", "answers": "b"}'], "'answers' is 'b'"),
        (['{"question": "a", "answers": ["b"], "answerable": false}'], "'answerable' is false, and there are"),
        (['{"question": "a", "at": "yesterday"}'], "'at' is 'yesterday': it should be seconds or a time"),
        (['{"question": "a", "at": NaN}'], "'at' is nan"),
        (['{"question": "a", "at": 1}', '{"question": "b"}'], r"log\.jsonl:2: 'at' is missing, unlike"),
    ],
)
def test_a_wrong_log_is_an_error_that_names_the_line_and_the_key(
    tmp_path: Path, lines: list[str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read(log(tmp_path, *lines))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"paraphrases": ["a"]}', r"log\.jsonl:1: 'id'"),
        ('{"id": "x", "paraphrases": "a"}', r"log\.jsonl:1: 'paraphrases'"),
        ('{"id": "x", "paraphrases": []}\n{"id": "x", "paraphrases": []}', r"log\.jsonl:2: the id 'x' comes twice"),
    ],
)
def test_wrong_paraphrases_are_an_error(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_paraphrases(log(tmp_path, line))
