"""`rag eval`: run a suite, or measure retrieval or chunking alone. Everything heavy is imported when a command runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from plumbline.cli import EXIT_ERROR, EXIT_INTERRUPTED

if TYPE_CHECKING:
    from evals.run import OnRow

OUT_DEFAULT = Path("experiments")
HomeFolder = Annotated[
    Path | None,
    typer.Option("--home", envvar="PLUMBLINE_HOME", help="Folder of ledger, traces and evals (default ~/.plumbline)."),
]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one setting, e.g. retrieval.top_k=20.")
]
Config = Annotated[str | None, typer.Option("--config", help="A shipped configuration or a YAML file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON (see docs/evals.md).")]


class SuiteFirst(TyperGroup):
    """Takes what is no subcommand for the path of a suite: `rag eval suite.yaml` is `rag eval run suite.yaml`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `run` before a path."""
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            args = ["run", *args]
        return super().parse_args(ctx, args)


def register(app: typer.Typer) -> None:
    """Add the group `eval`."""
    group = typer.Typer(cls=SuiteFirst, no_args_is_help=True)
    group.callback()(_group)
    for command in (run, retrieval, chunking):
        group.command()(command)
    app.add_typer(group, name="eval")


def _group() -> None:
    """Evaluate: `rag eval SUITE.yaml`, or retrieval or chunking alone."""


def run(
    suite: Annotated[Path, typer.Argument(help="The suite, a YAML file (see docs/evals.md).")],
    gate: Annotated[
        bool, typer.Option("--gate", help="Exit with 1 when the primary metric is worse than the baseline's.")
    ] = False,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first so many questions.")] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder of the experiments.")] = OUT_DEFAULT,
    afresh: Annotated[bool, typer.Option("--afresh", help="Do not go on with an unfinished experiment.")] = False,
    batch: Annotated[
        bool, typer.Option("--batch", help="Have questions answered in batches: half the price, within a day.")
    ] = False,
    home: HomeFolder = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change the suite, e.g. seed=1.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask every question of a suite of every configuration, and say which is better."""
    from evals.harness import evaluate_suite
    from rag.options import parse_settings

    overrides = parse_settings(settings or []) | ({} if limit is None else {"limit": limit})
    overrides |= {"batch": True} if batch else {}
    try:
        with progress_bar("asking") as on_row:
            output = evaluate_suite(suite, out=out, home=home, overrides=overrides, afresh=afresh, on_row=on_row)
    except KeyboardInterrupt:
        typer.secho("Interrupted. What was answered is stored; run the same command again to go on.", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    if as_json:
        typer.echo(output.model_dump_json(indent=2))
    else:
        from evals import show

        show.result(terminal(), output)
    if gate and not output.gate.passed:
        raise typer.Exit(EXIT_ERROR)


def retrieval(
    folder: Annotated[Path, typer.Argument(help="A data set in BEIR's layout (corpus, queries, qrels), or Cranfield.")],
    split: Annotated[
        str | None, typer.Option("--split", help="Which qrels (default: the only ones there are).")
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", help="ndcg@10, recall@100, mrr, map, precision@5 … Repeat it.")
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first so many queries.")] = None,
    config: Config = None,
    home: HomeFolder = None,
    settings: Set = None,
    as_json: AsJson = False,
) -> None:
    """Measure search: a configuration beside BM25 alone, vectors alone and every fusion of the two."""
    from evals.retrieval import evaluate_retrieval
    from rag.options import parse_settings

    with progress_bar("searching") as on_row:
        output = evaluate_retrieval(
            folder,
            split=split,
            metrics=metric or None,
            limit=limit,
            config=config,
            home=home,
            settings=parse_settings(settings or []),
            on_row=on_row,
        )
    _print(output, as_json=as_json)


def chunking(
    folder: Annotated[Path, typer.Argument(help="Texts NAME.md, each with NAME.questions.jsonl (see docs/evals.md).")],
    top_k: Annotated[int, typer.Option("--top-k", min=1, help="How many chunks are retrieved.")] = 5,
    config: Config = None,
    home: HomeFolder = None,
    settings: Set = None,
    as_json: AsJson = False,
) -> None:
    """Measure chunks: how much of what answers is retrieved, and how much else, in characters."""
    from evals.chunking import evaluate_chunking
    from rag.options import parse_settings

    with progress_bar("searching") as on_row:
        output = evaluate_chunking(
            folder, top_k=top_k, config=config, home=home, settings=parse_settings(settings or []), on_row=on_row
        )
    _print(output, as_json=as_json)


def _print(output: Any, *, as_json: bool) -> None:
    if as_json:
        typer.echo(output.model_dump_json(indent=2))
        return
    from evals import show

    show.search_result(terminal(), output)


@contextmanager
def progress_bar(what: str) -> Iterator[OnRow]:
    """A bar on standard error, where that is a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = terminal(stderr=True)
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def terminal(*, stderr: bool = False) -> Any:
    """A console on standard output or error; an `Any`, for rich is loaded when a command runs."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)
