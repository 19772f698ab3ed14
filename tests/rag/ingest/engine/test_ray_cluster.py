"""On a real cluster of two nodes, which this machine plays both of. Skipped where Ray is not installed."""

import asyncio
import io
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from plumbline.cli import EXIT_FILES_FAILED, main
from rag import RAG
from rag.errors import RagError
from rag.ingest.engine import line as line_module
from rag.ingest.engine import ray_cluster
from rag.ingest.engine.ray_cluster import RayEngine
from rag.ingest.engine.ray_node import release
from rag.ingest.item import Item
from rag.ingest.prepare import Job, Recipe
from rag.ingest.settings import LoadingSettings

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds Ray's processes in /proc")

HERE = Path(__file__).parent
CORPUS = Path(__file__).parents[4] / "examples" / "corpus"
MISBEHAVING = "misbehaving:prepare"
NODE = {"num_cpus": 1, "object_store_memory": 100 * 2**20}


@dataclass
class TwoNodes:
    """A cluster whose second node can be removed and put back."""

    cluster: Any
    second: Any

    @property
    def address(self) -> str:
        return str(self.cluster.address)

    def remove_second(self) -> None:
        self.cluster.remove_node(self.second, allow_graceful=False)

    def put_back(self) -> None:
        self.second = self.cluster.add_node(**NODE)

    def at_work(self, *nodes: Any) -> list[int]:
        """The processes in which `nodes` (or all) are preparing something right now."""
        raylets = [node.all_processes["raylet"] for node in nodes or self.cluster.list_all_nodes()]
        parents = {raylet.process.pid for (raylet,) in raylets}
        return [pid for pid, parent in preparing() if parent in parents]


@pytest.fixture(scope="module")
def nodes() -> Iterator[TwoNodes]:
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PYTHONPATH", str(HERE))  # for `misbehaving` on the nodes
        patch.setenv("OMP_NUM_THREADS", "1")
        cluster = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
        try:
            yield TwoNodes(cluster, cluster.add_node(**NODE))
        finally:
            ray.shutdown()
            cluster.shutdown()


@pytest.fixture
async def engines() -> AsyncIterator[list[RayEngine]]:
    made: list[RayEngine] = []
    yield made
    for engine in made:
        await engine.close()
        await engine.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus of the examples and 200 files more."""
    made = tmp_path_factory.mktemp("source")
    for path in CORPUS.rglob("*.*"):
        (made / path.name).write_bytes(path.read_bytes())
    for number in range(200):
        paragraphs = [f"Paragraph {each} of note {number} tells of matter {number * each}." for each in range(40)]
        (made / f"note {number:03}.md").write_text(f"# Note {number}\n\n" + "\n\n".join(paragraphs), encoding="utf-8")
    (made / "broken.pdf").write_bytes(b"%PDF-1.7 and no more")
    return made


@pytest.fixture(scope="module")
def expected(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The export of a knowledge base that was made without Ray."""
    with RAG.open(tmp_path_factory.mktemp("local") / "kb") as base:
        report = base.ingest(folder)
        assert report.count("added") > 200
        assert report.count("failed") == 1
        return exported(base)


def exported(base: RAG) -> str:
    out = io.StringIO()
    base.export(out)
    return out.getvalue()


def preparing() -> Iterator[tuple[int, int]]:
    """The processes of Ray that prepare something right now (it names them after what they run), and their parents."""
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and (process / "cmdline").read_bytes().startswith(b"ray::prepare_here"):
                yield int(process.name), int((process / "stat").read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue


def until(condition: Callable[[], Any]) -> Any:
    ends = time.monotonic() + 60
    while not (met := condition()):
        assert time.monotonic() < ends, "it has not come to pass in 60 seconds"
        time.sleep(0.01)
    return met


class Meanwhile:
    """Does something in a thread as soon as `condition` holds; leaving the block waits for it."""

    def __init__(self, condition: Callable[[], Any], deed: Callable[[Any], None]) -> None:
        self.done = False

        def work() -> None:
            deed(until(condition))
            self.done = True

        self.thread = threading.Thread(target=work)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *error: object) -> None:
        self.thread.join()
        assert self.done, "there was no occasion"


def settings(nodes: TwoNodes) -> dict[str, Any]:
    return {"loading.engine": "ray", "loading.ray_address": nodes.address}


def recipe(nodes: TwoNodes, **loading: Any) -> Recipe:
    return Recipe(LoadingSettings(ray_address=nodes.address, **loading), None)


def job(name: str, size: int | None = 10) -> Job:
    return Job(Item(f"/{name}", name, f"https://nowhere/{name}", size, ""))


def engine_of(engines: list[RayEngine], nodes: TwoNodes, **loading: Any) -> RayEngine:
    engines.append(RayEngine(recipe(nodes, **loading), function=MISBEHAVING))
    return engines[-1]


async def outcomes(engine: RayEngine, *names: str) -> list[str]:
    """The error or the hash of each job."""
    results = [each async for each in engine.prepared(map(job, names))]
    assert [each.item.name for each in results] == list(names)
    return [each.error or each.hash for each in results]


def test_a_cluster_makes_the_same_knowledge_base(
    nodes: TwoNodes, folder: Path, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kb = tmp_path / "kb"
    words = ["rag", "ingest", str(folder), "--kb", str(kb), "--engine", "ray"]
    monkeypatch.setattr(sys, "argv", [*words, "--set", f"loading.ray_address={nodes.address}"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == EXIT_FILES_FAILED  # one is broken
    with RAG.open(kb) as base:
        assert exported(base) == expected
    assert not ray.is_initialized()


def test_a_killed_process_loses_nothing(nodes: TwoNodes, folder: Path, expected: str, tmp_path: Path) -> None:
    def kill(processes: list[int]) -> None:
        os.kill(processes[0], signal.SIGKILL)

    with RAG.open(tmp_path / "kb", settings=settings(nodes)) as base, Meanwhile(nodes.at_work, kill):
        base.ingest(folder)
        assert exported(base) == expected


def test_a_removed_node_loses_nothing(nodes: TwoNodes, folder: Path, expected: str, tmp_path: Path) -> None:
    at_work = Meanwhile(lambda: nodes.at_work(nodes.second), lambda _: nodes.remove_second())
    try:
        with RAG.open(tmp_path / "kb", settings=settings(nodes)) as base, at_work:
            base.ingest(folder)
            assert exported(base) == expected
    finally:
        nodes.put_back()


async def test_a_node_that_joins_gets_work(
    nodes: TwoNodes, engines: list[RayEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_cluster, "GROW_SECONDS", 0.1)
    nodes.remove_second()
    stream = engine_of(engines, nodes).prepared(job("sleep 0.05", size=None) for _ in count())
    async with aclosing(stream) as results:
        await anext(results)
        nodes.put_back()  # sets a signal handler, which only this thread may
        joined = asyncio.create_task(asyncio.to_thread(until, lambda: nodes.at_work(nodes.second)))
        async for _ in results:
            if joined.done():
                break
        assert await joined


async def test_a_file_that_misbehaves_gets_the_error_it_gets_on_one_machine(
    nodes: TwoNodes, engines: list[RayEngine]
) -> None:
    engine = engine_of(engines, nodes, max_seconds=0.5)
    assert await outcomes(engine, "a", "crash", "b", "sleep 600", "c", "exit 3") == [
        "a",
        "the reader crashed (signal 11).",
        "b",
        "reading it took longer than loading.max_seconds (0.5 s).",
        "c",
        "the reader ended unexpectedly (exit code 3).",
    ]


async def test_a_file_that_Ray_dies_of_gets_an_error_of_its_own(
    nodes: TwoNodes, engines: list[RayEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_cluster, "RETRIES", 1)
    died = "what was reading it on the Ray cluster died, 2 times (WorkerCrashedError)."
    assert await outcomes(engine_of(engines, nodes), "a", "kill-parent", "b") == ["a", died, "b"]


async def test_a_file_that_a_node_does_not_have_is_named_with_the_node(
    nodes: TwoNodes, engines: list[RayEngine], tmp_path: Path
) -> None:
    (tmp_path / "here.md").write_text("Here.", encoding="utf-8")
    mine = os.open(tmp_path, os.O_RDONLY)  # a path by which no other process finds it
    try:
        paths = [f"/proc/self/fd/{mine}/here.md", str(tmp_path / "here.md"), str(tmp_path / "nowhere.md")]
        engines.append(RayEngine(recipe(nodes)))
        jobs = [Job(Item(path, "here.md", path, 5, "")) for path in paths]
        elsewhere, shared, nowhere = [each async for each in engines[-1].prepared(iter(jobs))]
    finally:
        os.close(mine)
    assert elsewhere.error
    assert elsewhere.error.startswith(f"the Ray node {os.uname().nodename} has no file {paths[0]}, and this machine")
    assert shared.error is None
    assert nowhere.error
    assert "Ray" not in nowhere.error


async def test_the_jobs_that_are_taken_are_bounded(
    nodes: TwoNodes, engines: list[RayEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_module, "AHEAD_BYTES", 1_000_000)
    taken: list[str] = []

    def jobs() -> Iterator[Job]:
        yield job("sleep 1", size=None)
        for number in count():
            taken.append(f"big {400_000 + number}")
            yield job(taken[-1], size=None)

    async with aclosing(engine_of(engines, nodes).prepared(jobs())) as results:
        assert (await anext(results)).item.name == "sleep 1"
        assert len(taken) <= 12
        assert [(await anext(results)).item.name for _ in range(30)] == taken[:30]
        assert len(taken) <= 45


async def test_what_is_ended_early_leaves_nothing_behind(nodes: TwoNodes, engines: list[RayEngine]) -> None:
    async with aclosing(engine_of(engines, nodes).prepared(map(job, ["a", *["sleep 600"] * 200]))) as results:
        task = asyncio.ensure_future(anext(results))
        await asyncio.to_thread(until, nodes.at_work)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await asyncio.to_thread(until, lambda: not nodes.at_work())
    assert await outcomes(engines[0], "b") == ["b"]


async def test_what_jobs_raises_is_raised(nodes: TwoNodes, engines: list[RayEngine]) -> None:
    def jobs() -> Iterator[Job]:
        yield job("a")
        raise RagError("The folder is gone.")

    with pytest.raises(RagError, match="The folder is gone"):
        [each async for each in engine_of(engines, nodes).prepared(jobs())]


async def test_without_jobs_no_cluster_is_needed(engines: list[RayEngine]) -> None:
    engines.append(RayEngine(Recipe(LoadingSettings(ray_address="127.0.0.1:1"), None)))
    assert [each async for each in engines[0].prepared(iter(()))] == []


async def test_a_cluster_of_one_can_be_started_for_the_purpose(nodes: TwoNodes, engines: list[RayEngine]) -> None:
    engines.append(RayEngine(Recipe(LoadingSettings(ray_address="local", workers=1), None)))
    (result,) = [each async for each in engines[0].prepared(iter([Job(Item("/a", "a.md", str(HERE / "a.md"), 1, ""))]))]
    assert result.error
    assert ray.cluster_resources()["CPU"] == 1
    await engines[0].close()
    assert not ray.is_initialized()


async def test_where_no_cluster_is_the_error_says_how_to_get_one(engines: list[RayEngine]) -> None:
    engines.append(RayEngine(Recipe(LoadingSettings(ray_address="no cluster"), None)))
    with pytest.raises(RagError, match=r"no Ray cluster at loading.ray_address 'no cluster'.*ray start --head"):
        [each async for each in engines[0].prepared(iter([job("a")]))]


async def test_nodes_that_cannot_do_the_work_end_the_run(
    nodes: TwoNodes, engines: list[RayEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engines.append(RayEngine(recipe(nodes), function="no_such_module:prepare"))
    with pytest.raises(RagError, match=r"worker process for reading files did not start.*no_such_module"):
        await outcomes(engines[0], "a")
    monkeypatch.setattr(ray_cluster, "release", lambda: "0.0.1")
    engines.append(RayEngine(recipe(nodes)))
    with pytest.raises(RagError, match=rf"has Plumbline {release()}, and this process 0\.0\.1"):
        await outcomes(engines[1], "a")


async def test_nodes_without_our_packages_are_told_of(
    nodes: TwoNodes, engines: list[RayEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("only_here")
    exec("def prepare_here(order, jobs): ...", module.__dict__)
    monkeypatch.setitem(sys.modules, "only_here", module)
    monkeypatch.setattr(ray_cluster, "prepare_here", module.prepare_here)
    with pytest.raises(
        RagError, match=r"cannot prepare files: .*No module named 'only_here'.*Every node needs the same"
    ):
        await outcomes(engine_of(engines, nodes), "a")


async def test_the_connection_of_the_program_is_left_alone(nodes: TwoNodes, engines: list[RayEngine]) -> None:
    ray.init(address=nodes.address, log_to_driver=False)
    try:
        engine = engine_of(engines, nodes)
        assert await outcomes(engine, "a") == ["a"]
        await engine.close()
        assert ray.is_initialized()
    finally:
        ray.shutdown()


async def test_an_ingestion_that_ends_leaves_others_connected(nodes: TwoNodes, engines: list[RayEngine]) -> None:
    one, other = engine_of(engines, nodes), engine_of(engines, nodes)
    both = await asyncio.gather(outcomes(one, "a"), outcomes(other, "b"))
    assert list(both) == [["a"], ["b"]]
    await one.close()
    assert await outcomes(other, "c") == ["c"]
    await other.close()
    assert not ray.is_initialized()
