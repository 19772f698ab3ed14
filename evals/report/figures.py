"""Plots by matplotlib, without its global state: one figure becomes a PNG file and the inline SVG of a page."""

from __future__ import annotations

import io
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from plumbline.extras import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#5b6470"  # of text; in a page it becomes the colour of the text around the figure
FAINT = "#9aa3ad55"
SERIES = ("#3b6fb6", "#c2701f", "#3d8f5f", "#a2478c", "#7a6ad8", "#8b7d1f", "#1f8b8b", "#b64a4a")


def new_figure(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure of `width` by `height` inches with one pair of axes in the house's style."""
    require("matplotlib", "eval")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.set_facecolor("none")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.tick_params(colors=INK, labelsize=9)
    axes.grid(visible=True, color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    for label in (axes.xaxis.label, axes.yaxis.label, axes.title):
        label.set_color(INK)
        label.set_fontsize(10)
    return figure, axes


def as_svg(figure: Figure) -> str:
    """The figure as an `<svg>` element to stand in a page: transparent, as wide as its column, text as text.

    What is drawn in `INK` takes the colour of the text around it, so that it can be read in the dark as well.
    """
    import matplotlib as mpl

    written = io.StringIO()
    with (
        mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "plumbline", "font.family": "sans-serif"}),
        warnings.catch_warnings(),
    ):
        # Text stays text: the reader's browser has the letters that matplotlib's font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = written.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    return re.sub(r'(?<=\s)(?:width|height)="[^"]*pt" ?', "", svg, count=2)


def write_png(figure: Figure, path: Path) -> None:
    """The figure as a PNG of 160 dots per inch on white."""
    figure.savefig(path, format="png", dpi=160, facecolor="white")
