"""The commands about money: cost (what was spent) and prices (what is charged, and whether that is still so)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from plumbline.cli import EXIT_ERROR
from plumbline.errors import InputError
from rag.options import AsJson, Config, HomeFolder, Set, console, parse_settings
from routing.cost.price_file import nearest

if TYPE_CHECKING:
    from routing.cost.prices import PriceTable
    from routing.cost.report import CostReport
    from routing.cost.report_rows import By, Selection
    from routing.settings import RoutingSettings

CHECK = "check"


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(cost)
    app.command()(prices)


def cost(
    by: Annotated[
        str, typer.Option("--by", help="What the lines are: day, tenant, model, purpose, release, key, session.")
    ] = "day",
    since: Annotated[str | None, typer.Option("--since", metavar="DATE", help="From this day on, in UTC.")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="DATE", help="Up to this day, it included.")] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", help="The calls of this tenant alone.")] = None,
    reference: Annotated[
        str | None,
        typer.Option("--reference", metavar="MODEL", help="Say what answering everything with this would have cost."),
    ] = None,
    csv: Annotated[
        str | None, typer.Option("--csv", metavar="FILE", help="Write the lines as CSV there; - prints them.")
    ] = None,
    home: HomeFolder = None,
    config: Config = None,
    settings: Set = None,
    as_json: AsJson = False,
) -> None:
    """Show what was spent and on what, what a thousand questions cost, and what the month will come to."""
    from routing.cost.report_rows import Selection

    if csv == "-" and as_json:
        raise InputError("--csv - and --json would both be printed.", hint="Give --csv a file.")
    selection = Selection(_day(since, "--since"), _day(until, "--until"), tenant)
    report = _report(_by(by), selection, reference, home, _routing(config, settings))
    if csv is not None:
        from rag.cost_output import cost_csv

        _write(csv, cost_csv(report))
    if as_json:
        from rag.cost_output import CostOutput

        typer.echo(CostOutput.of(report).model_dump_json(indent=2))
    elif csv != "-":
        from rag import cost_show

        cost_show.cost(console(), report)


def prices(
    what: Annotated[
        str, typer.Argument(metavar="[MODEL|check]", help='A model or a pattern ("openai/gpt-6*"), or the word check.')
    ] = "*",
    source: Annotated[
        str,
        typer.Option("--source", help="What to check with: genai-prices, or a file of litellm's or of our own form."),
    ] = "genai-prices",
    config: Config = None,
    settings: Set = None,
    as_json: AsJson = False,
) -> None:
    """Show what models cost; `check` compares the prices with others' and exits with 1 when any differs."""
    from routing.cost.price_file import price_table

    table = price_table(_routing(config, settings))
    if what == CHECK:
        _check(table, source, as_json=as_json)
    else:
        _list(table, what, as_json=as_json)


def _check(table: PriceTable, source: str, *, as_json: bool) -> None:
    from routing.cost.check import compare
    from routing.cost.check_sources import read_source

    name, theirs = read_source(source, table.prices)
    result = compare(table, theirs, name)
    if as_json:
        from rag.cost_output import CheckOutput

        typer.echo(CheckOutput.of(result).model_dump_json(indent=2))
    else:
        from rag import cost_show

        cost_show.check(console(), result)
    if result.differences:
        raise typer.Exit(EXIT_ERROR)


def _list(table: PriceTable, what: str, *, as_json: bool) -> None:
    from pydantic import TypeAdapter

    from rag.cost_output import PriceOutput, price_rows

    rows = price_rows(table, what)
    if not rows:
        raise InputError(
            f"There is no price of {what}: what it costs is shown as unknown.",
            hint=nearest(what, list(table.prices)) or "Give it one in routing.prices (docs/cost.md).",
        )
    if as_json:
        typer.echo(TypeAdapter(list[PriceOutput]).dump_json(rows, indent=2).decode())
        return
    from rag import cost_show

    cost_show.prices(console(), rows, table.date)


def _report(
    lines: By, selection: Selection, reference: str | None, home: Path | None, routing: RoutingSettings
) -> CostReport:
    from rag.config import HOME_FILE, open_home
    from routing.cost.price_file import price_table
    from routing.cost.report import cost_report
    from routing.cost.report_rows import LedgerReader

    opened = open_home(home)
    try:
        return cost_report(
            LedgerReader(opened.path / HOME_FILE),
            selection,
            price_table(routing),
            today=datetime.now(UTC).date(),
            by=lines,
            costs=routing.costs,
            reference=reference,
        )
    finally:
        opened.close()


def _routing(config: str | None, settings: list[str] | None) -> RoutingSettings:
    from rag.config import read_rag_settings

    return read_rag_settings(config, overrides=parse_settings(settings or [])).routing


def _by(name: str) -> By:
    from routing.cost.report_rows import By

    for known in get_args(By):
        if name == known:
            return known  # type: ignore[no-any-return]  # get_args loses what it is
    raise InputError(
        f"--by {name}: there are no such lines.",
        hint=nearest(name, get_args(By)) or f"Known: {', '.join(get_args(By))}.",
    )


def _day(text: str | None, option: str) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{option} {text}: this is not a day.", hint="Write it as 2026-11-30.") from error


def _write(target: str, text: str) -> None:
    if target == "-":
        typer.echo(text, nl=False)
        return
    try:
        Path(target).write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise InputError(f"{target} cannot be written: {error.strerror}.") from error
