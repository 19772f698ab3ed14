"""The plot of price against quality: a point with error bars both ways for each configuration, the best ones joined."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from evals.cost.labels import place_labels
from evals.cost.output import ConfigOutput, CostOutput
from evals.interval import IntervalOutput
from evals.report.figures import INK, SERIES, new_figure
from plumbline.text.printable import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 8.0, 4.8  # inches
WIDEST_RATIO = 30
"""Where prices differ by more than this, the axis is logarithmic."""


def cost_quality(result: CostOutput) -> Figure | None:
    """The figure, or `None` when no configuration has both a known price and judged answers."""
    points = [
        (config, price, right)
        for config in result.configs
        if (price := config.dollars_per_1000_queries) is not None and (right := config.correct) is not None
    ]
    if not points:
        return None
    figure, axes = new_figure(WIDTH, HEIGHT)
    _axes(axes, [price.estimate for _, price, _ in points])
    front = sorted((price.estimate, right.estimate) for config, price, right in points if config.pareto)
    axes.plot(*zip(*front, strict=True), color=SERIES[0], linewidth=1.5, linestyle=(0, (4, 3)), zorder=1)
    for config, price, right in points:
        _point(axes, config, price, right)
    if any(config.simulated for config, _, _ in points):
        axes.plot([], [], "o", markerfacecolor="none", markeredgewidth=2, color=INK, label="simulated, quality assumed")
        axes.legend(loc="lower right", frameon=False, labelcolor=INK, fontsize=9)
    lines = [
        ((price.estimate, low), (price.estimate, high)) for _, price, right in points for low, high in [_ends(right)]
    ]
    lines += [
        ((low, right.estimate), (high, right.estimate)) for _, price, right in points for low, high in [_ends(price)]
    ]
    place_labels(figure, [_label(axes, *point) for point in points], [*lines, *pairwise(front)])
    return figure


def _axes(axes: Any, prices: list[float]) -> None:
    above = [price for price in prices if price > 0]
    if above and max(above) > WIDEST_RATIO * min(above):
        axes.set_xscale("symlog", linthresh=min(above) / 2)
        axes.set_xlim(-min(above) / 6 if min(prices) == 0 else min(above) / 2, max(above) * 4)
    axes.set_xlabel("dollars per 1,000 queries")
    axes.set_ylabel("right answers")
    axes.xaxis.set_major_formatter(lambda price, _: f"{price:g}")
    axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.set_ylim(-0.03, 1.08)
    axes.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    axes.margins(x=0.18)


def _point(axes: Any, config: ConfigOutput, price: IntervalOutput, right: IntervalOutput) -> None:
    colour = SERIES[0] if config.pareto else INK
    axes.errorbar(
        price.estimate,
        right.estimate,
        xerr=_reach(price),
        yerr=_reach(right),
        fmt="o",
        markersize=8,
        markerfacecolor="none" if config.simulated else colour,
        markeredgewidth=2,
        color=colour,
        elinewidth=1.2,
        capsize=3,
        zorder=2,
    )


def _label(axes: Any, config: ConfigOutput, price: IntervalOutput, right: IntervalOutput) -> Any:
    return axes.annotate(
        printable(config.config).replace("$", r"\$"),
        (price.estimate, right.estimate),
        xytext=(9, 7),
        textcoords="offset points",
        fontsize=10,
        color=INK,
        zorder=3,
        annotation_clip=False,
    )


def _ends(interval: IntervalOutput) -> tuple[float, float]:
    """Where the bars end; an end without a bound has none."""
    low = interval.estimate if interval.low is None else interval.low
    return low, interval.estimate if interval.high is None else interval.high


def _reach(interval: IntervalOutput) -> list[list[float]]:
    """How far the bars go, [[down], [up]]."""
    low, high = _ends(interval)
    return [[max(interval.estimate - low, 0.0)], [max(high - interval.estimate, 0.0)]]
