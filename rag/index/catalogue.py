"""The catalogue: the truth about documents, pages, sections, chunks and files, in one SQLite database.

A document is replaced in one transaction and marked as not yet indexed; once the store has its points it is marked
indexed. A crash in between is noticed at the next ingestion and made good, so store and catalogue always converge.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline.database import storage_errors, writing
from rag.index import tables
from rag.types import Chunk, Document, Page, Section

if TYPE_CHECKING:
    from sqlalchemy import BindParameter, Connection, Engine, Label, RowMapping, Select

IDS_PER_QUERY = 500


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file as it was when last ingested.

    `root` is the folder or file that was named when it was first ingested, `chunking` what cut its document into
    chunks. `error` says why it could not be read, or is `None`.
    """

    source: str
    root: str
    size: int
    mtime_ns: int
    hash: str
    document_id: str | None
    chunking: str = ""
    error: str | None = None


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

    def __init__(self, engine: Engine, path: Path) -> None:
        self._engine = engine
        self._path = path

    def facts(self) -> dict[str, str]:
        """What the knowledge base was built with: embedder, dimension, chunking and so on, by name."""
        with storage_errors(self._path), self._engine.connect() as connection:
            rows = connection.execute(tables.facts().select())
            return {row.name: row.value for row in rows}

    def set_facts(self, facts: Mapping[str, str]) -> None:
        """Remember what the knowledge base is built with."""
        with writing(self._engine, self._path) as connection:
            for name, value in facts.items():
                connection.execute(tables.facts().delete().where(tables.facts().c.name == name))
                connection.execute(tables.facts().insert(), {"name": name, "value": value})

    def files(self, root: str) -> dict[str, FileRecord]:
        """What is known of the file `root`, of files below the folder `root`, and of what was ingested as `root`."""
        from sqlalchemy import or_

        files = tables.files()
        below = files.c.source.startswith(root.rstrip("/") + "/", autoescape=True)
        query = files.select().where(or_(files.c.source == root, below, files.c.root == root))
        with storage_errors(self._path), self._engine.connect() as connection:
            return {row["source"]: FileRecord(**row) for row in connection.execute(query).mappings()}

    def put_document(self, document: Document, chunks: Sequence[Chunk], file: FileRecord | None) -> None:
        """Store a document with its chunks in place of the one with its id, at once; it then waits for indexing."""
        with writing(self._engine, self._path) as connection:
            _drop_document(connection, document.id, keep={chunk.id for chunk in chunks})
            connection.execute(tables.documents().insert(), _document_row(document))
            _insert(connection, tables.pages(), [_page_row(document.id, page) for page in document.pages])
            _insert(
                connection,
                tables.sections(),
                [_section_row(document.id, n, s) for n, s in enumerate(document.sections)],
            )
            _insert(connection, tables.chunks(), [_chunk_row(chunk) for chunk in chunks])
            if file is not None:
                _put_file(connection, file)

    def put_file(self, file: FileRecord) -> None:
        """Remember a file that was looked at and gave no new document."""
        with writing(self._engine, self._path) as connection:
            _put_file(connection, file)

    def remove_file(self, source: str) -> None:
        """Forget a file and the document it gave."""
        files = tables.files()
        with writing(self._engine, self._path) as connection:
            document_id = connection.scalar(
                files.select().with_only_columns(files.c.document_id).where(files.c.source == source)
            )
            if document_id is not None:
                _drop_document(connection, document_id, keep=set())
            connection.execute(files.delete().where(files.c.source == source))

    def mark_indexed(self, document_ids: Sequence[str]) -> None:
        """The store now has the points of these documents."""
        documents = tables.documents()
        with writing(self._engine, self._path) as connection:
            connection.execute(documents.update().where(documents.c.id.in_(document_ids)).values(indexed=True))

    def waiting(self) -> list[str]:
        """Ids of the documents whose points the store may lack."""
        documents = tables.documents()
        with storage_errors(self._path), self._engine.connect() as connection:
            query = documents.select().with_only_columns(documents.c.id).where(documents.c.indexed.is_(False))
            return list(connection.scalars(query.order_by(documents.c.id)))

    def wait_again(self) -> None:
        """Mark every document as not indexed, to rebuild the store from the catalogue."""
        with writing(self._engine, self._path) as connection:
            connection.execute(tables.documents().update().values(indexed=False))

    def obsolete(self) -> list[str]:
        """Ids of the points that the store must forget."""
        with storage_errors(self._path), self._engine.connect() as connection:
            return list(connection.scalars(tables.obsolete().select()))

    def forget_obsolete(self, chunk_ids: Sequence[str]) -> None:
        """The store has forgotten these points."""
        obsolete = tables.obsolete()
        with writing(self._engine, self._path) as connection:
            for some in _portions(chunk_ids):
                connection.execute(obsolete.delete().where(obsolete.c.chunk_id.in_(some)))

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
        values = {"document_id": document_id, "offset": start, "from": start + 1, "length": end - start}
        with storage_errors(self._path), self._engine.connect() as connection:
            found = connection.execute(_span(), values).one_or_none()
        return None if found is None else Span(found.text, found.page, _shown(found.section))

    def locate(self, document_id: str, offset: int) -> tuple[int | None, str | None]:
        """Page number and heading path (joined by " > ") at an offset of a document, as far as it has them."""
        from sqlalchemy import select

        with storage_errors(self._path), self._engine.connect() as connection:
            found = connection.execute(select(*_place()), {"document_id": document_id, "offset": offset}).one()
            return found.page, _shown(found.section)

    def documents(self, document_id: str | None = None) -> list[dict[str, Any]]:
        """Id, name, source, media type, size and pages (`None`: no such thing) of every document, by name.

        With `document_id` of that one alone; empty when there is none.
        """
        from sqlalchemy import func, select

        d, p = tables.documents(), tables.pages()
        pages = select(func.nullif(func.count(), 0)).where(p.c.document_id == d.c.id).scalar_subquery()
        query = select(
            d.c.id, d.c.name, d.c.source, d.c.media_type, d.c.characters, d.c.indexed, pages.label("pages")
        ).order_by(d.c.name, d.c.id)
        if document_id is not None:
            query = query.where(d.c.id == document_id)
        with storage_errors(self._path), self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def chunks(self, chunk_ids: Sequence[str]) -> dict[str, tuple[Chunk, str]]:
        """The chunks with these ids that exist, each with its document's name."""
        from sqlalchemy import select

        c, d = tables.chunks(), tables.documents()
        found: dict[str, tuple[Chunk, str]] = {}
        with storage_errors(self._path), self._engine.connect() as connection:
            for some in _portions(chunk_ids):
                query = select(c, d.c.name.label("document")).join(d, d.c.id == c.c.document_id).where(c.c.id.in_(some))
                for row in connection.execute(query).mappings():
                    found[row["id"]] = (_to_chunk(row), row["document"])
        return found

    def chunks_of(self, document_id: str) -> list[Chunk]:
        """The chunks of one document, in order."""
        c = tables.chunks()
        with storage_errors(self._path), self._engine.connect() as connection:
            rows = connection.execute(
                c.select().where(c.c.document_id == document_id).order_by(c.c.position)
            ).mappings()
            return [_to_chunk(row) for row in rows]

    def chunk_ids(self) -> list[str]:
        """The ids of all chunks of indexed documents, sorted: what the store must hold."""
        from sqlalchemy import select

        c, d = tables.chunks(), tables.documents()
        with storage_errors(self._path), self._engine.connect() as connection:
            query = select(c.c.id).join(d, d.c.id == c.c.document_id).where(d.c.indexed).order_by(c.c.id)
            return list(connection.scalars(query))

    def totals(self) -> Totals:
        """Counts of everything stored."""
        from sqlalchemy import func, select

        d, c, p, f = tables.documents(), tables.chunks(), tables.pages(), tables.files()
        with storage_errors(self._path), self._engine.connect() as connection:

            def number(query: Any) -> int:
                return int(connection.scalar(query) or 0)

            return Totals(
                documents=number(select(func.count()).select_from(d)),
                pages=number(select(func.count()).select_from(p)),
                chunks=number(select(func.count()).select_from(c)),
                characters=number(select(func.sum(d.c.characters))),
                tokens=number(select(func.sum(c.c.tokens))),
                waiting=number(select(func.count()).select_from(d).where(d.c.indexed.is_(False))),
                failed_files=number(select(func.count()).select_from(f).where(f.c.error.is_not(None))),
            )


@cache
def _place() -> tuple[Label[int | None], Label[str | None]]:
    """Number of the page and path of the section at :offset of the document :document_id."""
    from sqlalchemy import bindparam, select

    p, s = tables.pages().c, tables.sections().c
    offset: BindParameter[int] = bindparam("offset")
    page = select(p.number).where(p.document_id == bindparam("document_id"), p.start <= offset)
    inside = (s.document_id == bindparam("document_id"), s.start <= offset, s.end > offset)
    section = select(s.path).where(*inside).order_by(s.start.desc(), s.position.desc())
    return (
        page.order_by(p.start.desc()).limit(1).scalar_subquery().label("page"),
        section.limit(1).scalar_subquery().label("section"),
    )


@cache
def _span() -> Select[Any]:
    from sqlalchemy import bindparam, func, select

    d = tables.documents().c
    text = func.substr(d.text, bindparam("from"), bindparam("length")).label("text")
    return select(text, *_place()).where(d.id == bindparam("document_id"))


def _shown(section: str | None) -> str | None:
    return " > ".join(json.loads(section)) if section else None


def _drop_document(connection: Connection, document_id: str, keep: set[str]) -> None:
    from sqlalchemy import select

    chunks, obsolete = tables.chunks(), tables.obsolete()
    old = set(connection.scalars(select(chunks.c.id).where(chunks.c.document_id == document_id)))
    _insert(connection, obsolete, [{"chunk_id": chunk_id} for chunk_id in sorted(old - keep)])
    for some in _portions(sorted(keep)):
        connection.execute(obsolete.delete().where(obsolete.c.chunk_id.in_(some)))
    for table in (chunks, tables.pages(), tables.sections()):
        connection.execute(table.delete().where(table.c.document_id == document_id))
    connection.execute(tables.documents().delete().where(tables.documents().c.id == document_id))


def _insert(connection: Connection, table: Any, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(table.insert().prefix_with("OR REPLACE"), rows)


def _put_file(connection: Connection, file: FileRecord) -> None:
    row = {name: getattr(file, name) for name in FileRecord.__slots__}
    _insert(connection, tables.files(), [row])


def _portions(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), IDS_PER_QUERY):
        yield ids[start : start + IDS_PER_QUERY]


def _document_row(document: Document) -> dict[str, Any]:
    return {
        "id": document.id,
        "source": document.source,
        "name": document.name,
        "hash": document.hash,
        "media_type": document.media_type,
        "language": document.language,
        "created": document.created,
        "dropped": document.dropped,
        "metadata": json.dumps(dict(document.metadata), ensure_ascii=False, sort_keys=True),
        "characters": len(document.text),
        "indexed": False,
        "text": document.text,
    }


def _page_row(document_id: str, page: Page) -> dict[str, Any]:
    return {"document_id": document_id, "number": page.number, "start": page.start, "end": page.end}


def _section_row(document_id: str, position: int, section: Section) -> dict[str, Any]:
    path = json.dumps(section.path, ensure_ascii=False)
    return {"document_id": document_id, "position": position, "path": path, "start": section.start, "end": section.end}


def _chunk_row(chunk: Chunk) -> dict[str, Any]:
    row = {name: getattr(chunk, name) for name in Chunk.__slots__}
    row["position"] = row.pop("index")
    return row


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
    )


def _to_document(row: RowMapping, pages: tuple[Page, ...], sections: Iterable[Section]) -> Document:
    metadata = {
        key: tuple(value) if isinstance(value, list) else value for key, value in json.loads(row["metadata"]).items()
    }
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
        metadata=metadata,
    )
