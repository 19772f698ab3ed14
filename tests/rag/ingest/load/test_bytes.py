import os
from pathlib import Path

import pytest

from rag.errors import TooLargeError, UnreadableFileError
from rag.ingest.load.bytes import read_file


def changing(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Let something write to the file during the first `times` reads of it."""
    real = os.fstat
    looks = iter(range(100))

    def look(descriptor: int):
        status = real(descriptor)
        look_number = next(looks)
        if look_number % 2 or look_number >= 2 * times:
            return status
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        path.write_bytes(path.read_bytes() + b" more")
        return status

    monkeypatch.setattr(os, "fstat", look)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="finds the file by its descriptor")
def test_a_file_that_changes_once_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "a.txt"
    path.write_bytes(b"text")
    changing(monkeypatch, 1)
    assert read_file(path, 1000).data == b"text more"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="finds the file by its descriptor")
def test_a_file_that_keeps_changing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "a.txt"
    path.write_bytes(b"text")
    changing(monkeypatch, 2)
    with pytest.raises(UnreadableFileError, match=r"a\.txt.*changes while it is read.*Ingest again"):
        read_file(path, 1000)


def test_a_file_is_read_up_to_the_limit_and_no_further(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * 1000)
    found = read_file(path, 1000)
    assert (len(found.data), found.modified[:4].isdigit()) == (1000, True)
    with pytest.raises(TooLargeError):
        read_file(path, 999)
