"""Traces: what is stored, how it is read, and that writing never blocks."""

from __future__ import annotations

import threading
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
        for _ in range(2):
            with stages.stage("embed"):
                pass
        with stages.stage("retrieve"):
            pass
    assert list(stages.seconds) == ["embed", "retrieve"]
    tracing.flush()
    assert [span.name for span in read_trace(engine, recent_traces(engine)[0].trace_id)].count("embed") == 2
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
