"""Traces: what is stored, how it is read, and that writing never blocks."""

from __future__ import annotations

import asyncio
import os
import random
import threading
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from plumbline.database import open_database
from plumbline.trace import SpanRecord, SpanWriter, Stages, Tracing, component, current_ids, read_trace, recent_traces


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return open_database(tmp_path / "home.db", [component()])


def record(number: int) -> SpanRecord:
    return SpanRecord(f"{number:032x}", f"{number:016x}", None, "test", 1.0, 2.0, None, {})


def test_the_thread_that_stores_spans_may_close_their_writer(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it happens to collect a home that was forgotten, it must not wait for itself."""
    writer, closed = SpanWriter(engine), threading.Event()

    def collected(records: list[SpanRecord]) -> None:
        writer.close()
        closed.set()

    monkeypatch.setattr(writer, "_store", collected)
    writer.put(record(1))
    assert closed.wait(10)


def test_spans_nest_and_keep_their_attributes(engine: Engine) -> None:
    tracing = Tracing(engine)
    with tracing.span("ask", {"plumbline.question": "Why?"}):
        trace_id, _ = current_ids()
        with tracing.span("retrieve") as inner:
            inner.set_attribute("plumbline.hits", ["a", "b"])
    tracing.flush()
    assert trace_id is not None
    root, child = read_trace(engine, trace_id[:8])
    assert (root.name, root.parent_id, root.attributes) == ("ask", None, {"plumbline.question": "Why?"})
    assert (child.name, child.parent_id, child.attributes) == ("retrieve", root.span_id, {"plumbline.hits": ["a", "b"]})
    assert root.start <= child.start <= child.end <= root.end
    tracing.close()


def test_a_failure_is_recorded_and_goes_on(engine: Engine) -> None:
    tracing = Tracing(engine)
    with pytest.raises(ValueError, match="broken"), tracing.span("ask"):
        raise ValueError("broken")
    tracing.flush()
    (root,) = recent_traces(engine)
    assert root.error is not None
    assert "broken" in root.error
    tracing.close()


def test_outside_any_span_there_are_no_ids() -> None:
    assert current_ids() == (None, None)


def test_unknown_traces_are_empty(engine: Engine) -> None:
    assert read_trace(engine, "feed") == []
    assert recent_traces(engine) == []


def test_stages_that_run_twice_add_up(engine: Engine) -> None:
    tracing = Tracing(engine)
    stages = Stages(tracing)
    with tracing.span("ask"):
        with stages.timed("assemble"):
            pass
        for _ in range(2):
            with stages.stage("embed"):
                pass
        with stages.stage("retrieve"):
            pass
    assert list(stages.seconds) == ["assemble", "embed", "retrieve"]
    tracing.flush()
    assert [span.name for span in read_trace(engine, recent_traces(engine)[0].trace_id)].count("embed") == 2
    assert all(span.name != "assemble" for span in read_trace(engine, recent_traces(engine)[0].trace_id))
    tracing.close()


def test_a_full_queue_drops_and_counts_and_never_blocks(engine: Engine) -> None:
    release, held = threading.Event(), threading.Event()

    class SlowWriter(SpanWriter):
        def _store(self, records: list[SpanRecord]) -> None:
            held.set()
            release.wait()
            super()._store(records)

    writer = SlowWriter(engine, queue_size=4)
    writer.put(record(1))
    assert held.wait(timeout=10)
    for number in range(2, 12):
        writer.put(record(number))
    assert writer.dropped == 6
    release.set()
    writer.close()
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM spans")) == 5


def test_a_database_that_refuses_costs_spans_and_nothing_else(engine: Engine) -> None:
    writer = SpanWriter(engine)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE spans"))
    writer.put(record(1))
    writer.flush()
    assert writer.dropped == 1
    assert writer.last_error is not None
    writer.close()


def test_what_is_queued_is_stored_on_close(engine: Engine) -> None:
    tracing = Tracing(engine)
    for _ in range(50):
        with tracing.span("ask"):
            pass
    tracing.close()
    assert len(recent_traces(engine, limit=100)) == 50


def test_spans_go_to_exporters_too(engine: Engine) -> None:
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    tracing = Tracing(engine, exporters=[exporter])
    ask = tracing.span("ask", {"plumbline.question": "Why?"})

    def failing() -> None:
        with ask:
            with tracing.span("retrieve", {"plumbline.hits": ["a", "b"]}):
                pass
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        failing()
    tracing.close()
    retrieve, root = exporter.get_finished_spans()
    assert (root.name, root.parent, root.status.is_ok) == ("ask", None, False)
    assert root.attributes == {"plumbline.question": "Why?"}
    assert root.context is not None
    assert retrieve.parent is not None
    assert (retrieve.name, retrieve.status.is_ok, retrieve.parent.span_id) == ("retrieve", True, root.context.span_id)
    assert f"{root.context.trace_id:032x} {root.context.span_id:016x}" == f"{ask.trace_id} {ask.span_id}"
    assert (root.end_time or 0) >= (retrieve.end_time or 0) > 1e18, "nanoseconds"


def test_inside_a_span_of_opentelemetry_a_trace_is_a_part_of_its(engine: Engine) -> None:
    from opentelemetry.sdk.trace import TracerProvider

    tracing = Tracing(engine)
    with TracerProvider().get_tracer("the program").start_as_current_span("request") as theirs:
        context = theirs.get_span_context()
        assert current_ids() == (f"{context.trace_id:032x}", f"{context.span_id:016x}")
        with tracing.span("ask") as ask, tracing.span("retrieve") as retrieve:
            pass
    assert (ask.trace_id, ask.parent_id) == (f"{context.trace_id:032x}", f"{context.span_id:016x}")
    assert (retrieve.trace_id, retrieve.parent_id) == (ask.trace_id, ask.span_id)
    tracing.close()


async def test_a_generator_that_another_task_closes_ends_its_span_and_leaves_that_tasks(engine: Engine) -> None:
    tracing = Tracing(engine)

    async def words() -> AsyncGenerator[str, None]:
        with tracing.span("stream"):
            yield "one"
            yield "two"

    async def close(stream: AsyncGenerator[str, None]) -> None:
        with tracing.span("closing") as closing:
            await stream.aclose()
            assert current_ids() == (closing.trace_id, closing.span_id)

    stream = words()
    assert await anext(stream) == "one"
    await asyncio.create_task(close(stream))
    tracing.flush()
    (root,) = recent_traces(engine)
    assert [span.name for span in read_trace(engine, root.trace_id)] == ["stream", "closing"]
    tracing.close()


def test_a_seed_of_the_programs_own_does_not_repeat_ids(engine: Engine) -> None:
    tracing = Tracing(engine)
    found = set()
    for _ in range(3):
        random.seed(7)
        with tracing.span("ask") as span:
            found |= {span.trace_id, span.span_id}
    assert len(found) == 6
    tracing.close()


def test_a_forked_child_draws_other_ids(engine: Engine) -> None:
    tracing = Tracing(engine)
    read, write = os.pipe()
    if os.fork() == 0:
        with tracing.span("ask") as span:
            os.write(write, span.trace_id.encode())
        os._exit(0)
    os.wait()
    with tracing.span("ask") as span:
        assert os.read(read, 32).decode() != span.trace_id
    tracing.close()


def test_ids_are_of_the_lengths_that_opentelemetry_has(engine: Engine) -> None:
    tracing = Tracing(engine)
    with tracing.span("ask") as one, tracing.span("retrieve") as other:
        pass
    assert (len(one.trace_id), len(one.span_id)) == (32, 16)
    assert one.span_id != other.span_id
    tracing.close()
