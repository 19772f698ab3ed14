"""Runnable examples: the demo, and the documents it reads."""
