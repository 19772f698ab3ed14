"""The commands of the rag floor that ask and look: ask, search, status, trace.

Everything heavy is imported when a command runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plumbline.errors import InputError
from rag.options import KB_DEFAULT, AsJson, Config, HomeFolder, KnowledgeBase, Model, Set, console, opened


def register(app: typer.Typer) -> None:
    """Add this floor's commands."""
    app.callback()(_root)
    for command in (ask, search, status, trace):
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
    from rag.ingest.commands import ingest_quietly

    with opened(kb, config, home, settings, model=model, create=docs is not None) as base:
        base.require_model()
        if docs is not None:
            ingest_quietly(base, docs)
        answer = base.ask(question)
    if as_json:
        from rag.output import AskOutput

        typer.echo(AskOutput.of(answer).model_dump_json(indent=2))
        return
    from rag import show

    show.answer(console(), answer)


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
    with opened(kb, config, home, settings) as base:
        found = base.search(query, top_k=top_k)
    if as_json:
        from rag.output import search_json

        typer.echo(search_json(found))
        return
    from rag import show

    show.hits(console(), found)


def status(
    kb: KnowledgeBase = KB_DEFAULT,
    config: Config = None,
    home: HomeFolder = None,
    settings: Set = None,
    as_json: AsJson = False,
) -> None:
    """Show what the knowledge base holds and what was spent."""
    with opened(kb, config, home, settings) as base:
        state = base.status()
        spent = base.spent()
    if as_json:
        from rag.output import StatusOutput

        typer.echo(StatusOutput.of(state).model_dump_json(indent=2))
        return
    from rag import show

    show.status(console(), state, spent)


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

    show.trace(console(), spans, calls)
