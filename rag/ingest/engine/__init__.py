"""Where items are prepared: one file per engine, all of the shape `rag.ingest.prepare.Engine`."""
