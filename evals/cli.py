"""The commands of the evals floor: `rag eval SUITE`, `rag eval retrieval`, `rag eval chunking`, `rag bench cost`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evals import commands
from evals.cost import commands as cost_commands

if TYPE_CHECKING:
    import typer


def register(app: typer.Typer) -> None:
    """Add this floor's commands."""
    commands.register(app)
    cost_commands.register(app)
