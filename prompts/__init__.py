"""The prompts: Markdown files with a version, read through `plumbline.prompts`. Data: nothing imports it as code."""
