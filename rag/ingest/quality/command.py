"""The command `rag assess-data`. Everything heavy is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plumbline.errors import InputError

if TYPE_CHECKING:
    from rag.ingest.quality.assess import Assessment
    from rag.ingest.quality.overrides import Override

EXIT_LOW_QUALITY = 1
DEFAULT_MAX_AGE_DAYS = 730

HomeFolder = Annotated[
    Path | None,
    typer.Option("--home", envvar="PLUMBLINE_HOME", help="Folder where overrides are kept (default ~/.plumbline)."),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("assess-data")(assess_data)


def assess_data(
    source: Annotated[str | None, typer.Argument(help="A folder of documents, or a knowledge base.")] = None,
    questions: Annotated[
        Path | None, typer.Option("--questions", help="JSONL with a field 'question': what is to be answered.")
    ] = None,
    max_age_days: Annotated[
        int, typer.Option("--max-age-days", min=1, help="Documents older than this count as old.")
    ] = DEFAULT_MAX_AGE_DAYS,
    allow_low_quality: Annotated[
        bool, typer.Option("--allow-low-quality", help="Let it pass all the same; needs --by and --reason.")
    ] = False,
    by: Annotated[str, typer.Option("--by", help="Who lets it pass.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why.")] = "",
    history: Annotated[bool, typer.Option("--history", help="List who let low quality pass, and why.")] = False,
    home: HomeFolder = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON (see docs/json.md).")] = False,
) -> None:
    """Score data in six dimensions before it is answered from; below 18 of 30 the exit code is 1."""
    if history:
        _history(home, as_json)
        return
    if source is None:
        raise InputError("There is nothing to assess.", hint="Name a folder or a knowledge base: rag assess-data docs/")
    if allow_low_quality and not (by.strip() and reason.strip()):
        raise InputError("--allow-low-quality needs --by NAME and --reason TEXT.", hint="Both are kept in the home.")
    result = _assess(source, questions, max_age_days)
    override = _override(result, home, by, reason) if allow_low_quality and not result.passed else None
    if as_json:
        from rag.ingest.quality.output import AssessOutput

        typer.echo(AssessOutput.made(result, override).model_dump_json(indent=2))
    else:
        from rich.console import Console

        from rag.ingest.quality import show

        show.assessment(Console(highlight=False), result, override)
    if not result.passed and override is None:
        raise typer.Exit(EXIT_LOW_QUALITY)


def _assess(source: str, questions: Path | None, max_age_days: int) -> Assessment:
    from rich.console import Console

    from plumbline.text.printable import printable
    from rag.ingest.quality.assess import assess

    console = Console(stderr=True, highlight=False)
    with console.status("reading") as status:
        return assess(
            source,
            questions=questions,
            max_age_days=max_age_days,
            on_document=lambda name: status.update(f"reading {_escaped(printable(name))}"),
        )


def _escaped(name: str) -> str:
    from rich.markup import escape

    return escape(name)


def _override(result: Assessment, home: Path | None, by: str, reason: str) -> Override:
    from rag.ingest.quality.overrides import open_overrides

    with open_overrides(home) as overrides:
        return overrides.record(result.source, result.total, by=by, reason=reason)


def _history(home: Path | None, as_json: bool) -> None:
    from rag.ingest.quality.overrides import open_overrides

    with open_overrides(home) as overrides:
        found = overrides.all()
    if as_json:
        from rag.ingest.quality.output import history_json

        typer.echo(history_json(found))
        return
    from rich.console import Console

    from rag.ingest.quality import show

    show.history(Console(highlight=False), found)
