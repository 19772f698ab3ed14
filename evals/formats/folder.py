"""Unpacks documents that a data set holds in one file into a folder of text files, written once."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from plumbline.database import storage_errors


def corpus_folder(texts: Mapping[str, str], folder: Path) -> Path:
    """The folder below `folder` that holds these texts, by file name; its own name is their hash.

    It appears whole or not at all, also when several processes make it. Raises `StorageError`.
    """
    key = hashlib.sha256(json.dumps(sorted(texts.items())).encode()).hexdigest()[:16]
    corpus = folder / f"corpus-{key}"
    if corpus.exists():
        return corpus
    scratch = folder / f".corpus-{key}-{os.getpid()}"
    with storage_errors(folder):
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        for name, text in texts.items():
            (scratch / name).write_text(text, encoding="utf-8", newline="")
        try:
            scratch.rename(corpus)
        except OSError:
            if not corpus.exists():  # otherwise another process was first
                raise
            shutil.rmtree(scratch)
    return corpus
