"""What is stored and searched: the catalogue (the truth), the store protocol and its implementations, filters."""
