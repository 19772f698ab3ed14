"""Conformance suites for your own loaders, chunkers and stores: they run against anything of the protocol's shape."""
