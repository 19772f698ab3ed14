import sys
from collections.abc import Iterator

import pytest

from plumbline.errors import MissingExtraError
from rag.ingest.engine.choose import INLINE_BYTES, INLINE_JOBS, engine_for
from rag.ingest.engine.inline import InlineEngine
from rag.ingest.engine.workers import WorkerEngine
from rag.ingest.item import Item
from rag.ingest.prepare import Job, Recipe
from rag.ingest.settings import LoadingSettings
from rag.types import Document

RECIPE = Recipe(LoadingSettings(), None)


def job(name: str, size: int | None = 100, path: str | None = None) -> Job:
    return Job(Item(name, name, path or f"/{name}", size, ""))


def given(name: str) -> Job:
    document = Document("id", name, name, "text", "hash", "text/plain")
    return Job(Item(name, name, name, 4, "hash", document=document))


@pytest.mark.parametrize(
    ("jobs", "engine"),
    [
        ([], InlineEngine),
        ([job("a.txt"), job("B.MD"), job("rows.csv")], InlineEngine),
        ([given("a.pdf"), given("anything")], InlineEngine),
        ([job("a.txt"), job("report.pdf")], WorkerEngine),
        ([job("a.txt"), job("page.html")], WorkerEngine),
        ([job("a.txt", path="https://host/a.txt")], WorkerEngine),
        ([job("a.txt", INLINE_BYTES), job("b.txt", 1)], WorkerEngine),
        ([job(f"{number}.txt") for number in range(INLINE_JOBS)], InlineEngine),
        ([job(f"{number}.txt") for number in range(INLINE_JOBS + 5)], WorkerEngine),
    ],
)
def test_workers_for_much_work_and_for_other_peoples_parsers(jobs: list[Job], engine: type) -> None:
    chosen, offered = engine_for(RECIPE, iter(jobs))
    assert type(chosen) is engine
    assert list(offered) == jobs


def test_looks_no_further_than_it_must() -> None:
    def jobs() -> Iterator[Job]:
        yield job("report.pdf")
        raise AssertionError("looked too far")

    engine_for(RECIPE, jobs())


def test_ray_is_taken_for_whatever_there_is() -> None:
    pytest.importorskip("ray")
    from rag.ingest.engine.ray_cluster import RayEngine

    jobs = [job("a.txt")]
    chosen, offered = engine_for(Recipe(LoadingSettings(engine="ray"), None), iter(jobs))
    assert type(chosen) is RayEngine
    assert list(offered) == jobs


def test_without_ray_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # as if it were not installed
    with pytest.raises(MissingExtraError, match=r"plumbline\[ray\]"):
        engine_for(Recipe(LoadingSettings(engine="ray"), None), iter([job("a.txt")]))
