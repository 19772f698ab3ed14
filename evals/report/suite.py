"""The page of a suite: verdict, scores, differences, plots, and the rows side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evals import show
from evals.dataset import Example
from evals.report.figures import INK, SERIES, as_svg, new_figure
from evals.report.page import render
from evals.result import DifferenceOutput, EvalOutput
from evals.run import Run
from evals.scoring import SHARE, Scores
from plumbline.extras import require

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_ROWS = 2000
"""More rows would make a page that browsers choke on; those on which configurations disagree come first."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What one configuration did with one question: `judged` is the primary metric's value."""

    text: str
    note: str
    judged: str
    style: str


@dataclass(frozen=True, slots=True)
class RowOnPage:
    """A question and what every configuration did with it."""

    example: Example
    cells: tuple[Cell, ...]


def suite_page(run: Run, output: EvalOutput, scores: Scores) -> str:
    """The page, self-contained."""
    markup = require("markupsafe", "eval").Markup
    configs = list(output.configs)
    rows = _rows(run, scores, configs)
    by_metric: dict[str, list[object]] = {}
    for score in output.scores:
        by_metric.setdefault(score.metric, []).append(score)
    plots = [figure for figure in (primary_figure(output), differences_figure(output)) if figure is not None]
    return render(
        "suite.html",
        output=output,
        configs=configs,
        by_metric=by_metric,
        show=show,
        figures=[markup(as_svg(figure)) for figure in plots],
        rows=rows[:MOST_ROWS],
        left_out=max(len(rows) - MOST_ROWS, 0),
    )


def primary_figure(output: EvalOutput) -> Figure | None:
    """The primary metric of every configuration with its interval."""
    scores = [score for score in output.scores if score.metric == output.primary and score.interval is not None]
    points = [(score.config, score.interval) for score in scores if score.interval is not None]
    if not points:
        return None
    figure, axes = new_figure(7.5, 0.9 + 0.42 * len(points))
    for place, (config, interval) in enumerate(reversed(points)):
        low = interval.estimate if interval.low is None else interval.low
        high = interval.estimate if interval.high is None else interval.high
        colour = INK if config == output.baseline else SERIES[0]
        axes.plot([low, high], [place, place], color=colour, linewidth=2)
        axes.plot([interval.estimate], [place], "o", color=colour, markersize=7)
    axes.set_yticks(range(len(points)), [config for config, _ in reversed(points)])
    axes.set_ylim(-0.6, len(points) - 0.4)
    axes.set_xlabel(output.primary)
    return figure


def differences_figure(output: EvalOutput) -> Figure | None:
    """The differences to the baseline on every metric that is a share, a row each."""
    shares = {score.metric for score in output.scores if score.unit == SHARE}
    points = [found for found in output.differences if found.metric in shares]
    if not points:
        return None
    figure, axes = new_figure(7.5, 1.0 + 0.34 * len(points))
    axes.axvline(0, color=INK, linewidth=1)
    configs = list(dict.fromkeys(found.config for found in points))
    for place, found in enumerate(reversed(points)):
        colour = SERIES[configs.index(found.config) % len(SERIES)]
        axes.plot([*_ends(found)], [place, place], color=colour, linewidth=2)
        axes.plot([found.interval.estimate], [place], "o", color=colour, markersize=6)
    axes.set_yticks(range(len(points)), [f"{found.config} · {found.metric}" for found in reversed(points)])
    axes.set_ylim(-0.6, len(points) - 0.4)
    axes.set_xlabel(f"difference to {output.baseline}")
    return figure


def _ends(found: DifferenceOutput) -> tuple[float, float]:
    interval = found.interval
    low = interval.estimate if interval.low is None else interval.low
    return low, interval.estimate if interval.high is None else interval.high


def _rows(run: Run, scores: Scores, configs: Sequence[str]) -> list[RowOnPage]:
    """Every question; first those on which the configurations disagree."""
    primary = run.suite.primary
    rows = []
    for example in run.dataset.examples:
        values = [scores.cells[config, primary][example.id] for config in configs]
        cells = [_cell(run, config, example, value) for config, value in zip(configs, values, strict=True)]
        rows.append((len(set(values)) == 1, RowOnPage(example, tuple(cells))))
    return [row for _, row in sorted(rows, key=lambda pair: pair[0])]


def _cell(run: Run, config: str, example: Example, value: float | None) -> Cell:
    outcome = run.experiment.outcomes[config, example.id]
    judged = "" if value is None else show.number(value).removesuffix(".000")
    share = next(metric.unit for metric in run.suite.metrics if metric.name == run.suite.primary) == SHARE
    style = "" if value is None or not share else "good" if value >= 0.5 else "bad"
    if outcome.answer is None:
        return Cell(outcome.error or "", "failed", judged, "bad")
    answer = outcome.answer
    notes = ["refused"] if answer.refused else []
    notes += [citation.document + (f", page {citation.page}" if citation.page else "") for citation in answer.citations]
    return Cell(answer.text, " · ".join(dict.fromkeys(notes)), judged, style)
