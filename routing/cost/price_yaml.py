"""Reads a file of prices as YAML, and remembers on which line what stands: errors say it."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plumbline.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Places:
    """Where the tables of the file `name` begin, and where the models in them stand, in lines counted from 1."""

    name: str
    tables: Sequence[int]
    models: Sequence[Mapping[Hashable, int]]

    def of(self, table: int, model: Hashable | None = None) -> str:
        """The place of a table, counted from 1, or of a model in it: "prices.yaml:7"."""
        if table > len(self.tables):
            return self.name
        line = self.tables[table - 1]
        return f"{self.name}:{line if model is None else self.models[table - 1].get(str(model), line)}"


def read_yaml(text: str, name: str) -> tuple[Any, Places]:
    """What is in `text`, `None` when nothing is; raises `ConfigError` with the line for what cannot be read."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)  # written in C it takes a tenth of the time
    try:
        node = loader.get_single_node()
        _check_keys(node, name)
        return None if node is None else loader.construct_document(node), _places(node, name)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{name}:{mark.line + 1}" if mark else name
        raise ConfigError(
            f"{place}: this is not valid YAML: {getattr(error, 'problem', error)}.", source=place
        ) from error
    finally:
        loader.dispose()


def _places(node: Any, name: str) -> Places:
    tables = [] if (found := _entry(node, "tables")) is None else found.value
    tables = tables if isinstance(tables, list) else []
    models = [_entry(table, "models") for table in tables]
    return Places(
        name,
        [table.start_mark.line + 1 for table in tables],
        [{key.value: key.start_mark.line + 1 for key, _ in _pairs(each)} for each in models],
    )


def _entry(node: Any, name: str) -> Any:
    return next((value for key, value in _pairs(node) if key.value == name), None)


def _pairs(node: Any) -> list[Any]:
    import yaml

    return node.value if isinstance(node, yaml.MappingNode) else []


def _check_keys(node: Any, name: str) -> None:
    """YAML takes the last of two; which of two prices was meant is for their author to say."""
    import yaml

    for mapping in _mappings(node):
        seen: set[str] = set()
        for key, _ in mapping.value:
            place = f"{name}:{key.start_mark.line + 1}"
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigError(f"{place}: this is no name of anything.", source=place)
            if key.value in seen:
                raise ConfigError(f"{place}: '{key.value}' stands here twice.", source=place, key=str(key.value))
            seen.add(key.value)


def _mappings(node: Any) -> Iterator[Any]:
    import yaml

    if isinstance(node, yaml.MappingNode):
        yield node
        for _, value in node.value:
            yield from _mappings(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _mappings(value)
