"""Whether data is good enough to answer from: six dimensions, duplicates, boilerplate, secrets and personal data."""
