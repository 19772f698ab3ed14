"""The command that says who would answer: route."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rag.options import (
    AsJson,
    Config,
    HomeFolder,
    Language,
    Latency,
    Local,
    Model,
    Set,
    Task,
    console,
    parse_settings,
    wants,
)

if TYPE_CHECKING:
    from rich.console import Console

    from rag.route import Route

_SAYS = {"rate_limited": "rate-limited", "too_long": "too long", "content_filter": "filtered", "too_slow": "too slow"}


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command()(route)


def route(
    question: Annotated[str, typer.Argument(help="What would be asked.")],
    explain: Annotated[
        bool, typer.Option("--explain", help="Show every model, why it may not answer, its price, and the fallbacks.")
    ] = False,
    tenant: Annotated[str | None, typer.Option("--tenant", help="Whose question it is.")] = None,
    purpose: Annotated[str, typer.Option("--purpose", help="What the call is for.")] = "answer",
    model: Model = None,
    local: Local = False,
    latency: Latency = None,
    task: Task = None,
    language: Language = None,
    tokens: Annotated[
        int | None, typer.Option("--tokens", min=0, help="Length of the whole prompt (default: estimated).")
    ] = None,
    config: Config = None,
    home: HomeFolder = None,
    settings: Set = None,
    as_json: AsJson = False,
) -> None:
    """Say which model would answer a question, and why, without asking any."""
    from rag.config import HOME_FILE, home_folder, read_rag_settings
    from rag.route import RouteOutput
    from rag.route import route as find
    from routing.chat import Tags

    wanted = wants(model, latency, local, task, language)
    overrides = {**parse_settings(settings or []), **({} if model is None else {"generation.model": model})}
    found = find(
        question,
        read_rag_settings(config, overrides=overrides),
        tags=Tags(purpose, tenant),
        wants=wanted,
        tokens=tokens,
        home=home_folder(home) / HOME_FILE,
    )
    if as_json:
        typer.echo(RouteOutput.of(found, explain=explain).model_dump_json(indent=2))
        return
    show(console(), found, explain=explain)


def show(console: Console, found: Route, *, explain: bool) -> None:
    """Print who answers and why; with `explain` everything that was weighed."""
    from rag.show import styled

    plan = found.plan
    console.print(styled(plan.models[0], "bold"), styled(f"  {plan.reason}"), sep="")
    if not explain:
        return
    console.print(
        styled(f"{found.input_tokens:,} tokens in ({found.counted}), at most {found.output_tokens:,} out", "dim")
    )
    console.print()
    _show_models(console, found)
    console.print()
    _show_fallbacks(console, found)


def _show_models(console: Console, found: Route) -> None:
    from rich.table import Table

    from rag.plain import money
    from rag.show import styled

    considered = found.plan.considered
    typical = any(each.typical is not None for each in considered)
    table = Table(box=None, pad_edge=False)
    table.add_column("model", overflow="fold")
    table.add_column("at most", justify="right", no_wrap=True)
    if typical:
        table.add_column("as a rule", justify="right", no_wrap=True)
    table.add_column("may answer", overflow="fold")
    for each in considered:
        costs = [money(each.most), *([_typical(each.typical)] if typical else [])]
        verdict = styled("yes", "green") if each.why_not is None else styled(f"no: {each.why_not}", "yellow")
        table.add_row(styled(each.model), *costs, verdict)
    console.print(table)


def _show_fallbacks(console: Console, found: Route) -> None:
    from rich.table import Table

    from rag.show import styled

    reasons: dict[tuple[str, ...], list[str]] = {}
    for reason, names in found.fallbacks.items():
        reasons.setdefault(names, []).append(_SAYS.get(reason, reason))
    table = Table(box=None, pad_edge=False)
    table.add_column("when it cannot", overflow="fold")
    table.add_column("next", overflow="fold")
    for names, why in reasons.items():
        table.add_row(styled(", ".join(why)), styled(", then ".join(names) or "nobody: the error is raised"))
    console.print(table)


def _typical(cost: object) -> str:
    from decimal import Decimal

    from rag.plain import money

    return money(cost) if isinstance(cost, Decimal) else "not known"
