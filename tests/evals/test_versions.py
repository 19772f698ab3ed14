from __future__ import annotations

from pathlib import Path

import pytest

from evals.versions import code_hash, running_code


def test_the_hash_of_the_code_changes_with_any_of_its_files_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "a_package_of_ours"
    (package / "room").mkdir(parents=True)
    for name in ("__init__.py", "room/__init__.py", "room/chat.py"):
        (package / name).write_text("", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    before = code_hash([package.name])
    (package / "room" / "chat.cpython.pyc").write_bytes(b"compiled")
    assert code_hash([package.name]) == before
    (package / "room" / "chat.py").write_text("HEAT = 1", encoding="utf-8")
    changed = code_hash([package.name])
    assert changed != before
    (package / "room" / "chat.py").rename(package / "room" / "talk.py")
    assert code_hash([package.name]) not in {before, changed}
    assert len({running_code(), code_hash(["plumbline"]), code_hash(["rag"])}) == 3
