"""The ground floor: what routing, rag and evals all stand on. It imports nothing of theirs."""
