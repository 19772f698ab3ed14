"""Puts the labels of a plot where they cover as little as possible."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Point = tuple[float, float]
_OFFSETS = tuple(product(("left", "right"), (7, -16, 22, -31, 37, -46, 52, -61)))  # side, points up
_AWAY = 9  # points to the side
_STEPS = 300
_NEVER = 1000  # weighs more than any number of covered points


def place_labels(figure: Figure, labels: Sequence[Any], lines: Sequence[tuple[Point, Point]]) -> None:
    """Move each annotation around its point to where it covers no label, stays inside and hides least of the lines.

    `lines` are given by their ends in the coordinates of the data.
    """
    if not labels:
        return
    import numpy as np

    figure.draw_without_rendering()  # lays everything out
    axes = labels[0].axes
    ends = np.asarray(lines, float).reshape(-1, 2, 2)
    shown = axes.transData.transform(ends.reshape(-1, 2)).reshape(-1, 2, 2)
    steps = np.linspace(0, 1, _STEPS)[:, None, None]
    covered = (shown[:, 0] + steps * (shown[:, 1] - shown[:, 0])).reshape(-1, 2)
    taken: list[Any] = []
    for label in labels:
        harms = [
            (_harm(_moved(label, offset), axes.bbox, covered, taken) + abs(offset[1]) / 8, offset)
            for offset in _OFFSETS
        ]
        taken.append(_moved(label, min(harms, key=lambda harm: harm[0])[1]))


def _moved(label: Any, offset: tuple[str, int]) -> Any:
    """The box of the label after it was moved there."""
    side, up = offset
    label.set_horizontalalignment(side)
    label.xyann = (_AWAY if side == "left" else -_AWAY, up)
    return label.get_window_extent()


def _harm(box: Any, inside: Any, covered: Any, taken: Sequence[Any]) -> float:
    outside = not (inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0 and box.y1 <= inside.y1)
    overlaps = sum(box.overlaps(other) for other in taken)
    hidden = box.padded(2).count_contains(covered)
    return float(hidden + _NEVER * (overlaps + outside))
