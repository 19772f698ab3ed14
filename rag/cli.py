"""The commands of the rag floor that ask and look: ask, search, status, trace.

Everything heavy is imported when a command runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plumbline.errors import InputError
from rag.options import (
    KB_DEFAULT,
    AsJson,
    Config,
    Group,
    HomeFolder,
    KnowledgeBase,
    Language,
    Latency,
    Local,
    Model,
    Set,
    Task,
    Tenant,
    Where,
    access,
    console,
    opened,
    wants,
)

if TYPE_CHECKING:
    from rag.knowledge import RAG
    from rag.retrieve.search import Retrieval


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
    where: Where = None,
    tenant: Tenant = None,
    group: Group = None,
    model: Model = None,
    local: Local = False,
    latency: Latency = None,
    task: Task = None,
    language: Language = None,
    config: Config = None,
    home: HomeFolder = None,
    settings: Set = None,
    as_json: AsJson = False,
) -> None:
    """Answer a question from the documents, with citations, confidence and price."""
    from rag.ingest.commands import ingest_quietly

    wanted = wants(model, latency, local, task, language)
    with opened(kb, config, home, settings, model=model, create=docs is not None) as base:
        if not local:  # which needs no key of a model elsewhere
            base.require_model()
        if docs is not None:
            ingest_quietly(base, docs)
        answer = base.ask(question, condition=where, access=access(tenant, group), wants=wanted)
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
    explain: Annotated[
        bool, typer.Option("--explain", help="Show how each was found: ranks, scores, filters, matched words.")
    ] = False,
    kb: KnowledgeBase = KB_DEFAULT,
    where: Where = None,
    tenant: Tenant = None,
    group: Group = None,
    local: Local = False,
    config: Config = None,
    home: HomeFolder = None,
    settings: Set = None,
    as_json: AsJson = False,
) -> None:
    """List the chunks that match best; "words in quotes" must stand so, polic* is every word that begins so."""
    with opened(kb, config, home, settings) as base:
        found = base.explain(
            query, top_k=top_k, condition=where, access=access(tenant, group), wants=wants(local=local)
        )
        if explain:
            _explain(base, found, as_json=as_json)
            return
    _say(found, filtered=where is not None)
    if as_json:
        from rag.output import search_json

        typer.echo(search_json(found.hits))
        return
    from rag import show

    show.hits(console(), found.hits)


def _say(found: Retrieval, *, filtered: bool) -> None:
    """What was done to the question and what could not be done, beside the hits, so that these stay a list alone."""
    from rag import show
    from rag.index.filter_text import filter_text

    failed = found.rerank is not None and (found.rerank.degraded or found.rerank.withheld)
    notes = list(found.notes if failed else found.plan.notes)
    if found.unmatched:
        notes.append(f"{found.unmatched} See docs/filters.md.")
    elif filtered and not found.hits and found.plan.condition is not None:
        notes.append(f"Searched within {filter_text(found.plan.condition)} (see docs/filters.md).")
    for note in notes:
        console(stderr=True).print(show.styled(note, "dim"))


def _explain(base: RAG, found: Retrieval, *, as_json: bool) -> None:
    from rag.retrieve.explain import explained

    hits = explained(found, base.parts.store, base.parts.catalogue)
    if as_json:
        from rag.retrieve.output import ExplainOutput

        typer.echo(ExplainOutput.of(found, hits).model_dump_json(indent=2))
        return
    from rag.retrieve.show import explanation

    explanation(console(), found, hits)


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
