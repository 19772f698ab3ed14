"""The endpoint as one ASGI application."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from plumbline.errors import PlumblineError
from rag.serve import assets, documents, native, openai_api, ops
from rag.serve.errors import (
    BadRequestBodyError,
    FieldError,
    InvalidFieldError,
    MethodNotAllowedError,
    NotFoundError,
)
from rag.serve.gate import Gate
from rag.serve.host import Host


def create_app(host: Host) -> FastAPI:
    """The application over what `host` has opened; whoever opened the host closes it."""
    app = FastAPI(
        title="Plumbline",
        summary="Answers from documents, each with its evidence, its price and a confidence.",
        docs_url=None,  # the pages load their scripts from elsewhere
        redoc_url=None,
        openapi_url="/api/openapi.json",
        redirect_slashes=False,
    )
    app.add_middleware(Gate, host=host)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    rooms = (ops.routes(host), native.routes(host), documents.routes(host), openai_api.routes(host), assets.routes())
    for router in rooms:
        app.include_router(router)
    return app


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    raise invalid(error)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path, method = request.url.path, request.method
    if error.status_code == 404:
        raise NotFoundError(f"There is no route {path}.") from error
    if error.status_code == 405:
        raise MethodNotAllowedError(f"{path} does not take {method}.", headers=error.headers) from error
    raise BadRequestBodyError(f"The body is not JSON that can be read: {error.__cause__ or error.detail}.") from error


def invalid(error: RequestValidationError) -> PlumblineError:
    """What is wrong with a request: row and column of broken JSON, or each field that is wrong."""
    problems = error.errors()
    for problem in problems:
        if problem["type"] == "json_invalid":
            return _broken_json(str(error.body or ""), int(problem["loc"][-1]), problem["ctx"]["error"])
    errors = [
        FieldError(".".join(str(part) for part in problem["loc"][1:]) or str(problem["loc"][0]), problem["msg"])
        for problem in problems
    ]
    shown = "; ".join(f"{error.field}: {error.message}" for error in errors)
    return InvalidFieldError(f"{shown}.", errors=errors)


def _broken_json(text: str, position: int, reason: str) -> BadRequestBodyError:
    row = text.count("\n", 0, position) + 1
    column = position - text.rfind("\n", 0, position)
    return BadRequestBodyError(f"The body is not JSON: row {row}, column {column}: {reason}.")
