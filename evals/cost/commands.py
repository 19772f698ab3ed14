"""The command `rag bench cost`."""

from __future__ import annotations

import asyncio
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evals.commands import progress_bar, terminal
from plumbline.cli import EXIT_INTERRUPTED
from plumbline.errors import ConfigError, InputError

if TYPE_CHECKING:
    from evals.cost.settings import ConfigEntry, SuiteSettings

OUT_DEFAULT = Path("bench-cost")
SIMULATED = "simulated/"


def register(app: typer.Typer) -> None:
    """Add the group `bench` with the command `cost`."""
    group = typer.Typer(no_args_is_help=True, help="Benchmarks you can run on your own documents.")
    group.callback()(_group)
    group.command()(cost)
    app.add_typer(group, name="bench")


def _group() -> None:
    """Benchmarks you can run on your own documents."""


def cost(
    suite: Annotated[Path | None, typer.Option("--suite", help="A suite file (see docs/cost.md).")] = None,
    log: Annotated[Path | None, typer.Option("--log", help="A question log as JSONL; needs --docs.")] = None,
    docs: Annotated[Path | None, typer.Option("--docs", help="The documents that the log asks about.")] = None,
    config: Annotated[
        list[str] | None,
        typer.Option("--config", help="A shipped configuration, a YAML file, or simulated/PROFILE. Repeat it."),
    ] = None,
    queries: Annotated[int | None, typer.Option("--queries", min=1, help="How many queries.")] = None,
    budget: Annotated[
        str | None, typer.Option("--budget", metavar="DOLLARS", help="The most that real models may cost in all.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="For the workload and everything drawn.")] = None,
    allow_unpriced: Annotated[
        bool, typer.Option("--allow-unpriced", help="Call real models whose price is unknown.")
    ] = False,
    out: Annotated[Path, typer.Option("--out", help="Folder for the report; run again, it goes on.")] = OUT_DEFAULT,
    afresh: Annotated[bool, typer.Option("--afresh", help="Forget what is in that folder and start over.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON (see docs/cost.md).")] = False,
) -> None:
    """Replay questions through several configurations: what does a query cost, and a right answer?"""
    from evals.cost.output import CostOutput
    from evals.cost.replay import replay, start_over
    from evals.cost.report import write_report
    from evals.cost.suite import make_suite
    from evals.extra import require_extra

    require_extra()
    flags = {"log": log, "docs": docs, "queries": queries, "budget": _dollars(budget), "seed": seed}
    settings, folder = _settings(suite, flags, config, allow_unpriced=allow_unpriced)
    ready = make_suite(settings, folder)
    if afresh:
        start_over(out)
    try:
        with progress_bar("asking") as on_row:
            run = asyncio.run(replay(ready, out, on_row=on_row))
    except KeyboardInterrupt:
        typer.secho("Interrupted. The rows by now are stored; run the same command again to go on.", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    result = CostOutput.of(run)
    written = write_report(result, run.rows, out)
    if as_json:
        typer.echo(result.model_dump_json(indent=2))
        return
    from evals.cost import show

    console = terminal()
    show.report(console, result)
    for path in written:
        console.print(str(path), style="dim", markup=False)


def _settings(
    suite: Path | None, flags: dict[str, Any], configs: list[str] | None, *, allow_unpriced: bool
) -> tuple[SuiteSettings, Path]:
    """The suite file under the flags, and the folder that its paths are relative to (flags: the working folder's)."""
    from evals.cost.settings import DEFAULT_CONFIGS, SuiteSettings
    from plumbline.settings import read_settings_file

    given = {name: value for name, value in flags.items() if value is not None}
    for name in ("log", "docs"):
        if name in given:
            given[name] = str(Path(given[name]).absolute())
    settings = read_settings_file(SuiteSettings, suite, overrides=given)
    entries = _entries(configs) if configs else settings.configs or DEFAULT_CONFIGS
    if allow_unpriced:
        entries = {name: entry.model_copy(update={"unpriced": True}) for name, entry in entries.items()}
    return settings.model_copy(update={"configs": entries}), suite.parent if suite else Path()


def _entries(configs: list[str]) -> dict[str, ConfigEntry]:
    from evals.cost.settings import ConfigEntry

    entries: dict[str, ConfigEntry] = {}
    for config in configs:
        simulated = config.startswith(SIMULATED)
        file = Path(config).suffix in {".yaml", ".yml"}
        name = Path(config).stem if file else config.removeprefix(SIMULATED)
        if name in entries:
            raise InputError(f"--config {config}: there are two configurations called '{name}'.")
        path = str(Path(config).absolute()) if file else config
        entries[name] = ConfigEntry(simulate=name) if simulated else ConfigEntry(config=path)
    return entries


def _dollars(budget: str | None) -> Decimal | None:
    if budget is None:
        return None
    try:
        dollars = Decimal(budget.removeprefix("$"))
    except InvalidOperation:
        dollars = Decimal("NaN")
    if not dollars.is_finite() or dollars < 0:
        raise ConfigError(f"--budget {budget}: this is no amount of dollars.", key="budget", value=budget)
    return dollars
