"""The whole tree of settings: each room owns its own, this file joins them. See `configs/default.yaml`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from plumbline.settings import Settings
from rag.index.settings import StoreSettings
from rag.ingest.settings import ChunkingSettings, LoadingSettings
from rag.retrieve.settings import RetrievalSettings
from rag.serve.settings import ServeSettings
from routing.settings import EmbeddingSettings, GenerationSettings, RoutingSettings


class AnswerSettings(Settings):
    """How answers are written. The prompts are names of shipped ones or paths of .md files."""

    system_prompt: str = "answer"
    question_prompt: str = "question"
    max_question_characters: Annotated[int, Field(ge=1)] = 20_000


class TraceSettings(Settings):
    """`record_text`: keep question and answer in the trace, which stays on this machine unless it is exported."""

    record_text: bool = True


class RagSettings(Settings):
    """Everything that can be configured."""

    loading: LoadingSettings = LoadingSettings()
    chunking: ChunkingSettings = ChunkingSettings()
    embedding: EmbeddingSettings = EmbeddingSettings()
    store: StoreSettings = StoreSettings()
    retrieval: RetrievalSettings = RetrievalSettings()
    generation: GenerationSettings = GenerationSettings()
    answer: AnswerSettings = AnswerSettings()
    routing: RoutingSettings = RoutingSettings()
    trace: TraceSettings = TraceSettings()
    serve: ServeSettings = ServeSettings()
