"""The command `rag fit fusion`. Everything heavy is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evals.commands import AsJson, Config, HomeFolder, Set, progress_bar, terminal

if TYPE_CHECKING:
    from evals.retrieval_fit import FitOutput


def register(app: typer.Typer) -> None:
    """Add the group `fit` with the command `fusion`."""
    group = typer.Typer(no_args_is_help=True)
    group.callback()(_group)
    group.command()(fusion)
    app.add_typer(group, name="fit")


def _group() -> None:
    """Fit to your own labelled questions, with a certificate."""


def fusion(
    data: Annotated[Path, typer.Argument(help="Labelled questions: a JSONL file, or a folder in BEIR's layout.")],
    kb: Annotated[
        Path | None, typer.Option("--kb", help="The knowledge base they are about (BEIR: one made of its corpus).")
    ] = None,
    split: Annotated[str | None, typer.Option("--split", help="Which qrels of a BEIR folder.")] = None,
    metric: Annotated[str | None, typer.Option("--metric", help="What to fit for (default: ndcg@10).")] = None,
    delta: Annotated[float, typer.Option("--delta", help="How often a certificate may be wrong.")] = 0.05,
    margin: Annotated[float, typer.Option("--margin", help="How much worse than the better half is allowed.")] = 0.01,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first so many questions.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="For what is fitted on, the folds and the bootstrap.")] = 0,
    config: Config = None,
    home: HomeFolder = None,
    settings: Set = None,
    as_json: AsJson = False,
) -> None:
    """Learn how to fuse lexical and dense search, and certify on held-out questions that it is no worse than either."""
    from evals.retrieval_fit import fit_fusion
    from rag.options import parse_settings

    with progress_bar("searching") as on_row:
        output = fit_fusion(
            data,
            kb=kb,
            split=split,
            metric=metric,
            delta=delta,
            margin=margin,
            limit=limit,
            seed=seed,
            config=config,
            settings=parse_settings(settings or []),
            home=home,
            on_row=on_row,
        )
    if as_json:
        typer.echo(output.model_dump_json(indent=2))
    else:
        _show(terminal(), output)


def _show(console: Any, output: FitOutput) -> None:
    from evals.show import interval
    from plumbline.text.printable import printable

    def line(text: str, style: str | None = None) -> None:
        console.print(printable(text), style=style, markup=False)

    artifact, certificate = output.artifact, output.artifact.certificate
    line(f"{artifact.fitted.data}: {output.questions:,} questions, {artifact.fitted.questions:,} of them fitted on")
    weights = "  ".join(f"{name} {weight:.3f}" for name, weight in artifact.weights.items())
    line(f"weights: {weights}  neighbours {artifact.neighbours:.1f}")
    line(f"{certificate.metric}, cross-validated: {interval(output.cross_validated)}")
    values = "  ".join(f"{way} {value:.4f}" for way, value in certificate.values.items())
    line(f"{certificate.metric} of {certificate.questions:,} held-out questions: {values}")
    for each in certificate.comparisons:
        line(f"  {each.way} against {each.against}: {each.difference:+.4f}, at least {each.low:+.4f}")
    sure = f"at most {certificate.margin:g} worse than the better half, with an error of {certificate.delta:.0%}"
    doubt = "nothing is certified; label more questions, or keep retrieval.fusion weighted"
    line(f"certified: {certificate.use}, {sure}" if certificate.certified else doubt, "bold")
    line(f"retrieval.fusion learned now means: {certificate.use} ({output.path})")
    for note in output.notes:
        line(f"not read: {note}", "yellow")
