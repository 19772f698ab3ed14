"""The settings of ingestion."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from plumbline.settings import Settings

MEBIBYTE = 2**20


class LoadingSettings(Settings):
    """How files are read. Every limit is checked before it costs anything, and its error names the key.

    `max_file_bytes` limits a file, `max_unpacked_bytes` all that comes out of one archive or office file, `max_members`
    the files inside one, `max_depth` archives within archives; `max_seconds` and `max_memory_bytes` limit the worker
    process that reads one file (memory: 0 for no limit; Linux only). `workers` is the number of worker processes (0:
    one per core). `engine` "ray" reads on the Ray cluster at `ray_address`: "auto" is the one that runs here or that
    RAY_ADDRESS names, "local" one that is started for the purpose (extra `ray`). `ocr` reads pages without text through
    OCR (extra `ocr`); `pdf_tables` writes tables of a PDF in Markdown, or leaves them as the lines they are; `redact`
    masks secrets, personal data or both before anything is stored or sent; `duplicates` says what becomes of a file
    whose text is already there under another name.
    """

    max_file_bytes: Annotated[int, Field(ge=1)] = 100 * MEBIBYTE
    max_unpacked_bytes: Annotated[int, Field(ge=1)] = 500 * MEBIBYTE
    max_members: Annotated[int, Field(ge=1)] = 10_000
    max_depth: Annotated[int, Field(ge=0, le=10)] = 3
    max_seconds: Annotated[float, Field(gt=0)] = 120.0
    max_memory_bytes: Annotated[int, Field(ge=0)] = 4096 * MEBIBYTE
    workers: Annotated[int, Field(ge=0, le=256)] = 0
    engine: Literal["local", "ray"] = "local"
    ray_address: str = "auto"
    ocr: bool = False
    pdf_tables: Literal["text", "markdown"] = "markdown"
    redact: Literal["none", "secrets", "personal", "all"] = "none"
    duplicates: Literal["keep", "skip"] = "keep"


ChunkerName = Literal["fixed", "recursive", "sentence", "structure", "semantic", "late", "contextual", "parent_child"]


class ChunkingSettings(Settings):
    """`size` and `overlap` are tokens of `tokenizer`; "parent_child" reads spans of at most `parent_size` tokens.

    With `batch` the model that "contextual" asks answers in batches: at half the price, and within a day.
    """

    chunker: ChunkerName = "recursive"
    size: Annotated[int, Field(ge=16, le=8192)] = 512
    overlap: Annotated[int, Field(ge=0)] = 50
    tokenizer: str = "cl100k_base"
    parent_size: Annotated[int, Field(ge=16, le=32_768)] = 1024
    batch: bool = False

    @model_validator(mode="after")
    def _somebody_is_asked(self) -> ChunkingSettings:
        if self.batch and self.chunker != "contextual":
            raise ValueError(
                f"batch: the chunker '{self.chunker}' asks no model to write; only 'contextual' has what batches make "
                "cheaper"
            )
        return self

    @model_validator(mode="after")
    def _overlap_leaves_room(self) -> ChunkingSettings:
        if self.overlap > self.size // 2:
            raise ValueError(
                f"an overlap of {self.overlap} tokens is more than half of the chunk size {self.size}; "
                f"set the overlap too, to {self.size // 2} or less"
            )
        return self
