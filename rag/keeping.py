"""The half of a knowledge base's face that is about documents: bringing them in, proving them, taking them out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator, Iterable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from plumbline.errors import InputError

if TYPE_CHECKING:
    from plumbline.aio import LoopThread
    from rag.config import Parts
    from rag.index.migrate import Moved
    from rag.index.migrate import OnProgress as OnMigrated
    from rag.index.settings import StoreSettings
    from rag.ingest.item import Source
    from rag.ingest.report import IngestReport, OnProgress
    from rag.ingest.verify import Verification
    from rag.types import Document


class Keeping:
    """What `RAG` inherits: every verb exists once, as a coroutine, and the plain name runs it."""

    if TYPE_CHECKING:  # what `RAG` gives
        _loop: LoopThread

        @property
        def parts(self) -> Parts:
            """What the knowledge base is made of."""
            ...

    def ingest(
        self,
        target: str | Path | Iterable[Document] | Source,
        *,
        afresh: bool = False,
        rehash: bool = False,
        keep_missing: bool = False,
        allow_empty: bool = False,
        dry_run: bool = False,
        labels: Mapping[str, object] | None = None,
        on_progress: OnProgress | None = None,
    ) -> IngestReport:
        """Ingest documents; see `aingest`."""
        _ = self.parts
        return self._loop.run(
            self.aingest(
                target,
                afresh=afresh,
                rehash=rehash,
                keep_missing=keep_missing,
                allow_empty=allow_empty,
                dry_run=dry_run,
                labels=labels,
                on_progress=on_progress,
            )
        )

    async def aingest(
        self,
        target: str | Path | Iterable[Document] | Source,
        *,
        afresh: bool = False,
        rehash: bool = False,
        keep_missing: bool = False,
        allow_empty: bool = False,
        dry_run: bool = False,
        labels: Mapping[str, object] | None = None,
        on_progress: OnProgress | None = None,
    ) -> IngestReport:
        """Bring the knowledge base in step with `target`: what is unchanged since last time is left alone.

        `target` is a folder, a file, a pattern such as "docs/**/*.md", a URL (http, or with the extra `remote` s3://,
        gs:// …), a list of URLs in a file "….urls", documents, or any `Source`. A file that cannot be read is reported
        and stops nothing. `afresh` reads every file again, `rehash` trusts no time stamp; `keep_missing` keeps
        documents whose files are gone; `allow_empty` says that a target which is gone, or empty, is meant to be so.
        `dry_run` changes and spends nothing: the report tells what would be done, and its usage and cost are what that
        would use. `labels` become metadata of every document of the target, to filter by (`tenant` and `groups`: whom
        they are for), and stay said of it until others are given (empty: none); those of documents belong to the
        documents of that call. When chunker, tokenizer or embedder are
        not those it was built with, it is built anew beside the old index, from what is stored, and changes over at
        once. Raises `InputError` when there is nothing to ingest, `StateError` when storing fails, `ModelError` when
        embedding does; everything stored by then stays.
        """
        from rag.config import build_ingestor
        from rag.ingest.item import Source
        from rag.ingest.labels import checked
        from rag.ingest.source.pick import source_for
        from rag.ingest.sync import How

        ingestor = build_ingestor(self.parts)
        how = How(
            afresh=afresh,
            rehash=rehash,
            keep_missing=keep_missing,
            allow_empty=allow_empty,
            labels=None if labels is None else checked(labels),
        )
        source = target if isinstance(target, Source) else await asyncio.to_thread(source_for, target, how.labels)
        if dry_run:
            return await ingestor.rehearse(source, how, on_progress=on_progress)
        return await ingestor.run(source, how, on_progress=on_progress)

    def watch(
        self, target: str | Path, *, keep_missing: bool = False, labels: Mapping[str, object] | None = None
    ) -> Generator[IngestReport, None, None]:
        """Ingest a folder or file again and again; see `awatch`."""
        _ = self.parts
        return self._loop.iterate(self.awatch(target, keep_missing=keep_missing, labels=labels))

    async def awatch(
        self, target: str | Path, *, keep_missing: bool = False, labels: Mapping[str, object] | None = None
    ) -> AsyncGenerator[IngestReport, None]:
        """Ingest now and whenever something in the folder or file `target` changes, until closed (extra `watch`).

        Raises as `aingest`; a folder that is empty or gone for a while is waited for.
        """
        from rag.ingest.watch import changes

        async with aclosing(changes(Path(target), ignored=[self.parts.path, self.parts.home.path])) as found:
            async for _ in found:
                try:
                    yield await self.aingest(target, keep_missing=keep_missing, labels=labels)
                except InputError:
                    continue

    def verify(self, *, repair: bool = True, rehash: bool = False) -> Verification:
        """Prove that the knowledge base is complete; see `averify`."""
        _ = self.parts
        return self._loop.run(self.averify(repair=repair, rehash=rehash))

    async def averify(self, *, repair: bool = True, rehash: bool = False) -> Verification:
        """Check that every document of every source is indexed, every chunk is its span, has its vector and postings.

        With `repair` what is amiss is put right, as an ingestion would, and checked again. `rehash` trusts no time
        stamp of a file. Raises as `aingest`.
        """
        from rag.config import build_ingestor
        from rag.ingest.verify import Verifier

        return await Verifier(build_ingestor(self.parts)).run(repair=repair, rehash=rehash)

    def migrate(self, target: StoreSettings, *, on_progress: OnMigrated | None = None) -> dict[int, Moved]:
        """Copy the index to another store; see `amigrate`."""
        _ = self.parts
        return self._loop.run(self.amigrate(target, on_progress=on_progress))

    async def amigrate(self, target: StoreSettings, *, on_progress: OnMigrated | None = None) -> dict[int, Moved]:
        """Copy the index to the store that `target` names, and prove that both are equal; see `rag.index.migrate`.

        What is searched stays as it is until the configuration names the other store. Run again, it goes on where it
        was interrupted. Raises `InputError` when it is there already, `ConfigError`, `StateError`.
        """
        from rag.index.migrate_base import migrate_base

        return await migrate_base(self.parts, target, on_progress=on_progress)

    def export(self, file: TextIO) -> None:
        """Write everything that is stored as lines of JSON; see `rag.index.export`."""
        from rag.index.export import exported

        parts = self.parts

        async def write() -> None:
            async for line in exported(parts.catalogue, parts.live):
                file.write(line)

        self._loop.run(write())

    def remove(self, document_id: str) -> bool:
        """Remove a document; see `aremove`."""
        _ = self.parts
        return self._loop.run(self.aremove(document_id))

    async def aremove(self, document_id: str) -> bool:
        """Remove a document from the knowledge base, or return false when there is none with this id.

        One that came out of an archive or an e-mail goes with all that its file gave.
        Its file is left alone, so that the next ingestion of its folder brings it back while the file is there.
        """
        from rag.config import build_ingestor

        parts = self.parts
        found = parts.catalogue.documents(document_id)
        for row in found:
            await build_ingestor(parts).remove(row["file"])
        return bool(found)
