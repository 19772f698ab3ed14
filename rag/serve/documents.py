"""The native API of documents: list, upload, delete, and the passage around a citation."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from rag.knowledge import RAG
from rag.output import DocumentOutput, IngestOutput, Output
from rag.retrieve.access import Access
from rag.serve.audience import audience_of, may_remove, may_see
from rag.serve.errors import ConflictError, FieldError, ForbiddenError, InvalidFieldError, NotFoundError
from rag.serve.host import Host
from rag.serve.ingestions import Ingestion
from rag.serve.multipart import receive_files
from rag.serve.passage import passage_of
from rag.serve.uploads import Uploads

KB = Annotated[str | None, Query(description="A knowledge base's name; without it, the default one.")]

Whole = Annotated[
    bool, Query(description="Remove all documents of the archive or e-mail that this one came out of, with its file.")
]


Groups = Annotated[
    list[str] | None,
    Query(description="For these groups of the key's alone; without, for its tenant, or else everybody."),
]


class DocumentsOutput(Output):
    """The documents of a knowledge base that may be seen, by name."""

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
    def documents(request: Request, kb: KB = None) -> DocumentsOutput:
        """The documents of a knowledge base that may be seen."""
        access = request.state.access
        rows = [row for row in host.base(kb).parts.catalogue.documents() if may_see(access, row)]
        return DocumentsOutput(documents=[DocumentOutput.of(row) for row in rows])

    @router.post("/documents", status_code=202, response_model=StartedOutput)
    async def upload(request: Request, kb: KB = None, group: Groups = None) -> StartedOutput:
        """Store files (multipart, field `files`) and begin to ingest them."""
        base, name = host.base(kb), host.default if kb is None else kb
        host.ingestions.require_room()
        uploads = Uploads.of(base.parts.path, audience_of(request.state.access, group or ()))
        limits, loading = host.settings.serve, base.parts.settings.loading
        headers = dict(request.headers.raw)
        files = await receive_files(request.receive, headers, uploads, limits, max_file_bytes=loading.max_file_bytes)
        return StartedOutput(ingestion=await host.ingestions.store(name, base, uploads, files))

    @router.get("/ingestions/{ingestion_id}")
    async def ingestion(request: Request, ingestion_id: str) -> IngestionOutput:
        """How far an ingestion is."""
        return IngestionOutput.of(host.ingestions.get(ingestion_id, request.state.access))

    @router.delete("/documents/{document_id}", status_code=204)
    async def delete(request: Request, document_id: str, kb: KB = None, whole: Whole = False) -> Response:
        """Remove a document; an uploaded one's file too, with all that came out of it."""
        name = host.default if kb is None else kb
        base = host.base(kb)
        async with host.ingestions.lock(name):
            row = _row(base, document_id, request.state.access)
            together = await asyncio.to_thread(lambda: base.parts.catalogue.documents(file=row["file"]))
            _require_own(row, together, request.state.access)
            if not whole:
                _require_alone(together, row)
            await asyncio.to_thread(_remove_file, base, Path(row["file"]))
            await base.aremove(document_id)
        return Response(status_code=204)

    @router.get("/documents/{document_id}/passage")
    def passage(
        request: Request,
        document_id: str,
        start: Annotated[int, Query(ge=0)],
        end: Annotated[int, Query(ge=0)],
        around: Annotated[int, Query(ge=0, le=20_000)] = 1200,
        kb: KB = None,
    ) -> PassageOutput:
        """A piece of a document with what stands around it; offsets count Unicode code points."""
        base = host.base(kb)
        return _passage(base, _row(base, document_id, request.state.access), start, end, around)

    return router


def _passage(base: RAG, row: dict[str, Any], start: int, end: int, around: int) -> PassageOutput:
    if not start <= end <= row["characters"]:
        message = f"There is no passage {start} to {end}: '{row['name']}' has {row['characters']} characters."
        raise InvalidFieldError(message, errors=[FieldError("end", message)])
    found = passage_of(base.parts.catalogue, row["id"], start, end, around)
    return PassageOutput(
        document=row["name"],
        document_id=row["id"],
        page=found.page,
        section=found.section,
        before=found.before,
        quote=found.quote,
        after=found.after,
        start=start,
        end=end,
        characters=row["characters"],
    )


def _require_own(row: dict[str, Any], together: Sequence[dict[str, Any]], access: Access) -> None:
    """Raise `ForbiddenError` when the document, or one that would go with it, is not the key's own."""
    if not all(may_remove(access, each) for each in together):
        raise ForbiddenError(f"'{row['name']}' may be read with this key, and not removed: it belongs to others too.")


def _require_alone(together: Sequence[dict[str, Any]], row: dict[str, Any]) -> None:
    """Raise `ConflictError` when the document's file gave others too, which would go with it."""
    if len(together) > 1:
        raise ConflictError(
            f"'{row['name']}' is one of {len(together)} documents of '{Path(row['file']).name}', which go together.",
            hint="To remove them all, with the file, say whole=true.",
        )


def _remove_file(base: RAG, source: Path) -> None:
    """Remove an uploaded file; raises `ConflictError` for one that was not uploaded and is still there."""
    if Uploads.around(base.parts.path, source) is not None:
        source.unlink(missing_ok=True)
    elif source.exists():
        raise ConflictError(
            f"'{source}' lies in a folder that is ingested from the shell, which would bring it back.",
            hint="Remove the file, then delete the document or ingest the folder again.",
        )


def _row(base: RAG, document_id: str, access: Access) -> dict[str, Any]:
    """The document's row; raises `NotFoundError`, also for one that may not be seen."""
    found = base.parts.catalogue.documents(document_id)
    if not found or not may_see(access, found[0]):
        raise NotFoundError(f"There is no document '{document_id}' in this knowledge base.")
    return found[0]
