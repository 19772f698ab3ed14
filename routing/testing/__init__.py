"""What ships for tests: conformance suites of the contracts, scripted fakes, and a fake provider on a local port."""
