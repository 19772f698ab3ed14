"""The commands about batches at providers: what is under way, and going on with it, cancelling and forgetting it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plumbline.cli import EXIT_INTERRUPTED
from rag.options import AsJson, Config, HomeFolder, Set, console, parse_settings

if TYPE_CHECKING:
    from rag.batch_output import JobOutput
    from rag.home import Home
    from rag.settings import RagSettings
    from routing.batch.job import BatchJob
    from routing.batch.jobs import BatchJobs
    from routing.batch.store import JobRow
    from routing.batch.work import ChatWork, EmbeddingWork

Job = Annotated[str, typer.Argument(metavar="JOB", help="Its id, or the name that it was given.")]


def register(app: typer.Typer) -> None:
    """Add the group `batch`."""
    group = typer.Typer(no_args_is_help=True, help="Batches at providers: list, show, resume, cancel, forget.")
    group.command("list")(list_)
    for command in (show, resume, cancel, forget):
        group.command()(command)
    app.add_typer(group, name="batch")


def list_(home: HomeFolder = None, config: Config = None, settings: Set = None, as_json: AsJson = False) -> None:
    """List all jobs of the home, the newest first; nobody is asked."""
    from rag.batch_output import JobOutput, jobs_json

    with _opened(home, config, settings) as (_, jobs):
        found = [JobOutput.of(row, jobs) for row in jobs.list()]
    if as_json:
        typer.echo(jobs_json(found))
    else:
        _table(found)


def show(
    job: Job, home: HomeFolder = None, config: Config = None, settings: Set = None, as_json: AsJson = False
) -> None:
    """Show a job and its batches as they were last seen; nobody is asked."""
    with _opened(home, config, settings) as (_, jobs):
        _print(jobs.row(job), jobs, as_json=as_json)


def resume(
    job: Job,
    once: Annotated[bool, typer.Option("--once", help="Do what can be done now, and do not wait.")] = False,
    home: HomeFolder = None,
    config: Config = None,
    settings: Set = None,
    as_json: AsJson = False,
) -> None:
    """Go on with a job: send what was not sent, wait, and take what came back into the home and the ledger."""

    async def go_on(opened: BatchJob[Any, Any]) -> None:
        if once:
            await opened.status()
            return
        async for _ in opened.results():
            pass

    try:
        _with_provider(job, go_on, home, config, settings, as_json=as_json)
    except KeyboardInterrupt:
        typer.secho("Interrupted. It goes on at the provider; run the same command again.", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None


def cancel(
    job: Job, home: HomeFolder = None, config: Config = None, settings: Set = None, as_json: AsJson = False
) -> None:
    """Have no more of a job answered. What is answered by then is paid for, and taken in by `resume`."""

    async def give_up(opened: BatchJob[Any, Any]) -> None:
        await opened.cancel()
        await opened.status()

    _with_provider(job, give_up, home, config, settings, as_json=as_json)


def forget(job: Job, home: HomeFolder = None, config: Config = None, settings: Set = None) -> None:
    """Take a job that is done with out of the home, questions and answers; the ledger keeps its rows."""
    from plumbline.aio import run_here

    with _opened(home, config, settings) as (_, jobs):
        row = jobs.row(job)
        run_here(jobs.forget(row))
    typer.echo(f"Forgotten: {row.id}.")


def _with_provider(
    job: str,
    act: Callable[[BatchJob[Any, Any]], Coroutine[Any, Any, None]],
    home: HomeFolder,
    config: Config,
    settings: Set,
    *,
    as_json: bool,
) -> None:
    from plumbline.aio import run_here

    with _opened(home, config, settings) as (read, jobs):
        row = jobs.row(job)

        async def acted() -> None:
            work = _work(row, read)
            try:
                await act(jobs.open(row.id, work))
            finally:
                await work.close()

        run_here(acted())
        _print(row, jobs, as_json=as_json)


@contextmanager
def _opened(home: HomeFolder, config: Config, settings: Set) -> Iterator[tuple[RagSettings, BatchJobs]]:
    """The jobs of the home, whose answers are priced and counted by the settings."""
    from rag.calls import build_meter, close_protection, protection_of
    from rag.config import read_rag_settings
    from rag.home import open_home
    from routing.batch.jobs import BatchJobs

    read = read_rag_settings(config, overrides=parse_settings(settings or []))
    opened: Home = open_home(home)
    try:
        protection = protection_of(opened, read)
        try:
            jobs = BatchJobs(opened.file, build_meter(opened, read, protection))
            try:
                yield read, jobs
            finally:
                jobs.close()
        finally:
            close_protection(protection)
    finally:
        opened.close()


def _work(row: JobRow, settings: RagSettings) -> ChatWork | EmbeddingWork:
    """What the job is made of, with the model as it is configured, where it is."""
    from routing.batch.work import ChatWork, EmbeddingWork
    from routing.models.catalog import DEFAULT_CATALOG

    generation, embedding = settings.generation.model, settings.embedding
    if row.kind == "embedding":
        same = DEFAULT_CATALOG.full_name(embedding.model) == row.model
        dimensions = embedding.dimensions if same else None
        embedder: Any = DEFAULT_CATALOG.embedder(embedding.model if same else row.model, dimensions=dimensions)
        return EmbeddingWork(embedder)
    configured = generation if DEFAULT_CATALOG.full_name(generation) == row.model else row.model
    model: Any = DEFAULT_CATALOG.chat_model(configured)
    return ChatWork(model)


def _print(row: JobRow, jobs: BatchJobs, *, as_json: bool) -> None:
    from rag.batch_output import JobDetailsOutput

    found = JobDetailsOutput.of(jobs.row(row.id), jobs)
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
        return
    from rag.show import styled

    _table([found])
    for part in found.batches:
        sent = "not sent yet" if part.sent is None else f"sent {part.sent:%Y-%m-%d %H:%M} UTC"
        stands = "" if part.state in ("sent", "planned") else f"{part.state}, "
        again = ", once more" if part.attempt > 1 else ""
        console().print(styled(f"  {part.batch or '-'}  {stands}{sent}{again}", "dim"))


def _table(found: list[JobOutput] | list[Any]) -> None:
    from rich.table import Table

    from rag.plain import money
    from rag.show import styled

    if not found:
        console().print("There are no jobs.")
        return
    table = Table(box=None, pad_edge=False)
    for name, right in (("job", False), ("model", False), ("begun", False), ("answered", True), ("cost", True)):
        table.add_column(name, justify="right" if right else "left", no_wrap=right, overflow="fold")
    table.add_column("", overflow="fold")
    for each in found:
        rest = [f"{each.failed} failed"] * bool(each.failed) + [f"{each.waiting} waiting"] * bool(each.waiting)
        rest += ["cancelled"] * each.cancelled
        called = each.id if each.name is None else f"{each.id} {each.name}"
        count = f"{each.answered:,} of {each.requests:,}"
        began = f"{each.created:%Y-%m-%d %H:%M}"
        table.add_row(styled(called), styled(each.model), began, count, money(each.cost), ", ".join(rest))
    console().print(table)
