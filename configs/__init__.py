"""The configurations: YAML files, read through `plumbline.settings`. Data: nothing imports it as code."""
