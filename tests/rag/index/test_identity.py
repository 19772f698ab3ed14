from __future__ import annotations

from pathlib import Path

import pytest

from plumbline.database import open_database
from rag.errors import StoreError
from rag.index.identity import identity, identity_component, refuse_others


def test_a_knowledge_base_keeps_its_name(tmp_path: Path) -> None:
    names = []
    for file in (tmp_path / "a.db", tmp_path / "a.db", tmp_path / "b.db"):
        engine = open_database(file, [identity_component()])
        names += [identity(engine, file), identity(engine, file)]
        engine.dispose()
    assert len({*names[:4]}) == 1
    assert names[4] != names[0]


def test_what_is_anothers_is_refused() -> None:
    refuse_others(None, "a", "The table t")
    refuse_others("a", "a", "The table t")
    refuse_others("a", None, "The table t")
    with pytest.raises(StoreError, match="The table t belongs to another knowledge base"):
        refuse_others("a", "b", "The table t")
