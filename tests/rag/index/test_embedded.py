"""The embedded store: the conformance suite, and what only it promises (several processes, repair)."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from plumbline.database import open_database
from plumbline.errors import CorruptStateError, StorageError
from rag.index import components, mapped
from rag.index.embedded import EmbeddedStore
from rag.index.mapped import Content
from rag.index.store import Search, Store
from rag.testing.store import DIM, check_store, sample_points


def index_file(folder: Path) -> Path:
    (found,) = (folder / "index").glob("*.index")
    return found


def open_store(folder: Path, dim: int = DIM) -> EmbeddedStore:
    file = folder / "knowledge.db"
    engine = open_database(file, [components.catalogue_component(), components.embedded_store_component()])
    return EmbeddedStore(engine, file, dim=dim)


def put_back(folder: Path) -> None:
    for leftover in folder.glob("knowledge.db*"):
        leftover.unlink()
    (folder / "backup.db").rename(folder / "knowledge.db")


async def test_conforms(tmp_path: Path) -> None:
    made = 0

    async def make(dim: int) -> Store:
        nonlocal made
        made += 1
        return open_store(tmp_path / str(made), dim)

    await check_store(make)
    assert made > 5


async def test_writes_of_one_reader_are_seen_by_another_at_its_next_search(tmp_path: Path) -> None:
    writer, reader = open_store(tmp_path), open_store(tmp_path)
    points = sample_points()
    await writer.upsert(points[:10])
    assert await reader.count() == 10
    await writer.upsert(points[10:])
    await writer.delete([points[0].id])
    assert await reader.count() == len(points) - 1
    found = await reader.search(Search(3, points[12].vector))
    assert found.dense[0][0] == points[12].id


async def test_writes_of_another_process_are_seen(tmp_path: Path) -> None:
    reader = open_store(tmp_path)
    assert await reader.count() == 0
    script = (
        "import asyncio, sys; from pathlib import Path; sys.path.insert(0, sys.argv[2])\n"
        "from tests.rag.index.test_embedded import open_store; from rag.testing.store import sample_points\n"
        "asyncio.run(open_store(Path(sys.argv[1])).upsert(sample_points(7)))\n"
    )
    arguments = [sys.executable, "-c", script, str(tmp_path), str(Path.cwd())]
    await asyncio.to_thread(subprocess.run, arguments, check=True)
    assert await reader.count() == 7


async def test_starts_from_the_file_that_compaction_leaves(tmp_path: Path) -> None:
    first = open_store(tmp_path)
    points = sample_points()
    await first.upsert(points)
    await first.compact()
    assert index_file(tmp_path).exists()
    search = Search(5, points[3].vector, "harbour lantern")
    second = open_store(tmp_path)
    assert await second.search(search) == await first.search(search)
    assert not second.rebuilt


@pytest.mark.parametrize("damage", ["garbage", "truncated", "of another knowledge base"])
async def test_rebuilds_a_damaged_index_from_the_truth(tmp_path: Path, damage: str) -> None:
    store = open_store(tmp_path)
    points = sample_points()
    await store.upsert(points)
    await store.compact()
    expected = await store.search(Search(5, points[3].vector, "granite"))
    file = index_file(tmp_path)
    if damage == "garbage":
        file.write_bytes(b"not an index")
    elif damage == "truncated":
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    else:
        other = open_store(tmp_path / "other")
        await other.upsert(sample_points(60, seed=1))
        await other.compact()
        file.write_bytes(index_file(tmp_path / "other").read_bytes())
    repaired = open_store(tmp_path)
    assert await repaired.search(Search(5, points[3].vector, "granite")) == expected
    assert await repaired.count() == len(points)


async def test_an_older_copy_put_back_is_noticed_also_by_a_reader_that_is_running(tmp_path: Path) -> None:
    points = sample_points()
    writer = open_store(tmp_path)
    await writer.upsert(points[:20])
    await writer.snapshot(tmp_path / "backup.db")
    await writer.upsert(points[20:])
    await writer.delete([points[0].id])
    await writer.compact()
    assert await writer.count() == len(points) - 1
    writer._engine.dispose()
    put_back(tmp_path)
    for store in (writer, open_store(tmp_path)):
        assert await store.count() == 20
        assert (await store.search(Search(1, points[0].vector))).dense[0][0] == points[0].id
        assert store.rebuilt


async def test_a_damaged_index_file_is_never_an_error(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    points = sample_points(8)
    await store.upsert(points)
    await store.compact()
    whole = index_file(tmp_path).read_bytes()
    for number in range(150):
        damaged = bytearray(whole)
        damaged[number * 7919 % len(whole)] ^= 1 + number % 255
        index_file(tmp_path).write_bytes(damaged)
        fresh = EmbeddedStore(store._engine, tmp_path / "knowledge.db", dim=DIM)
        found = await fresh.search(Search(1, points[3].vector, "granite"))
        assert found.dense[0][0] == points[3].id


async def test_a_few_changes_are_left_to_the_next_reader(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    points = sample_points()
    await store.upsert(points[:-2])
    await store.compact()
    file = index_file(tmp_path)
    await store.upsert(points[-2:])
    await store.delete([points[0].id])
    await store.compact()
    assert index_file(tmp_path) == file
    assert await open_store(tmp_path).ids() == [point.id for point in points[1:]]


async def test_generations_do_not_see_each_other(tmp_path: Path) -> None:
    first = open_store(tmp_path)
    second = EmbeddedStore(first._engine, first._path, dim=3, generation=2)
    points = sample_points()
    await first.upsert(points)
    small = replace(points[0], vector=np.eye(3, dtype=np.float32)[0])
    await second.upsert([small])
    assert await second.ids() == [points[0].id]
    assert (await first.get([points[0].id]))[0].vector.shape == (DIM,)
    await first.compact()
    await second.compact()
    await first.clear()
    assert (await first.count(), await second.count()) == (0, 1)
    assert [file.name[0] for file in (tmp_path / "index").iterdir()] == ["2"]


async def test_many_removals_shrink_the_index(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    points = sample_points(1500)
    await store.upsert(points)
    await store.compact()
    before = index_file(tmp_path).stat().st_size
    await store.delete([point.id for point in points[5:]])
    await store.compact()
    assert index_file(tmp_path).stat().st_size < before / 2
    assert await open_store(tmp_path).count() == 5


async def test_a_database_that_is_none_is_reported(tmp_path: Path) -> None:
    (tmp_path / "knowledge.db").write_bytes(b"this is a text file, not a database" * 100)
    with pytest.raises(CorruptStateError, match=r"knowledge\.db is damaged or not a database"):
        open_store(tmp_path)


async def test_a_full_disk_is_reported_and_loses_nothing(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    points = sample_points()
    await store.upsert(points[:5])
    with sqlite3.connect(tmp_path / "knowledge.db") as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
    with store._engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    big = [type(p)(f"{p.id}-{n}", p.vector, p.text * 50, p.payload) for p in points for n in range(50)]
    with pytest.raises(StorageError, match="disk is full"):
        await store.upsert(big)
    assert await open_store(tmp_path).count() == 5


async def test_a_snapshot_never_overwrites(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    target = tmp_path / "copy.db"
    await store.upsert(sample_points(3))
    await store.snapshot(target)
    with pytest.raises(StorageError, match="exists already"):
        await store.snapshot(target)
    with sqlite3.connect(target) as copy:
        assert copy.execute("SELECT count(*) FROM points").fetchone()[0] == 3


async def test_what_a_killed_process_left_half_written_is_cleared_away(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    await store.upsert(sample_points())
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "1-9-0.index.4711.tmp").write_bytes(b"half")
    await store.compact()
    assert [path.suffix for path in (tmp_path / "index").iterdir()] == [".index"]


async def test_searching_does_not_wait_for_the_file_to_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the file is written points come, go and are searched; the file holds what was there before."""
    store = open_store(tmp_path)
    points = sample_points(30)
    await store.upsert(points[:20])
    await store.count()
    search = Search(30, points[3].vector, "harbour lantern")
    before = await store.search(search)
    await store.snapshot(tmp_path / "before.db")
    write = mapped.write_arrays

    def meanwhile(content: Content, path: Path) -> None:
        with ThreadPoolExecutor(1) as pool:

            async def change() -> int:
                await store.upsert(points[20:])
                await store.delete([points[3].id])
                return await store.count()

            assert pool.submit(lambda: asyncio.run(change())).result() == 29
        write(content, path)

    monkeypatch.setattr("rag.index.sync.write_arrays", meanwhile)
    await store.compact()
    put_aside = tmp_path / "aside"
    shutil.copytree(tmp_path / "index", put_aside / "index")
    shutil.copy(tmp_path / "before.db", put_aside / "knowledge.db")
    assert await open_store(put_aside).search(search) == before
    assert await open_store(tmp_path).search(search) == await store.search(search)


async def test_a_writer_that_is_killed_loses_nothing_it_acknowledged_and_leaves_no_half_of_a_call(
    tmp_path: Path,
) -> None:
    reader = open_store(tmp_path)
    assert await reader.count() == 0
    script = (
        "import asyncio, sys; from pathlib import Path; sys.path.insert(0, sys.argv[2])\n"
        "from dataclasses import replace\n"
        "from tests.rag.index.test_embedded import open_store; from rag.testing.store import sample_points\n"
        "async def main():\n"
        "    store = open_store(Path(sys.argv[1]))\n"
        "    for turn in range(10**6):\n"
        "        await store.upsert([replace(p, id=f'{turn:06}-{p.id}') for p in sample_points(10)])\n"
        "        if turn % 3 == 0: await store.compact()\n"
        "        print(turn, flush=True)\n"
        "asyncio.run(main())\n"
    )
    writer = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(tmp_path), str(Path.cwd()), stdout=asyncio.subprocess.PIPE
    )
    assert writer.stdout is not None
    acknowledged = [int(await writer.stdout.readline()) for _ in range(20)]
    writer.kill()
    await writer.wait()
    for store in (reader, open_store(tmp_path)):
        names = await store.ids()
        assert len(names) % 10 == 0
        assert {f"{turn:06}-point-003" for turn in acknowledged} <= set(names)
        assert await store.count() == len(names)
        found = await store.search(Search(len(names), sample_points()[3].vector, "item", exact=True))
        assert len(found.dense) == len(found.lexical) == len(names)
        await store.compact()


async def test_a_file_that_knows_more_than_the_database_is_not_believed(tmp_path: Path) -> None:
    points = sample_points()
    store = open_store(tmp_path)
    await store.upsert(points)
    await store.compact()
    other = open_store(tmp_path / "other")
    await other.upsert(points[:5])
    shutil.copytree(tmp_path / "index", tmp_path / "other" / "index")
    fresh = open_store(tmp_path / "other")
    assert await fresh.count() == 5
    assert fresh.rebuilt
    await fresh.compact()
    again = open_store(tmp_path / "other")
    assert await again.count() == 5
    assert not again.rebuilt


async def test_several_search_while_one_writes(tmp_path: Path) -> None:
    """Readers in threads of their own see a point from its upsert on, and never again after its removal."""
    store, points = open_store(tmp_path), sample_points(200)
    await store.upsert(points[:100])

    async def search() -> None:
        for number in range(100, 160):
            found = await store.search(Search(300, points[number % 100].vector, "item", exact=True))
            assert len({name for name, _ in found.dense}) == len(found.dense) >= 90
            assert len(found.lexical) >= 90

    async def write() -> None:
        for number in range(100, 200, 5):
            await store.upsert(points[number : number + 5])
            assert await store.count() >= number - 10
            await store.delete([points[number // 10].id])
            await store.compact()

    await asyncio.gather(search(), search(), asyncio.to_thread(lambda: asyncio.run(search())), write())
    assert await store.count() == 190
