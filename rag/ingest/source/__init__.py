"""Where documents come from: one file per kind, all of the shape `rag.ingest.item.Source`."""
