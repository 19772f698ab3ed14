"""The settings of the endpoint."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from plumbline.settings import Settings


class ServeSettings(Settings):
    """How the endpoint serves.

    `models` are those that `/v1/chat/completions` passes calls on to, by their names in the catalogue; none means the
    model that answers questions. Sizes are bytes: `max_body_bytes` of a request in JSON, `max_upload_bytes` of one
    upload with all its files. `timeout_seconds` is how long a request may take, a stream's answer included, and how
    long an upload may stand still; `max_concurrent` how many are worked on at a time; `drain_seconds` how long a
    server that is told to stop lets running requests go on.
    """

    models: list[str] = Field(default_factory=list)
    max_body_bytes: Annotated[int, Field(ge=1_000)] = 2_000_000
    max_upload_bytes: Annotated[int, Field(ge=1_000)] = 200_000_000
    max_upload_files: Annotated[int, Field(ge=1, le=10_000)] = 100
    timeout_seconds: Annotated[float, Field(gt=0)] = 120.0
    max_concurrent: Annotated[int, Field(ge=1)] = 64
    drain_seconds: Annotated[float, Field(ge=0)] = 30.0
