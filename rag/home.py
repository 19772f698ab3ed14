"""The folder of a user or a server, which knowledge bases share: ledger, budgets, keys and traces."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from plumbline.database import open_database
from plumbline.trace import Tracing
from plumbline.trace import component as traces_component
from routing.batch.store import component as batches_component
from routing.cost.budget_tables import component as budgets_component
from routing.cost.ledger import Ledger
from routing.cost.ledger import component as ledger_component

if TYPE_CHECKING:
    from sqlalchemy import Engine

HOME_FILE = "home.db"
HOME_VARIABLE = "PLUMBLINE_HOME"


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of a user or a server: ledger and traces, in a database of its own."""

    path: Path
    engine: Engine
    ledger: Ledger
    tracing: Tracing

    @property
    def file(self) -> Path:
        """The database."""
        return self.path / HOME_FILE

    def close(self) -> None:
        """Store what is still queued and close the database."""
        self.tracing.close()
        self.ledger.flush()
        self.engine.dispose()


def home_folder(path: str | Path | None = None, *, environ: Mapping[str, str] | None = None) -> Path:
    """Where the home lies: `path`, else $PLUMBLINE_HOME, else ~/.plumbline."""
    environ = os.environ if environ is None else environ
    return Path(path or environ.get(HOME_VARIABLE) or Path.home() / ".plumbline").expanduser()


def open_home(
    path: str | Path | None = None, *, environ: Mapping[str, str] | None = None, record_text: bool = True
) -> Home:
    """Open or create the home; see `home_folder`, and `plumbline.trace.Tracing` for `record_text`."""
    folder = home_folder(path, environ=environ)
    file = folder / HOME_FILE
    engine = open_database(file, [ledger_component(), traces_component(), budgets_component(), batches_component()])
    return Home(folder, engine, Ledger(engine, file), Tracing(engine, record_text=record_text))
