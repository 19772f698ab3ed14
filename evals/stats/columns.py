"""Checks what callers hand in and brings it into arrays. Every error names the argument and the position."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plumbline.errors import InputError

Numbers = ArrayLike
"""Anything that numpy reads as float[n]: a list, a tuple, an array; booleans count as 0 and 1."""

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


def column(values: Numbers, name: str) -> Floats:
    """`values` as float[n]; raises `InputError` when there are none, more than one dimension, or one is not finite."""
    try:
        array: Floats = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be numbers: {error}.") from error
    if array.ndim != 1:
        raise InputError(f"{name} must be one list of numbers; its shape is {array.shape}.")
    if not array.size:
        raise InputError(f"{name} is empty: there is nothing to estimate from.")
    wrong = np.flatnonzero(~np.isfinite(array))
    if wrong.size:
        raise InputError(
            f"{name}[{wrong[0]}] is {array[wrong[0]]}" + (f", and {wrong.size - 1} more." if wrong.size > 1 else "."),
            hint="Decide what a missing value counts as (0, or the row left out) before asking for statistics.",
        )
    return array


def columns_of_one_length(columns: dict[str, Numbers]) -> list[Floats]:
    """Each of the named columns as float[n]; raises `InputError` also when their lengths differ."""
    arrays = [column(values, name) for name, values in columns.items()]
    lengths = {name: len(array) for name, array in zip(columns, arrays, strict=True)}
    same_length(lengths)
    return arrays


def same_length(lengths: dict[str, int]) -> None:
    """Raises `InputError` when the lengths differ, naming them all."""
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise InputError(f"The columns must have one value for each row: {said}.")


def cluster_codes(clusters: Sequence[Hashable] | NDArray[Any], n: int) -> Indices:
    """A number from 0 for each of `n` labels, in the order of appearance; raises `InputError` for a wrong count, NaN.

    `None` is a label like any other.
    """
    same_length({"values": n, "clusters": len(clusters)})
    numbers: dict[Hashable, int] = {}
    codes = np.empty(n, dtype=np.intp)
    for position, label in enumerate(clusters):
        if isinstance(label, float | np.floating) and np.isnan(label):
            raise InputError(f"clusters[{position}] is NaN: every row needs the label of its cluster.")
        codes[position] = numbers.setdefault(label, len(numbers))
    return codes


def check_level(level: float, name: str = "level") -> None:
    """Raises `InputError` unless 0 < level < 1."""
    if not 0 < level < 1:
        raise InputError(f"{name} must be between 0 and 1; {level} was given.")


def check_choice(method: str, known: Sequence[str]) -> None:
    """Raises `InputError` for a method that is none of the known ones."""
    if method not in known:
        raise InputError(f"There is no method '{method}'; there are {', '.join(known)}.")


def check_resamples(resamples: int, level: float) -> None:
    """Raises `InputError` when there are too few resamples to leave one outside on either side."""
    check_level(level)
    needed = int(np.ceil(2 / (1 - level) - 1e-9))
    if resamples < needed:
        raise InputError(f"An interval of level {level} needs at least {needed} resamples; {resamples} were asked for.")
