"""The endpoint: the native API, the OpenAI-compatible one, keys, limits, metrics and the web page."""
