"""The commands of the rag floor: ask, ingest, search, status, trace.

Everything heavy is imported when a command runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plumbline.cli import EXIT_FILES_FAILED, EXIT_INTERRUPTED
from plumbline.errors import ConfigError, InputError
from plumbline.text.printable import printable

if TYPE_CHECKING:
    from rag.ingest.report import IngestReport, OnProgress
    from rag.knowledge import RAG

KnowledgeBase = Annotated[Path, typer.Option("--kb", envvar="PLUMBLINE_KB", help="Folder of the knowledge base.")]
Config = Annotated[
    str | None, typer.Option("--config", envvar="PLUMBLINE_CONFIG", help="A shipped configuration or a YAML file.")
]
Model = Annotated[
    str | None, typer.Option("--model", help="Who answers, e.g. openai/…, anthropic/…, vllm/NAME@http://….")
]
HomeFolder = Annotated[
    Path | None,
    typer.Option("--home", envvar="PLUMBLINE_HOME", help="Folder of ledger and traces (default ~/.plumbline)."),
]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one setting, e.g. retrieval.top_k=20.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON (see docs/json.md).")]

KB_DEFAULT = Path("kb")


def register(app: typer.Typer) -> None:
    """Add this floor's commands."""
    app.callback()(_root)
    for command in (ask, ingest, search, status, trace):
        app.command()(command)


def _print_version(wanted: bool) -> None:
    if wanted:
        from rag import __version__

        typer.echo(f"plumbline {__version__}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
]


def _root(version: Version = False) -> None:
    """Answers from your documents, each with its evidence, its price and a confidence."""


def ask(
    question: Annotated[str, typer.Argument(help="What you want to know.")],
    docs: Annotated[
        Path | None, typer.Option("--docs", help="Ingest this file or folder first (only what changed).")
    ] = None,
    kb: KnowledgeBase = KB_DEFAULT,
    model: Model = None,
    config: Config = None,
    home: HomeFolder = None,
    settings: Set = None,
    as_json: AsJson = False,
) -> None:
    """Answer a question from the documents, with citations, confidence and price."""
    with _opened(kb, config, home, settings, model=model, create=docs is not None) as base:
        base.require_model()
        if docs is not None:
            _ingest_quietly(base, docs)
        answer = base.ask(question)
    if as_json:
        from rag.output import AskOutput

        typer.echo(AskOutput.of(answer).model_dump_json(indent=2))
        return
    from rag import show

    show.answer(_console(), answer)


def ingest(
    target: Annotated[Path, typer.Argument(help="A file or a folder.")],
    kb: KnowledgeBase = KB_DEFAULT,
    config: Config = None,
    home: HomeFolder = None,
    settings: Set = None,
    afresh: Annotated[bool, typer.Option("--afresh", help="Read every file again, changed or not.")] = False,
    keep_missing: Annotated[bool, typer.Option("--keep-missing", help="Keep documents whose files are gone.")] = False,
    allow_empty: Annotated[
        bool, typer.Option("--allow-empty", help="Remove the documents of a folder that is gone or empty.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring the knowledge base in step with a file or folder."""
    with _opened(kb, config, home, settings, create=True) as base:
        report = _ingest(base, target, afresh=afresh, keep_missing=keep_missing, allow_empty=allow_empty)
    if as_json:
        from rag.output import IngestOutput

        typer.echo(IngestOutput.of(report).model_dump_json(indent=2))
    else:
        from rag import show

        show.report(_console(), report)
    if report.failed:
        raise typer.Exit(EXIT_FILES_FAILED)


def search(
    query: Annotated[str, typer.Argument(help="What to look for.")],
    top_k: Annotated[
        int | None, typer.Option("--top-k", help="How many chunks (default: the configured number).")
    ] = None,
    kb: KnowledgeBase = KB_DEFAULT,
    config: Config = None,
    home: HomeFolder = None,
    settings: Set = None,
    as_json: AsJson = False,
) -> None:
    """List the chunks that match best."""
    with _opened(kb, config, home, settings) as base:
        found = base.search(query, top_k=top_k)
    if as_json:
        from rag.output import search_json

        typer.echo(search_json(found))
        return
    from rag import show

    show.hits(_console(), found)


def status(
    kb: KnowledgeBase = KB_DEFAULT,
    config: Config = None,
    home: HomeFolder = None,
    settings: Set = None,
    as_json: AsJson = False,
) -> None:
    """Show what the knowledge base holds and what was spent."""
    with _opened(kb, config, home, settings) as base:
        state = base.status()
        spent = base.spent()
    if as_json:
        from rag.output import StatusOutput

        typer.echo(StatusOutput.of(state).model_dump_json(indent=2))
        return
    from rag import show

    show.status(_console(), state, spent)


def trace(
    trace_id: Annotated[
        str | None, typer.Argument(help="The trace's id or how it begins; without it, the latest.")
    ] = None,
    home: HomeFolder = None,
    as_json: AsJson = False,
) -> None:
    """Print a question's whole way: stages, times, tokens and money."""
    from plumbline.trace import read_trace, recent_traces
    from rag.config import open_home

    opened = open_home(home)
    try:
        if trace_id is None:
            latest = recent_traces(opened.engine, limit=1)
            trace_id = latest[0].trace_id if latest else ""
        spans = read_trace(opened.engine, trace_id) if trace_id else []
        if not spans:
            raise InputError(
                f"There is no trace {trace_id} in {opened.path}."
                if trace_id
                else f"There is no trace yet in {opened.path}."
            )
        calls = opened.ledger.of_trace(spans[0].trace_id)
    finally:
        opened.close()
    if as_json:
        from rag.output import TraceOutput

        typer.echo(TraceOutput.of(spans, calls).model_dump_json(indent=2))
        return
    from rag import show

    show.trace(_console(), spans, calls)


@contextmanager
def _opened(
    kb: Path,
    config: str | None,
    home: Path | None,
    settings: list[str] | None,
    *,
    model: str | None = None,
    create: bool = False,
) -> Iterator[RAG]:
    from rag.config import KNOWLEDGE_FILE
    from rag.knowledge import RAG

    if not create and not (kb / KNOWLEDGE_FILE).exists():
        raise InputError(
            f"There is no knowledge base in {kb}.", hint="Make one: rag ingest FOLDER (or name another with --kb)."
        )
    with RAG.open(kb, config=config, home=home, model=model, settings=parse_settings(settings or [])) as base:
        yield base


def parse_settings(pairs: list[str]) -> dict[str, Any]:
    """What `--set KEY=VALUE …` says, values read as YAML; raises `ConfigError`."""
    import yaml

    values = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"--set {pair}: this is not of the form KEY=VALUE.", key=pair)
        try:
            values[key.strip()] = yaml.safe_load(value)
        except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2024-13-45
            raise ConfigError(
                f"--set {pair}: the value is not YAML.",
                key=key.strip(),
                value=value,
                hint="Put it in quotes if it is text: --set 'KEY=\"VALUE\"'.",
            ) from error
    return values


def _ingest(base: RAG, target: Path, **how: bool) -> IngestReport:
    done = 0

    try:
        with _progress_bar() as advance:

            def on_progress(progress: Any) -> None:
                nonlocal done
                done = progress.done
                advance(progress)

            return base.ingest(target, on_progress=on_progress, **how)
    except KeyboardInterrupt:
        typer.secho(f"Interrupted after {done} files. They are stored; run the same command again to go on.", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None


def _ingest_quietly(base: RAG, docs: Path) -> None:
    """Ingest before a question: only what is new or went wrong is worth a line, and never on standard output."""
    report = _ingest(base, docs)
    if len(report.files) > report.count("unchanged") + report.count("skipped"):
        typer.secho(str(report), err=True, dim=True)


@contextmanager
def _progress_bar() -> Iterator[OnProgress]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("reading"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
    )
    console = _console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)
        yield lambda progress: bar.update(
            task, completed=progress.done, total=progress.total, description=printable(progress.last.name)
        )


def _console(*, stderr: bool = False) -> Any:
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)
