"""JSON schemas as providers want them: what strict modes take, and how a schema is made to fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# What strict modes refuse although it says nothing about the form of an answer.
_REMARKS = frozenset({"default", "examples", "example", "deprecated", "readOnly", "writeOnly", "$comment", "$schema"})
# What no strict mode takes, and what cannot be said without it.
_UNFIT = frozenset(
    {
        *("allOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "patternProperties"),
        *("propertyNames", "unevaluatedProperties", "contains", "prefixItems"),
    }
)


def is_strict(schema: object) -> bool:
    """Whether OpenAI's strict mode takes `schema`: its objects name all their properties and require every one."""
    if isinstance(schema, Mapping):
        properties = schema.get("properties")
        named = set(properties) if isinstance(properties, Mapping) else set()
        if (isinstance(properties, Mapping) or schema.get("type") == "object") and (
            schema.get("additionalProperties") is not False or set(schema.get("required", ())) != named
        ):
            return False
        return all(is_strict(value) for value in schema.values())
    return all(is_strict(value) for value in schema) if isinstance(schema, list | tuple) else True


def strict_schema(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """`schema` with every object closed and all its properties required, or `None` where that cannot be.

    What satisfies it satisfies `schema`. A property that may be left out has to be given: objects with names of their
    own choice, and what strict modes have no word for, cannot be made strict.
    """
    try:
        made = _strict(schema)
    except _UnfitError:
        return None
    reference = made.get("$ref")
    if isinstance(reference, str):  # strict modes want the form of the whole in its place, not a name for it
        made = {**_resolved(made, reference), **{key: value for key, value in made.items() if key != "$ref"}}
    return made


class _UnfitError(Exception):
    """A part of a schema cannot be made strict."""


def _strict(schema: Mapping[str, Any]) -> dict[str, Any]:
    if not _UNFIT.isdisjoint(schema):
        raise _UnfitError
    made = {key: value for key, value in schema.items() if key not in _REMARKS and key != "discriminator"}
    if "oneOf" in made:
        made["anyOf"] = made.pop("oneOf")
    if "$ref" in made:  # a reference stands alone
        made = {key: made[key] for key in ("$ref", "$defs") if key in made}
    for key in ("properties", "$defs", "definitions"):
        if key in made:
            made[key] = {name: _strict(part) for name, part in made[key].items()}
    if isinstance(made.get("anyOf"), list):
        made["anyOf"] = [_strict(part) for part in made["anyOf"]]
    if "items" in made:
        if not isinstance(made["items"], Mapping) or not made["items"]:
            raise _UnfitError
        made["items"] = _strict(made["items"])
    if made.get("type") == "object" or "properties" in made:
        if made.get("additionalProperties") not in (None, False) or "properties" not in made:
            raise _UnfitError
        made |= {"additionalProperties": False, "required": list(made["properties"])}
    elif not {"type", "anyOf", "$ref", "enum", "const"} & set(made):
        raise _UnfitError  # anything at all
    elif made.get("type") == "array" and "items" not in made:
        raise _UnfitError
    return made


def _resolved(schema: Mapping[str, Any], reference: str) -> Mapping[str, Any]:
    target: Any = schema
    for step in reference.removeprefix("#/").split("/"):
        target = target[step]
    return dict(target)
