"""Every call to a model: which one, how safely, at what price, or not at all. Uses plumbline only."""
