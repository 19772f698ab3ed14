"""The settings of ingestion."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from plumbline.settings import Settings

MEBIBYTE = 2**20


class LoadingSettings(Settings):
    """`max_file_bytes`: larger files are refused with an error that names this key."""

    max_file_bytes: Annotated[int, Field(ge=1)] = 100 * MEBIBYTE


class ChunkingSettings(Settings):
    """`size` and `overlap` are tokens of `tokenizer`."""

    chunker: Literal["recursive"] = "recursive"
    size: Annotated[int, Field(ge=16, le=8192)] = 512
    overlap: Annotated[int, Field(ge=0)] = 50
    tokenizer: str = "cl100k_base"

    @model_validator(mode="after")
    def _overlap_leaves_room(self) -> ChunkingSettings:
        if self.overlap > self.size // 2:
            raise ValueError(f"an overlap of {self.overlap} tokens is more than half of the chunk size {self.size}")
        return self
