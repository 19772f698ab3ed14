"""The commands of the evals floor: `rag eval` of a suite, retrieval or chunking, `rag fit fusion`, `rag bench cost`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evals import commands, retrieval_fit_command
from evals.cost import commands as cost_commands

if TYPE_CHECKING:
    import typer


def register(app: typer.Typer) -> None:
    """Add this floor's commands."""
    commands.register(app)
    retrieval_fit_command.register(app)
    cost_commands.register(app)
