"""Imports optional packages at their first use, with an error that names the extra to install."""

from __future__ import annotations

import importlib
from typing import Any

from plumbline.errors import MissingExtraError


def require(module: str, extra: str) -> Any:
    """The imported `module`; raises `MissingExtraError` when it, or what it needs, is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or module, extra) from error
