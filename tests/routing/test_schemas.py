from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, RootModel

from routing.schemas import is_strict, strict_schema


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Part(BaseModel):
    """A part."""

    name: str = Field(description="what it is called")
    weight: float | None = None


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]


class Order(BaseModel):
    number: int = Field(ge=1)
    colour: Colour = Colour.RED
    parts: list[Part] = []
    main: Part = Field(description="the main one")
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    tags: list[str] = Field(default=[], examples=[["a"]])


class Node(BaseModel):
    value: int
    children: list[Node] = []


def strict(kind: type[BaseModel]) -> dict[str, Any]:
    made = strict_schema(kind.model_json_schema())
    assert made is not None
    return made


@pytest.mark.parametrize("kind", [Part, Cat, Order, Node])
def test_what_a_strict_mode_takes(kind: type[BaseModel]) -> None:
    assert is_strict(strict(kind))
    assert strict(kind)["type"] == "object"


def test_every_property_is_required_and_no_other_allowed() -> None:
    made = strict(Part)
    assert made["required"] == ["name", "weight"]
    assert made["additionalProperties"] is False
    assert made["properties"]["name"]["description"] == "what it is called"
    assert made["properties"]["weight"] == {"anyOf": [{"type": "number"}, {"type": "null"}], "title": "Weight"}


def test_what_strict_modes_have_no_word_for_is_said_in_another_way() -> None:
    properties = strict(Order)["properties"]
    assert properties["main"] == {"$ref": "#/$defs/Part"}
    assert properties["pet"]["anyOf"] == [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}]
    assert properties["number"] == {"minimum": 1, "title": "Number", "type": "integer"}
    assert "default" not in str(properties)


def test_a_form_that_holds_itself() -> None:
    made = strict(Node)
    assert made["properties"]["children"]["items"] == {"$ref": "#/$defs/Node"}
    assert made["$defs"]["Node"]["required"] == ["value", "children"]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "additionalProperties": {"type": "integer"}},
        {"type": "object", "properties": {"a": {"type": "object"}}},
        {"type": "object", "properties": {"a": {}}},
        {"type": "object", "properties": {"a": {"type": "array"}}},
        {"type": "object", "properties": {"a": {"type": "array", "items": {}}}},
        {"type": "object", "properties": {"a": {"allOf": [{"type": "string"}]}}},
        {"type": "object", "properties": {"a": {"type": "array", "prefixItems": [{"type": "string"}]}}},
        {"type": "object", "properties": {"a": {"not": {"type": "string"}}}, "required": ["a"]},
    ],
)
def test_what_cannot_be_made_strict(schema: dict[str, Any]) -> None:
    assert strict_schema(schema) is None


def test_names_of_properties_are_not_taken_for_keywords() -> None:
    schema = {"type": "object", "properties": {"default": {"type": "string"}, "not": {"type": "string"}}}
    made = strict_schema(schema)
    assert made is not None
    assert made["required"] == ["default", "not"]


def test_a_list_stays_one() -> None:
    made = strict(RootModel[list[Part]])
    assert made["type"] == "array"
    assert is_strict(made)


@pytest.mark.parametrize("inner", [{"type": "object"}, {"type": "object", "additionalProperties": {"type": "string"}}])
def test_an_object_whose_properties_nobody_named_is_not_strict(inner: dict[str, object]) -> None:
    outer = {"type": "object", "properties": {"m": inner}, "required": ["m"], "additionalProperties": False}
    assert not is_strict(outer)
    assert is_strict({**outer, "properties": {"m": {"type": "object", "additionalProperties": False}}})
