import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from plumbline.aio import LoopThread
from rag.errors import RagError
from rag.ingest.engine import line as line_module
from rag.ingest.engine.line import AHEAD_JOBS, BATCH_JOBS
from rag.ingest.engine.workers import WorkerEngine, cores
from rag.ingest.item import Item
from rag.ingest.prepare import Job, Prepared, Recipe, prepare
from rag.ingest.settings import ChunkingSettings, LoadingSettings

HERE = Path(__file__).parent
MISBEHAVING = "misbehaving:prepare"


@pytest.fixture(autouse=True)
def misbehaving_is_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE))


def recipe(**loading: object) -> Recipe:
    return Recipe(LoadingSettings(**loading), None)  # type: ignore[arg-type]  # values of several settings


def job(name: str, size: int | None = 10) -> Job:
    return Job(Item(f"/{name}", name, f"/{name}", size, ""))


@pytest.fixture
async def engines() -> AsyncIterator[list[WorkerEngine]]:
    made: list[WorkerEngine] = []
    yield made
    for engine in made:
        await engine.close()
        await engine.close()


async def outcomes(engines: list[WorkerEngine], *names: str, workers: int = 1, **loading: object) -> list[str]:
    """The error or the hash of each job."""
    engine = WorkerEngine(recipe(**loading), workers, function=MISBEHAVING)
    engines.append(engine)
    results = [each async for each in engine.prepared(map(job, names))]
    assert [each.item.name for each in results] == list(names)
    return [each.error or each.hash for each in results]


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


async def until(condition: Callable[[], bool]) -> None:
    def wait() -> None:
        ends = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < ends, "it has not come to pass in 30 seconds"
            time.sleep(0.01)

    await asyncio.to_thread(wait)


async def until_gone(*pids: int) -> None:
    await until(lambda: not any(map(is_running, pids)))


async def test_results_are_those_of_this_process_in_the_order_of_the_jobs(
    tmp_path: Path, engines: list[WorkerEngine]
) -> None:
    paths = [tmp_path / f"{number:03}.md" for number in range(150)]
    for number, path in enumerate(paths):
        path.write_text(f"# Title {number}\n\n" + "Some words. " * (number % 7 * 400), encoding="utf-8")
    jobs = [Job(Item(str(path), path.name, str(path), path.stat().st_size, "")) for path in paths]
    jobs.append(Job(Item("/nothing", "nothing.md", "/nothing.md", None, "")))
    real = Recipe(LoadingSettings(), ChunkingSettings(size=64, overlap=8))
    engine = WorkerEngine(real, 2)
    engines.append(engine)

    results = [each async for each in engine.prepared(iter(jobs))]

    def seen(result: Prepared) -> tuple[object, ...]:
        return result.item, result.hash, result.cuts, result.problems, result.error, result.unchanged

    assert [seen(each) for each in results] == [seen(prepare(each, real)) for each in jobs]
    again = [each async for each in engine.prepared(iter([Job(jobs[3].item, results[3].hash)]))]
    assert [each.unchanged for each in again] == [True]


async def test_a_crash_costs_one_job_its_reading(engines: list[WorkerEngine]) -> None:
    names = ["a", "b", "crash", "c", "crash 2", "d"]
    crashed = "the reader crashed (signal 11)."
    assert await outcomes(engines, *names, workers=2) == ["a", "b", crashed, "c", crashed, "d"]


async def test_a_job_is_not_blamed_for_what_its_worker_did_before(engines: list[WorkerEngine]) -> None:
    assert await outcomes(engines, "a", "crash-later", "b") == ["a", "crash-later", "b"]


async def test_a_killed_worker_loses_nothing(tmp_path: Path, engines: list[WorkerEngine]) -> None:
    names = [f"kill-once {tmp_path / 'first'}", "a", f"kill-once {tmp_path / 'second'}", "b"]
    assert await outcomes(engines, *names) == names


async def test_a_worker_that_is_killed_again_is_reported(engines: list[WorkerEngine]) -> None:
    killed = "the reader was killed (signal 9), as happens where memory runs out."
    assert await outcomes(engines, "a", "kill", "b") == ["a", killed, "b"]


async def test_a_worker_that_leaves_names_its_exit_code(engines: list[WorkerEngine]) -> None:
    assert await outcomes(engines, "exit 3", "a") == ["the reader ended unexpectedly (exit code 3).", "a"]


async def test_a_job_that_takes_too_long_is_ended(engines: list[WorkerEngine]) -> None:
    too_long = "reading it took longer than loading.max_seconds (0.2 s)."
    names = ["a", "sleep 600", "b", "spin", "c"]
    assert await outcomes(engines, *names, max_seconds=0.2) == ["a", too_long, "b", too_long, "c"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="address space is limited on Linux alone")
async def test_a_job_that_needs_too_much_memory_is_ended(engines: list[WorkerEngine]) -> None:
    errors = await outcomes(engines, "a", f"eat {2**31}", "abort", "b", max_memory_bytes=2**30)
    assert errors == [
        "a",
        "it needs more memory than loading.max_memory_bytes allows.",
        "it needs more memory than loading.max_memory_bytes allows.",
        "b",
    ]


async def test_the_limit_of_memory_is_off_at_0(engines: list[WorkerEngine]) -> None:
    name = f"eat {2**31}"
    assert await outcomes(engines, name, max_memory_bytes=0) == [name]


async def test_noise_of_libraries_does_not_reach_the_answers(engines: list[WorkerEngine]) -> None:
    names = ["shout", "read-stdin", "interrupt", "b"]
    assert await outcomes(engines, *names) == ["shout", "''", "interrupt", "b"]


async def test_what_cannot_be_sent_is_that_jobs_error(engines: list[WorkerEngine]) -> None:
    error, other = await outcomes(engines, "unpicklable", "b")
    assert error.startswith("unexpected ")
    assert other == "b"


async def test_an_error_of_the_function_is_that_jobs_error(engines: list[WorkerEngine]) -> None:
    engine = WorkerEngine(recipe(), 1, function="misbehaving:broken")
    engines.append(engine)
    results = [each.error async for each in engine.prepared(map(job, "ab"))]
    assert results == [f"unexpected ValueError: no way to read {name}" for name in "ab"]


async def test_large_answers_arrive_whole(engines: list[WorkerEngine]) -> None:
    sizes = [3_000_000, 1, 70_000]
    assert list(map(len, await outcomes(engines, *(f"big {size}" for size in sizes), workers=2))) == sizes


async def test_workers_stay_for_the_next_call(engines: list[WorkerEngine]) -> None:
    engine = WorkerEngine(recipe(), 1, function=MISBEHAVING)
    engines.append(engine)
    first = [each.hash async for each in engine.prepared(iter([job("pid")]))]
    assert first == [each.hash async for each in engine.prepared(iter([job("pid")]))]
    await engine.close()
    await until_gone(int(first[0]))
    assert first != [each.hash async for each in engine.prepared(iter([job("pid")]))]


async def test_a_worker_that_does_not_start_says_why(engines: list[WorkerEngine]) -> None:
    engine = WorkerEngine(recipe(), 2, function="no_such_module:prepare")
    engines.append(engine)
    with pytest.raises(RagError, match=r"did not start.*No module named 'no_such_module'"):
        [each async for each in engine.prepared(map(job, "abc"))]


async def test_what_the_jobs_raise_is_raised(engines: list[WorkerEngine]) -> None:
    def jobs() -> Iterator[Job]:
        yield job("a")
        raise KeyError("the source broke")

    engine = WorkerEngine(recipe(), 2, function=MISBEHAVING)
    engines.append(engine)
    with pytest.raises(KeyError, match="the source broke"):
        [each async for each in engine.prepared(jobs())]


async def test_no_jobs_start_no_worker(engines: list[WorkerEngine]) -> None:
    engine = WorkerEngine(recipe(), 2, function="no_such_module:prepare")
    engines.append(engine)
    assert [each async for each in engine.prepared(iter(()))] == []


async def test_jobs_are_taken_only_as_far_as_needed(engines: list[WorkerEngine]) -> None:
    taken: list[int] = []

    def jobs() -> Iterator[Job]:
        for number in range(10 * AHEAD_JOBS):
            taken.append(number)
            yield job(str(number))

    engine = WorkerEngine(recipe(), 1, function=MISBEHAVING)
    engines.append(engine)
    async with aclosing(engine.prepared(jobs())) as results:
        await anext(results)
        await until(lambda: len(taken) >= AHEAD_JOBS)
        await asyncio.sleep(0.1)
        assert len(taken) <= AHEAD_JOBS + BATCH_JOBS + 1


async def test_the_bytes_that_wait_are_bounded(monkeypatch: pytest.MonkeyPatch, engines: list[WorkerEngine]) -> None:
    monkeypatch.setattr(line_module, "AHEAD_BYTES", 1_000_000)
    taken: list[str] = []

    def jobs() -> Iterator[Job]:
        for name in ["sleep 1", *["big 400000"] * 100]:
            taken.append(name)
            yield job(name, size=None)

    engine = WorkerEngine(recipe(), 2, function=MISBEHAVING)
    engines.append(engine)
    results = engine.prepared(jobs())
    assert (await anext(results)).item.name == "sleep 1"
    assert len(taken) <= 8
    assert len([each async for each in results]) == 100


@pytest.mark.skipif(os.name != "posix", reason="process groups")
@pytest.mark.parametrize("way", ["cancelled", "closed"])
async def test_stopping_early_kills_the_workers_and_their_children(
    tmp_path: Path, engines: list[WorkerEngine], way: str
) -> None:
    note = tmp_path / "pids"
    engine = WorkerEngine(recipe(), 2, function=MISBEHAVING)
    engines.append(engine)
    results = engine.prepared(iter([job("a", None), job(f"child {note}", None)]))
    assert (await anext(results)).item.name == "a"
    rest = asyncio.ensure_future(anext(results))
    await until(lambda: note.exists() and " " in note.read_text())
    rest.cancel()
    await asyncio.wait({rest})
    if way == "closed":
        await engine.close()
    await until_gone(*map(int, note.read_text().split()))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
@pytest.mark.parametrize("deed", ["sleep 600", "pid"])
async def test_workers_end_with_a_parent_that_is_killed(deed: str) -> None:
    script = f"""
import asyncio, sys
sys.path.insert(0, {str(HERE)!r})
from rag.ingest.engine.workers import WorkerEngine
from rag.ingest.item import Item
from rag.ingest.prepare import Job, Recipe
from rag.ingest.settings import LoadingSettings

async def main():
    engine = WorkerEngine(Recipe(LoadingSettings(), None), 1, function="misbehaving:prepare")
    async for each in engine.prepared(Job(Item(n, n, n, None, "")) for n in ("pid", {deed!r})):
        print(each.hash, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert is_running(pid)
    parent.kill()
    await parent.communicate()
    await until_gone(pid)


def test_works_on_a_loop_in_another_thread_and_on_a_fresh_one_after_it() -> None:
    engine = WorkerEngine(recipe(), 1, function=MISBEHAVING)

    async def run() -> list[str]:
        return [each.hash async for each in engine.prepared(map(job, "abc"))]

    for _ in range(2):
        loop = LoopThread()
        assert loop.run(run()) == ["a", "b", "c"]
        loop.run(engine.close())
        loop.close()


def test_one_worker_per_core_unless_told() -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)
