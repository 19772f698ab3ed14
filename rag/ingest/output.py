"""What the commands of ingestion print with --json; the shapes are documented in docs/json.md."""

from __future__ import annotations

from rag.ingest.verify import Finding, Kind, Verification
from rag.output import Output


class FindingOutput(Output):
    """Something that is not as it should be."""

    kind: Kind
    where: str
    detail: str

    @classmethod
    def of(cls, finding: Finding) -> FindingOutput:
        """From a finding."""
        return cls(kind=finding.kind, where=finding.where, detail=finding.detail)


class VerifyOutput(Output):
    """What `rag verify --json` prints: what was `found`, and what is `left` of it."""

    complete: bool
    files: int
    documents: int
    chunks: int
    characters: int
    found: list[FindingOutput]
    left: list[FindingOutput]

    @classmethod
    def of(cls, seen: Verification) -> VerifyOutput:
        """From a verification."""
        return cls(
            complete=seen.complete,
            files=seen.files,
            documents=seen.documents,
            chunks=seen.chunks,
            characters=seen.characters,
            found=[FindingOutput.of(each) for each in seen.found],
            left=[FindingOutput.of(each) for each in seen.left],
        )
