"""The native API of documents: list, upload, delete, and the passage around a citation."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from rag.knowledge import RAG
from rag.output import DocumentOutput, IngestOutput, Output
from rag.serve.errors import ConflictError, FieldError, InvalidFieldError, NotFoundError
from rag.serve.host import Host
from rag.serve.ingestions import Ingestion
from rag.serve.multipart import receive_files
from rag.serve.passage import passage_of
from rag.serve.uploads import Uploads

KB = Annotated[str | None, Query(description="A knowledge base's name; without it, the default one.")]

Whole = Annotated[
    bool, Query(description="Remove all documents of the archive or e-mail that this one came out of, with its file.")
]


class DocumentsOutput(Output):
    """The documents of a knowledge base, by name."""

    documents: list[DocumentOutput]


class StartedOutput(Output):
    """The ingestion that an upload started."""

    ingestion: str


class IngestionOutput(Output):
    """How far an ingestion is; `problem` is one of RFC 9457."""

    id: str
    state: Literal["queued", "running", "done", "failed"]
    report: IngestOutput | None
    problem: dict[str, object] | None

    @classmethod
    def of(cls, found: Ingestion) -> IngestionOutput:
        """From an ingestion."""
        return cls(
            id=found.id,
            state=found.state,
            report=IngestOutput.of(found.report) if found.report else None,
            problem=found.problem.document(found.id) if found.problem else None,
        )


class PassageOutput(Output):
    """`quote` is the document's text[start:end], with what stands around it."""

    document: str
    document_id: str
    page: int | None
    section: str | None
    before: str
    quote: str
    after: str
    start: int
    end: int
    characters: int


def routes(host: Host) -> APIRouter:
    """The routes under `/api/` that deal with documents."""
    router = APIRouter(prefix="/api", tags=["documents"])

    @router.get("/documents")
    def documents(kb: KB = None) -> DocumentsOutput:
        """The documents of a knowledge base."""
        rows = host.base(kb).parts.catalogue.documents()
        return DocumentsOutput(documents=[DocumentOutput.of(row) for row in rows])

    @router.post("/documents", status_code=202, response_model=StartedOutput)
    async def upload(request: Request, kb: KB = None) -> StartedOutput:
        """Store files (multipart, field `files`) and begin to ingest them."""
        base, name = host.base(kb), host.default if kb is None else kb
        host.ingestions.require_room()
        uploads = Uploads.of(base.parts.path)
        limits, loading = host.settings.serve, base.parts.settings.loading
        headers = dict(request.headers.raw)
        files = await receive_files(request.receive, headers, uploads, limits, max_file_bytes=loading.max_file_bytes)
        return StartedOutput(ingestion=await host.ingestions.store(name, base, files))

    @router.get("/ingestions/{ingestion_id}")
    async def ingestion(ingestion_id: str) -> IngestionOutput:
        """How far an ingestion is."""
        return IngestionOutput.of(host.ingestions.get(ingestion_id))

    @router.delete("/documents/{document_id}", status_code=204)
    async def delete(document_id: str, kb: KB = None, whole: Whole = False) -> Response:
        """Remove a document; an uploaded one's file too, with all that came out of it."""
        name = host.default if kb is None else kb
        base = host.base(kb)
        async with host.ingestions.lock(name):
            row = _row(base, document_id)
            if not whole:
                await asyncio.to_thread(_require_alone, base, row)
            await asyncio.to_thread(_remove_file, Path(row["file"]), Uploads.of(base.parts.path))
            await base.aremove(document_id)
        return Response(status_code=204)

    @router.get("/documents/{document_id}/passage")
    def passage(
        document_id: str,
        start: Annotated[int, Query(ge=0)],
        end: Annotated[int, Query(ge=0)],
        around: Annotated[int, Query(ge=0, le=20_000)] = 1200,
        kb: KB = None,
    ) -> PassageOutput:
        """A piece of a document with what stands around it; offsets count Unicode code points."""
        return _passage(host.base(kb), document_id, start, end, around)

    return router


def _passage(base: RAG, document_id: str, start: int, end: int, around: int) -> PassageOutput:
    row = _row(base, document_id)
    if not start <= end <= row["characters"]:
        message = f"There is no passage {start} to {end}: '{row['name']}' has {row['characters']} characters."
        raise InvalidFieldError(message, errors=[FieldError("end", message)])
    found = passage_of(base.parts.catalogue, document_id, start, end, around)
    return PassageOutput(
        document=row["name"],
        document_id=document_id,
        page=found.page,
        section=found.section,
        before=found.before,
        quote=found.quote,
        after=found.after,
        start=start,
        end=end,
        characters=row["characters"],
    )


def _require_alone(base: RAG, row: dict[str, Any]) -> None:
    """Raise `ConflictError` when the document's file gave others too, which would go with it."""
    file = row["file"]
    together = sum(other["file"] == file for other in base.parts.catalogue.documents())
    if together > 1:
        raise ConflictError(
            f"'{row['name']}' is one of {together} documents of '{Path(file).name}', which go together.",
            hint="To remove them all, with the file, say whole=true.",
        )


def _remove_file(source: Path, uploads: Uploads) -> None:
    """Remove an uploaded file; raises `ConflictError` for one that was not uploaded and is still there."""
    if uploads.holds(source):
        source.unlink(missing_ok=True)
    elif source.exists():
        raise ConflictError(
            f"'{source}' lies in a folder that is ingested from the shell, which would bring it back.",
            hint="Remove the file, then delete the document or ingest the folder again.",
        )


def _row(base: RAG, document_id: str) -> dict[str, Any]:
    found = base.parts.catalogue.documents(document_id)
    if not found:
        raise NotFoundError(f"There is no document '{document_id}' in this knowledge base.")
    return found[0]
