"""How configuration is read: layers of YAML, environment and arguments, checked against one typed tree.

Later layers win: the packaged defaults, a named or own YAML file (which may itself say `extends: NAME`), environment
variables `PLUMBLINE__SECTION__KEY`, and what the caller passes. Every error names where the value stands, its key, the
bad value and the nearest right one.
"""

from __future__ import annotations

import difflib
import re
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from plumbline.errors import ConfigError, PlumblineError

ENVIRONMENT_PREFIX = "PLUMBLINE__"
DEFAULT_CONFIG = "default"


class Settings(BaseModel):
    """Base of every room's settings: immutable, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


S = TypeVar("S", bound=Settings)


@dataclass(frozen=True, slots=True)
class Layer:
    """One source of settings: a nested mapping and, per dotted key, where the key stands ("file.yaml:12")."""

    name: str
    values: Mapping[str, Any]
    places: Mapping[str, str]


def read_settings(
    tree: type[S],
    *,
    config: str | Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
    checks: Mapping[str, Callable[[Any], None]] | None = None,
) -> S:
    """Read and check the settings.

    `config` is the name of a packaged configuration or the path of a YAML file; `overrides` maps dotted keys
    ("retrieval.top_k") to values. `checks` maps dotted keys to functions that raise a `PlumblineError` for a value
    that the type allows and the caller cannot use. Raises `ConfigError`.
    """
    layers = list(_file_layers(config))
    layers.append(_environment_layer(environ or {}))
    layers.append(_override_layer(overrides or {}))
    settings = _validated(tree, layers)
    for key, check in (checks or {}).items():
        value = attrgetter(key)(settings)
        try:
            check(value)
        except PlumblineError as error:
            place = _place(layers, key)
            message = f"{place}: {key}: {error.message}" if place else f"{key}: {error.message}"
            raise ConfigError(message, source=place, key=key, value=value, hint=error.hint) from error
    return settings


def read_settings_file(tree: type[S], path: str | Path | None, *, overrides: Mapping[str, Any] | None = None) -> S:
    """One YAML file by itself (`None`: none), without defaults and environment, under `overrides` by dotted keys.

    Checked and explained as by `read_settings`; raises `ConfigError`.
    """
    if path is not None and not Path(path).is_file():
        raise ConfigError(f"There is no file {path}.", source=str(path))
    layers = [] if path is None else [_parse(str(path), Path(path).read_text(encoding="utf-8"))]
    layers.append(_override_layer(overrides or {}))
    return _validated(tree, layers)


def packaged_configs() -> list[str]:
    """The names of the configurations that ship with the package: those that `config` accepts."""
    return sorted(
        entry.name.removesuffix(".yaml")
        for entry in files("configs").iterdir()
        if entry.name.endswith(".yaml") and _is_settings_file(entry.name)
    )


def _is_settings_file(name: str) -> bool:
    return name not in {"prices.yaml", "models.yaml"}


def _file_layers(config: str | Path | None) -> Iterator[Layer]:
    chain = [_load(DEFAULT_CONFIG)]
    wanted: str | Path | None = config
    seen: list[str] = []
    own: list[Layer] = []
    while wanted is not None and str(wanted) != DEFAULT_CONFIG:
        if str(wanted) in seen:
            raise ConfigError(
                f"Configurations extend each other in a circle: {' → '.join([*seen, str(wanted)])}.", key="extends"
            )
        seen.append(str(wanted))
        layer = _load(wanted)
        wanted = layer.values.get("extends")
        if wanted is not None and not isinstance(wanted, str):
            raise ConfigError(
                f"{layer.places['extends']}: extends: {wanted!r} is not a name.", key="extends", value=wanted
            )
        own.append(Layer(layer.name, {k: v for k, v in layer.values.items() if k != "extends"}, layer.places))
    yield from [*chain, *reversed(own)]


def _load(config: str | Path) -> Layer:
    path = Path(config)
    if path.suffix in {".yaml", ".yml"}:
        if not path.is_file():
            raise ConfigError(f"There is no configuration file at {path}.", source=str(path))
        return _parse(str(path), path.read_text(encoding="utf-8"))
    known = packaged_configs()
    if str(config) not in known:
        nearest = difflib.get_close_matches(str(config), known, n=1)
        hint = f"Did you mean '{nearest[0]}'?" if nearest else None
        raise ConfigError(
            f"There is no configuration named '{config}' (known: {', '.join(known)}; or the path of a .yaml file).",
            value=str(config),
            hint=hint,
        )
    return _parse(f"{config}.yaml", files("configs").joinpath(f"{config}.yaml").read_text(encoding="utf-8"))


def _parse(name: str, text: str) -> Layer:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{name}:{mark.line + 1}" if mark else name
        raise ConfigError(
            f"{place}: this is not valid YAML: {getattr(error, 'problem', error)}.", source=place
        ) from error
    if values is None:
        return Layer(name, {}, {})
    if not isinstance(values, dict):
        raise ConfigError(
            f"{name}: a configuration is a mapping of sections, not a {type(values).__name__}.", source=name
        )
    return Layer(name, values, dict(_places(node, name, ())))


def _places(node: Any, name: str, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, str(key.value))
            yield ".".join(here), f"{name}:{key.start_mark.line + 1}"
            yield from _places(value, name, here)


def _environment_layer(environ: Mapping[str, str]) -> Layer:
    values: dict[str, Any] = {}
    places: dict[str, str] = {}
    for variable in sorted(environ):
        if variable.startswith(ENVIRONMENT_PREFIX):
            key = variable.removeprefix(ENVIRONMENT_PREFIX).lower().replace("__", ".")
            _put(values, key, _scalar(environ[variable]))
            places[key] = f"environment variable {variable}"
    return Layer("environment", values, places)


def _scalar(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def _override_layer(overrides: Mapping[str, Any]) -> Layer:
    values: dict[str, Any] = {}
    for key, value in overrides.items():
        _put(values, key, value)
    return Layer("arguments", values, dict.fromkeys(overrides, "argument"))


def _put(values: dict[str, Any], key: str, value: Any) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
    values[last] = value


def _validated(tree: type[S], layers: list[Layer]) -> S:
    merged: dict[str, Any] = {}
    for layer in layers:
        _merge(merged, layer.values)
    try:
        return tree.model_validate(merged)
    except ValidationError as error:
        raise _explain(error, tree, layers) from error


def _merge(into: dict[str, Any], values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = dict(value) if isinstance(value, Mapping) else value


def _explain(error: ValidationError, tree: type[Settings], layers: list[Layer]) -> ConfigError:
    found = error.errors(include_url=False)
    # Of a slip in a name the right name is missing, too: what is there says more than what is not.
    first = next((each for each in found if each["type"] == "extra_forbidden"), found[0])
    path = tuple(str(part) for part in first["loc"])
    key = ".".join(path)
    around = [".".join(path[:length]) for length in range(len(path), 0, -1)]  # a list stands where it begins
    place = _place(layers, *around) or (layers[0].name if first["type"] == "missing" and layers else None)
    value = first["input"]
    candidates = _candidates(tree, path, first)
    near = difflib.get_close_matches(path[-1] if first["type"] == "extra_forbidden" else str(value), candidates, n=1)
    if first["type"] == "extra_forbidden":
        reason = "there is no such key"
    else:
        reason = first["msg"].removeprefix("Value error, ")
        reason = reason[:1].lower() + reason[1:]
    if not path:  # of keys that do not fit together: the reason names them, and the value is everything
        place, what = layers[0].name if layers else None, reason.rstrip(".")
    elif first["type"] == "missing":
        what = f"'{key}' is missing"
    elif first["type"] == "value_error" and isinstance(value, Mapping):  # of keys in one section
        place = _place(layers, *(f"{key}.{name}" for name in value if re.search(rf"\b{name}\b", reason)), key)
        what = f"{key}: {reason.rstrip('.')}"
    else:
        what = f"{key}: {value!r}: {reason.rstrip('.')}"
    hint = f"Did you mean '{near[0]}'?" if near else (f"Known here: {', '.join(candidates)}." if candidates else None)
    message = f"{place}: {what}." if place else f"{what}."
    return ConfigError(message, source=place, key=key, value=value, hint=hint)


def _place(layers: list[Layer], *keys: str) -> str | None:
    """Where the value that won stands; of several keys, the one in the latest layer."""
    return next((layer.places[key] for layer in reversed(layers) for key in keys if key in layer.places), None)


def _candidates(tree: type[Settings], path: tuple[str, ...], problem: Any) -> list[str]:
    if problem["type"] == "literal_error":
        return [part.strip(" '") for part in problem["ctx"]["expected"].replace(" or ", ", ").split(",")]
    if problem["type"] != "extra_forbidden":
        return []
    section: Any = tree
    for part in path[:-1]:
        section = _within(section, part)
    return sorted(section.model_fields) if _is_settings(section) else []


def _within(section: Any, part: str) -> Any:
    """The type of what stands under `part` in a section, a mapping or a list; `None` when that is not known."""
    if _is_settings(section):
        field = section.model_fields.get(part)
        return field and _plain(field.annotation)
    return _plain(get_args(section)[-1]) if get_origin(section) in (dict, list) else None


def _plain(annotation: Any) -> Any:
    """Without `None` beside it, and without what else is said of it."""
    if get_origin(annotation) in (Union, types.UnionType):
        return next((plain for each in get_args(annotation) if _is_within(plain := _plain(each))), None)
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _is_within(candidate: Any) -> bool:
    return _is_settings(candidate) or get_origin(candidate) in (dict, list)


def _is_settings(candidate: Any) -> bool:
    return isinstance(candidate, type) and issubclass(candidate, BaseModel)
