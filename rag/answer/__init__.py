"""Hits to answers: assembling the prompt, checking every citation and claim against the stored text."""
