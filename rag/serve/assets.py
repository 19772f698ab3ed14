"""The files of the web page, read once: what is not among them cannot be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import APIRouter, Request, Response

from rag.serve.errors import NotFoundError

# By suffix, and not by the machine's registry, which browsers told not to sniff would have to believe.
_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "ico": "image/x-icon",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "png": "image/png",
    "svg": "image/svg+xml",
    "woff2": "font/woff2",
}
INDEX = "index.html"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent; `etag` changes with its content."""

    content: bytes
    media_type: str
    etag: str


def read_assets() -> dict[str, Asset]:
    """Every file of the page by its path below `page/`."""
    found: dict[str, Asset] = {}

    def read(folder: Traversable, prefix: str) -> None:
        for entry in folder.iterdir():
            media_type = _TYPES.get(entry.name.rpartition(".")[2])
            if entry.is_dir():
                read(entry, f"{prefix}{entry.name}/")
            elif media_type is not None:
                content = entry.read_bytes()
                found[prefix + entry.name] = Asset(content, media_type, f'"{sha256(content).hexdigest()[:16]}"')

    read(files("rag.serve").joinpath("page"), "")
    return found


def routes() -> APIRouter:
    """`/` and `/page/…`."""
    router = APIRouter(include_in_schema=False)
    assets = read_assets()

    def answer(path: str, request: Request) -> Response:
        asset = assets.get(path)
        if asset is None:
            raise NotFoundError(f"There is no file '{path}' of the page.")
        headers = {"etag": asset.etag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == asset.etag:
            return Response(status_code=304, headers=headers)
        return Response(asset.content, media_type=asset.media_type, headers=headers)

    @router.api_route("/", methods=["GET", "HEAD"])
    async def index(request: Request) -> Response:
        return answer(INDEX, request)

    @router.api_route("/page/{path:path}", methods=["GET", "HEAD"])
    async def asset(path: str, request: Request) -> Response:
        return answer(path, request)

    return router
