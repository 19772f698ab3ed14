"""Questions to hits: search on both sides, fusion, reranking."""
