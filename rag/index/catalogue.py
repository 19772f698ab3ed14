"""The catalogue: the truth about documents, pages, sections and chunks, in one SQLite database.

Files are stored in one transaction, with their documents and chunks, and wait for indexing; once the store has their
points they are marked as indexed. A crash in between is noticed at the next ingestion and made good, so store and
catalogue always converge. The files themselves are kept by `rag.index.manifest`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline.database import storage_errors, writing
from plumbline.reading import ReadConnection, marks
from rag.index import tables
from rag.index.filters import Filter, matches
from rag.index.manifest import FileRecord, put_files
from rag.index.rows import insert, metadata_from_json, portions
from rag.ingest.labels import ACCESS
from rag.types import Chunk, Document, Page, Section

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Engine, RowMapping

FileContent = tuple[FileRecord, Sequence[tuple[Document, Sequence[Chunk]]]]
"""A file and the documents it gave, each with its chunks."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts over a knowledge base; `waiting` documents are stored and not yet searchable."""

    documents: int
    pages: int
    chunks: int
    characters: int
    tokens: int
    waiting: int
    failed_files: int


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a document's text; page and heading path (joined by " > ") are those of its start, if it has them."""

    text: str
    page: int | None
    section: str | None


class Catalogue:
    """Reads and writes the truth in the database behind `engine`, which lies at `path`."""

    def __init__(self, engine: Engine, path: Path, reader: ReadConnection | None = None) -> None:
        self._engine = engine
        self._path = path
        self._reader = reader or ReadConnection(path)

    def put(self, contents: Iterable[FileContent], *, generation: int) -> None:
        """Store what files gave, in place of what they gave before, at once; it then waits for indexing."""
        contents = list(contents)
        with writing(self._engine, self._path) as connection:
            old = _documents_of(connection, [file.source for file, _ in contents])
            _put_documents(
                connection, [(file.source, *cut) for file, cuts in contents for cut in cuts], generation, instead_of=old
            )
            put_files(connection, [file for file, _ in contents])

    def put_document(self, document: Document, chunks: Sequence[Chunk], *, generation: int = 1) -> None:
        """Store a document that no file gave, in place of the one with its id, at once."""
        with writing(self._engine, self._path) as connection:
            _put_documents(connection, [(document.source, document, chunks)], generation)

    def put_chunks(self, chunks: Sequence[Chunk], *, generation: int) -> None:
        """Store chunks for another generation, of documents that are still there; they wait for indexing."""
        from sqlalchemy import select

        d = tables.documents().c
        with writing(self._engine, self._path) as connection:
            of_documents = select(d.id).where(d.id.in_({chunk.document_id for chunk in chunks}))
            there = set(connection.scalars(of_documents))
            rows = [_chunk_row(chunk, generation) for chunk in chunks if chunk.document_id in there]
            insert(connection, tables.chunks(), rows)

    def remove_files(self, sources: Collection[str]) -> None:
        """Forget files and the documents they gave, at once."""
        files = tables.files()
        with writing(self._engine, self._path) as connection:
            _drop_documents(connection, _documents_of(connection, sources))
            for some in portions(sorted(sources)):
                connection.execute(files.delete().where(files.c.source.in_(some)))

    def having_documents(self, files: Collection[str]) -> set[str]:
        """Those of the files that gave documents which are stored."""
        from sqlalchemy import select

        file = tables.documents().c.file
        with storage_errors(self._path), self._engine.connect() as connection:
            found = (connection.scalars(select(file).where(file.in_(some))) for some in portions(sorted(files)))
            return {each for some in found for each in some}

    def has_texts(self, fingerprints: str) -> bool:
        """Whether documents with all of these texts are stored; there are spaces between the fingerprints."""
        from sqlalchemy import func, select

        d, wanted = tables.documents().c, sorted(set(fingerprints.split()))
        count = func.count(d.fingerprint.distinct())
        with storage_errors(self._path), self._engine.connect() as connection:
            found = (connection.scalar(select(count).where(d.fingerprint.in_(some))) or 0 for some in portions(wanted))
            return sum(found) == len(wanted)

    def same_text(self, document: Document) -> str | None:
        """The source of another file's document with the same text for the same readers, the first, or `None`."""
        from sqlalchemy import select

        d = tables.documents().c
        query = select(d.source).where(d.fingerprint == fingerprint(document), d.id != document.id)
        with storage_errors(self._path), self._engine.connect() as connection:
            found: str | None = connection.scalar(query.order_by(d.source).limit(1))
            return found

    def document(self, document_id: str) -> Document | None:
        """A whole document, or `None`."""
        documents, pages, sections = tables.documents(), tables.pages(), tables.sections()
        with storage_errors(self._path), self._engine.connect() as connection:
            row = connection.execute(documents.select().where(documents.c.id == document_id)).mappings().first()
            if row is None:
                return None
            page_rows = connection.execute(
                pages.select().where(pages.c.document_id == document_id).order_by(pages.c.number)
            )
            section_rows = connection.execute(
                sections.select().where(sections.c.document_id == document_id).order_by(sections.c.position)
            )
            return _to_document(
                row,
                tuple(Page(p.number, p.start, p.end) for p in page_rows),
                tuple(Section(tuple(json.loads(s.path)), s.start, s.end) for s in section_rows),
            )

    def span(self, document_id: str, start: int, end: int) -> Span | None:
        """document.text[start:end] as it is stored, or `None` when there is no such document."""
        rows = self._reader.rows(_SPAN, {"id": document_id, "start": start, "length": end - start})
        return Span(rows[0][0], rows[0][1], _shown(rows[0][2])) if rows else None

    def locate(self, document_id: str, offset: int) -> tuple[int | None, str | None]:
        """Page number and heading path (joined by " > ") at an offset of a document, as far as it has them."""
        ((page, section),) = self._reader.rows(f"SELECT {_PLACE}", {"id": document_id, "start": offset})
        return page, _shown(section)

    def documents(self, document_id: str | None = None, *, file: str | None = None) -> list[dict[str, Any]]:
        """Id, name, source, media type, size and pages (`None`: no such thing) of every document, by name.

        `tenant` and `groups` say whom it is for, as a filter compares them; `None`: everybody. With `document_id` of
        that one alone, with `file` of those that the file gave; empty when there is none.
        """
        from sqlalchemy import func, select

        d, p, i, g = tables.documents(), tables.pages(), tables.indexed().c, tables.generations().c
        pages = select(func.nullif(func.count(), 0)).where(p.c.document_id == d.c.id).scalar_subquery()
        active = select(g.number).where(g.active).scalar_subquery()
        indexed = select(func.count() > 0).where(i.document_id == d.c.id, i.generation == active).scalar_subquery()
        query = select(
            d.c.id, d.c.name, d.c.source, d.c.file, d.c.media_type, d.c.characters,
            indexed.label("indexed"), pages.label("pages"), _audience(d.c.metadata).label("audience"),
        ).order_by(d.c.name, d.c.id)  # fmt: skip
        if document_id is not None:
            query = query.where(d.c.id == document_id)
        if file is not None:
            query = query.where(d.c.file == file)
        with storage_errors(self._path), self._engine.connect() as connection:
            rows = [dict(row) for row in connection.execute(query).mappings()]
        return [{**row, **json.loads(row.pop("audience"))} for row in rows]

    def audiences(self) -> list[dict[str, Any]]:
        """How many `documents` there are for each `tenant` and `groups`, of whom they are said to be for."""
        from sqlalchemy import func, select

        audience = _audience(tables.documents().c.metadata).label("audience")
        query = select(audience, func.count().label("documents")).group_by(audience)
        with storage_errors(self._path), self._engine.connect() as connection:
            return [{**json.loads(row.audience), "documents": row.documents} for row in connection.execute(query)]

    def chunks(
        self, chunk_ids: Sequence[str], *, generation: int, access: Filter | None = None
    ) -> dict[str, tuple[Chunk, str]]:
        """The chunks of the generation with these ids that exist, each with its document's name.

        With `access`, only of documents whose `tenant` and `groups` satisfy it: a store may not have heard of them yet.
        """
        found: dict[str, tuple[Chunk, str]] = {}
        for some in portions(chunk_ids):
            for row in self._reader.rows(_chunks_named(len(some)), (generation, *some)):
                *_, parent_start, parent_end, name, audience = row
                if access is not None and audience is not None and not matches(access, _named(audience)):
                    continue
                id_, document_id, index, start, end, text, tokens, page, section, context = row[:10]
                parent = None if parent_start is None else (parent_start, parent_end)
                chunk = Chunk(id_, document_id, index, start, end, text, tokens, page, section, context, parent)
                found[chunk.id] = (chunk, name)
        return found

    def chunks_of(self, document_id: str, *, generation: int) -> list[Chunk]:
        """The chunks of one document, in order."""
        c = tables.chunks()
        of_document = c.select().where(c.c.document_id == document_id, c.c.generation == generation)
        with storage_errors(self._path), self._engine.connect() as connection:
            return [_to_chunk(row) for row in connection.execute(of_document.order_by(c.c.position)).mappings()]

    def chunk_spans(self, document_id: str, start: int, end: int, *, generation: int) -> list[tuple[int, int]]:
        """Where the chunks of a document start and end that share characters with [start:end], in order."""
        from sqlalchemy import select

        c = tables.chunks().c
        of_document = (c.document_id == document_id, c.generation == generation)
        query = select(c.start, c.end).where(*of_document, c.start < end, c.end > start).order_by(c.start, c.position)
        with storage_errors(self._path), self._engine.connect() as connection:
            return [(row.start, row.end) for row in connection.execute(query)]

    def neighbours(self, document_id: str, index: int, *, generation: int) -> list[tuple[int, int]]:
        """Where the chunk `index` of a document and those before and after it start and end, in order."""
        from sqlalchemy import select

        c = tables.chunks().c
        of_document = (c.document_id == document_id, c.generation == generation)
        query = select(c.start, c.end).where(*of_document, c.position.between(index - 1, index + 1))
        with storage_errors(self._path), self._engine.connect() as connection:
            return [(row.start, row.end) for row in connection.execute(query.order_by(c.position))]

    def languages(self, document_ids: Collection[str]) -> dict[str, str]:
        """The languages (ISO 639-1) of documents, by their ids, as far as they are known."""
        found: dict[str, str] = {}
        for some in portions(sorted(document_ids)):
            query = f"SELECT id, language FROM documents WHERE id IN ({marks(len(some))}) AND language IS NOT NULL"
            found.update(self._reader.rows(query, some))
        return found

    def section_span(self, document_id: str, offset: int) -> tuple[int, int] | None:
        """Where the innermost section at an offset of a document starts and ends, if it has one."""
        from sqlalchemy import select

        s = tables.sections().c
        inside = (s.document_id == document_id, s.start <= offset, s.end > offset)
        query = select(s.start, s.end).where(*inside).order_by(s.start.desc(), s.position.desc()).limit(1)
        with storage_errors(self._path), self._engine.connect() as connection:
            row = connection.execute(query).first()
        return None if row is None else (row.start, row.end)

    def totals(self) -> Totals:
        """Counts of everything stored, of the active generation where chunks are counted."""
        from sqlalchemy import func, select

        d, c, p, f = tables.documents(), tables.chunks(), tables.pages(), tables.files()
        i, g = tables.indexed().c, tables.generations().c
        active = select(g.number).where(g.active).scalar_subquery()
        done = select(i.document_id).where(i.generation == active)
        with storage_errors(self._path), self._engine.connect() as connection:

            def number(query: Any) -> int:
                return int(connection.scalar(query) or 0)

            return Totals(
                documents=number(select(func.count()).select_from(d)),
                pages=number(select(func.count()).select_from(p)),
                chunks=number(select(func.count()).select_from(c).where(c.c.generation == active)),
                characters=number(select(func.sum(d.c.characters))),
                tokens=number(select(func.sum(c.c.tokens)).where(c.c.generation == active)),
                waiting=number(select(func.count()).select_from(d).where(d.c.id.not_in(done))),
                failed_files=number(select(func.count()).select_from(f).where(f.c.error.is_not(None))),
            )


_CHUNK = ("id", "document_id", "position", "start", "end", "text", "tokens", "page", "section", "context")
"""The columns of a chunk in the order of the fields of `Chunk`, but for its parent's two."""
# The statements that a search runs are text: to build and to compile them costs several times what they do.
_PLACE = """
    (SELECT number FROM pages WHERE document_id = :id AND start <= :start ORDER BY start DESC LIMIT 1),
    (SELECT path FROM sections WHERE document_id = :id AND start <= :start AND "end" > :start
        ORDER BY start DESC, position DESC LIMIT 1)
"""
# Whom a document is for, NULL for everybody: most metadata names neither and need not be read as JSON.
_AUDIENCE = "CASE WHEN {} THEN json_extract(d.metadata, {}) END".format(
    " OR ".join(f"instr(d.metadata, '{name}')" for name in ACCESS), ", ".join(f"'$.{name}'" for name in ACCESS)
)
_SPAN = f"SELECT substr(text, :start + 1, :length), {_PLACE} FROM documents WHERE id = :id"


@cache
def _chunks_named(count: int) -> str:
    columns = ", ".join(f'c."{name}"' for name in (*_CHUNK, "parent_start", "parent_end"))
    return (
        f"SELECT {columns}, d.name, {_AUDIENCE}"
        " FROM chunks c JOIN documents d ON d.id = c.document_id"
        f" WHERE c.generation = ? AND c.id IN ({marks(count)})"
    )


def _named(audience: str) -> dict[str, object]:
    return dict(zip(ACCESS, json.loads(audience), strict=True))


def _shown(section: str | None) -> str | None:
    return " > ".join(json.loads(section)) if section else None


def _audience(metadata: ColumnElement[str]) -> ColumnElement[str]:
    """Whom a document is for, as JSON; lists stay lists."""
    from sqlalchemy import func

    parts = ((name, func.json_extract(metadata, f"$.{name}")) for name in ACCESS)
    return func.json_object(*(each for part in parts for each in part))


def fingerprint(document: Document) -> str:
    """Equal for equal texts that are for the same readers: a copy that others read stands in for nobody's own."""
    readers = {name: document.metadata[name] for name in ACCESS if document.metadata.get(name) is not None}
    return text_digest(f"{json.dumps(readers, sort_keys=True)}\0{document.text}" if readers else document.text)


def text_digest(text: str) -> str:
    """32 hexadecimal digits, equal for equal texts."""
    return blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()


def _documents_of(connection: Connection, files: Collection[str]) -> set[str]:
    from sqlalchemy import select

    d = tables.documents().c
    return {
        document_id
        for some in portions(sorted(files))
        for document_id in connection.scalars(select(d.id).where(d.file.in_(some)))
    }


def _put_documents(
    connection: Connection,
    cuts: Sequence[tuple[str, Document, Sequence[Chunk]]],
    generation: int,
    instead_of: Collection[str] = (),
) -> None:
    """Write (file, document, chunks) in place of the documents with the same ids and of those `instead_of`."""
    kept = {chunk.id for _, _, chunks in cuts for chunk in chunks}
    ids = {document.id for _, document, _ in cuts}
    _drop_documents(connection, ids.union(instead_of), kept=kept, generation=generation)
    documents = [document for _, document, _ in cuts]
    insert(connection, tables.documents(), [{**_document_row(document), "file": file} for file, document, _ in cuts])
    insert(connection, tables.pages(), [_page_row(each.id, page) for each in documents for page in each.pages])
    sections = [_section_row(each.id, n, section) for each in documents for n, section in enumerate(each.sections)]
    insert(connection, tables.sections(), sections)
    insert(connection, tables.chunks(), [_chunk_row(chunk, generation) for _, _, chunks in cuts for chunk in chunks])


def _drop_documents(
    connection: Connection, document_ids: Collection[str], *, kept: Collection[str] = (), generation: int | None = None
) -> None:
    """Delete documents' rows; their points become obsolete, but for those `kept` in `generation`."""
    from sqlalchemy import select

    c, obsolete, documents, indexed = tables.chunks().c, tables.obsolete(), tables.documents(), tables.indexed()
    for some in portions(sorted(document_ids)):
        old = connection.execute(select(c.generation, c.id, c.hash).where(c.document_id.in_(some))).all()
        gone = [row for row in old if row.generation != generation or row.id not in kept]
        rows = [{"generation": row.generation, "chunk_id": row.id, "hash": row.hash} for row in gone]
        insert(connection, obsolete, rows)
        for table in (tables.chunks(), tables.pages(), tables.sections()):
            connection.execute(table.delete().where(table.c.document_id.in_(some)))
        of_any = indexed.c.generation.in_(select(tables.generations().c.number))  # its key begins with the generation
        connection.execute(indexed.delete().where(of_any, indexed.c.document_id.in_(some)))
        connection.execute(documents.delete().where(documents.c.id.in_(some)))
    for some in portions(sorted(kept)):
        of_these = obsolete.c.chunk_id.in_(some)
        connection.execute(obsolete.delete().where(obsolete.c.generation == generation, of_these))


def _document_row(document: Document) -> dict[str, Any]:
    return {
        "id": document.id,
        "source": document.source,
        "name": document.name,
        "hash": document.hash,
        "fingerprint": fingerprint(document),
        "media_type": document.media_type,
        "language": document.language,
        "created": document.created,
        "dropped": document.dropped,
        "metadata": json.dumps(dict(document.metadata), ensure_ascii=False, sort_keys=True),
        "characters": len(document.text),
        "text": document.text,
    }


def _page_row(document_id: str, page: Page) -> dict[str, Any]:
    return {"document_id": document_id, "number": page.number, "start": page.start, "end": page.end}


def _section_row(document_id: str, position: int, section: Section) -> dict[str, Any]:
    path = json.dumps(section.path, ensure_ascii=False)
    return {"document_id": document_id, "position": position, "path": path, "start": section.start, "end": section.end}


def _chunk_row(chunk: Chunk, generation: int) -> dict[str, Any]:
    row = {name: getattr(chunk, name) for name in Chunk.__slots__}
    row["position"] = row.pop("index")
    row["parent_start"], row["parent_end"] = row.pop("parent") or (None, None)
    return {**row, "hash": chunk.hash, "generation": generation}


def _to_chunk(row: RowMapping) -> Chunk:
    return Chunk(
        id=row["id"],
        document_id=row["document_id"],
        index=row["position"],
        start=row["start"],
        end=row["end"],
        text=row["text"],
        tokens=row["tokens"],
        page=row["page"],
        section=row["section"],
        context=row["context"],
        parent=None if row["parent_start"] is None else (row["parent_start"], row["parent_end"]),
    )


def _to_document(row: RowMapping, pages: tuple[Page, ...], sections: Iterable[Section]) -> Document:
    return Document(
        id=row["id"],
        source=row["source"],
        name=row["name"],
        text=row["text"],
        hash=row["hash"],
        media_type=row["media_type"],
        pages=pages,
        sections=tuple(sections),
        language=row["language"],
        created=row["created"],
        dropped=row["dropped"],
        metadata=metadata_from_json(row["metadata"]),
    )
