"""The command `rag`: assembled from the floors' own command modules.

They are found by name, so that nothing low imports anything high.

Exit codes: 0 done; 1 an error of no other kind; 2 wrong arguments, configuration or input; 3 stored state (damaged,
newer, disk full); 4 a call to a model failed; 5 the ingestion ended and some files could not be read; 130 interrupted.
"""

from __future__ import annotations

import importlib
import io
import json
import sys
from typing import TYPE_CHECKING

from plumbline.errors import ConfigError, InputError, MissingExtraError, PlumblineError, StateError
from plumbline.text.printable import printable

if TYPE_CHECKING:
    import typer

COMMAND_MODULES = (
    "rag.cli",
    "rag.route_command",
    "rag.ingest.commands",
    "rag.ingest.chunk.command",
    "rag.ingest.quality.command",
    "rag.index.migrate_command",
    "rag.serve.commands",
    "rag.cost_commands",
    "rag.batch_command",
    "evals.cli",
)

EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_STATE = 3
EXIT_MODEL = 4
EXIT_FILES_FAILED = 5
EXIT_INTERRUPTED = 130


def build_app() -> typer.Typer:
    """The application with the commands of every floor."""
    import typer

    app = typer.Typer(
        name="rag",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for module in COMMAND_MODULES:
        importlib.import_module(module).register(app)
    return app


def main() -> None:
    """Entry point of the command `rag`."""
    wants_json = "--json" in sys.argv
    _write_whatever_comes()
    try:
        build_app()(prog_name="rag")
    except PlumblineError as error:
        _report(error, wants_json)
        sys.exit(exit_code(error))


def exit_code(error: PlumblineError) -> int:
    """The exit code for an error, by its class."""
    if isinstance(error, StateError):
        return EXIT_STATE
    if isinstance(error, ConfigError | InputError | MissingExtraError):
        return EXIT_USAGE
    return getattr(type(error), "exit_code", EXIT_ERROR)


def _write_whatever_comes() -> None:
    """A character the terminal's encoding lacks becomes "?", instead of an error halfway through an answer."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _report(error: PlumblineError, wants_json: bool) -> None:
    if wants_json:
        problem = {"type": type(error).__name__, "message": error.message, "hint": error.hint}
        sys.stderr.write(json.dumps({"error": problem}, ensure_ascii=False) + "\n")
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True)
    console.print(Text.assemble(("error: ", "bold red"), printable(error.message)))
    if error.hint:
        console.print(Text(f"       {printable(error.hint)}", style="dim"))


if __name__ == "__main__":
    main()
