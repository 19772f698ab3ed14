# syntax=docker/dockerfile:1
# docker build -t plumbline . && docker run --rm -v plumbline:/data -v "$PWD/docs:/docs:ro" plumbline ask "…" --docs /docs

FROM python:3.13-slim AS build
# Which optional parts the image holds, comma-separated; see pyproject.toml.
ARG EXTRAS=openai,anthropic,serve
RUN python -m venv /opt/plumbline
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE ./
COPY plumbline plumbline
COPY routing routing
COPY rag rag
COPY evals evals
COPY prompts prompts
COPY configs configs
COPY examples/corpus examples/corpus
COPY examples/questions.jsonl examples/questions.jsonl
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/plumbline/bin/pip install --constraint constraints.txt ".[${EXTRAS}]"

FROM python:3.13-slim
RUN useradd --create-home --uid 10001 plumbline && install --directory --owner plumbline /data
COPY --from=build /opt/plumbline /opt/plumbline
ENV PATH=/opt/plumbline/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PLUMBLINE_KB=/data/kb \
    PLUMBLINE_HOME=/data/home
USER plumbline
WORKDIR /data
VOLUME /data
# Slim images have no curl. Healthy: the program starts, and the knowledge base, if there is one yet, opens.
HEALTHCHECK --interval=30s --timeout=10s --start-period=10s --retries=3 \
    CMD ["sh", "-c", "{ rag --version && { [ ! -e \"$PLUMBLINE_KB/knowledge.db\" ] || rag status --json; }; } > /dev/null"]
ENTRYPOINT ["rag"]
CMD ["--help"]
