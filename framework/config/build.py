"""From a configuration node to a checked object. Nothing else in the project constructs a part from configuration.

Everything is checked against the constructor: the class, its interface, unknown keys, missing keys, types, and the same
for every part inside. Imports no torch itself, so that a node without a class is refused before anything heavy loads.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, get_type_hints

from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ConfigDict, TypeAdapter, ValidationError

from framework.config.closest import meant
from framework.core.errors import UsageError

T = TypeVar("T")


class ConfigError(UsageError):
    """Says that a configuration cannot work: what was got, what was expected and which key to change."""


def build(node: DictConfig | dict[str, Any], interface: type[T], key: str) -> T:
    """Builds the object that `node` describes, an `interface`. `key` is the node's path, for messages.

    Raises ConfigError where that cannot work.
    """
    return _construct(plain_node(node, key), interface, key)


def build_plain(node: DictConfig | dict[str, Any], cls: type[T], key: str) -> T:
    """Builds a value of a known class from a node without `_target_`; the rest is as in `build`."""
    return _construct({"_target_": f"{cls.__module__}.{cls.__qualname__}", **plain_node(node, key)}, cls, key)


def plain_node(node: DictConfig | dict[str, Any], key: str) -> dict[str, Any]:
    """Returns a node as a mapping, interpolations resolved. Raises ConfigError where it is none or cannot be."""
    try:
        plain = OmegaConf.to_container(OmegaConf.create(node) if isinstance(node, dict) else node, resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigError(f"{key}: {error}") from error
    if not isinstance(plain, dict):
        raise ConfigError(f"{key}: expected keys and values, got {plain!r}")
    return typing.cast(dict[str, Any], plain)


def _construct(node: dict[str, Any], interface: type[T] | tuple[type[T], ...], key: str) -> T:
    target = node.get("_target_")
    if not isinstance(target, str):
        raise ConfigError(
            f"{key}: no `_target_`; choose an option of this group or name a class (got keys {sorted(node)})"
        )
    try:
        cls = get_class(target)
    except Exception as error:
        raise ConfigError(f"{key}._target_: {target} is no class that can be imported ({error})") from error
    if not issubclass(cls, interface):
        names = " or ".join(one.__name__ for one in (interface if isinstance(interface, tuple) else (interface,)))
        raise ConfigError(f"{key}: {target} is no {names}; this group takes classes derived from it")
    try:
        return cls(**_arguments(node, cls, key))
    except (ValueError, TypeError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(_named(str(error), cls, key)) from error


def _named(message: str, cls: type, key: str) -> str:
    """A constructor's message behind the key it is about: that of an argument, where the message begins with it."""
    if message.startswith(key):
        return message
    about_argument = re.split(r"\W", message, maxsplit=1)[0] in inspect.signature(cls).parameters
    return f"{key}.{message}" if about_argument else f"{key}: {message}"


def _arguments(node: dict[str, Any], cls: type, key: str) -> dict[str, Any]:
    """The constructor arguments of `cls`, nested parts built, every value of the annotated type."""
    parameters = {name: p for name, p in inspect.signature(cls).parameters.items() if p.kind is not p.VAR_KEYWORD}
    given = {name: value for name, value in node.items() if name != "_target_"}
    check_keys(given, {name: p.default is p.empty for name, p in parameters.items()}, cls.__name__, key)
    hints = constructor_hints(cls)
    return {name: _value(value, hints.get(name, Any), f"{key}.{name}") for name, value in given.items()}


def constructor_hints(cls: type) -> dict[str, Any]:
    """Returns what the arguments of a class are annotated with.

    Fields that a dataclass inherits are annotated in the words of another module, which a generated `__init__` does not
    know and the class does.
    """
    arguments = [*inspect.signature(cls).parameters]
    by_fields = is_dataclass(cls) and [field.name for field in fields(cls) if field.init] == arguments
    return get_type_hints(cls if by_fields else cls.__init__)  # type: ignore[misc]


def check_keys(given: Collection[str], taken: Mapping[str, bool], name: str, key: str) -> None:
    """Checks that the keys `given` fit what the class `name` takes: argument -> whether it is required.

    Raises ConfigError for a key that it does not have, and for one that is missing.
    """
    if unknown := sorted(set(given) - set(taken)):
        near = meant(unknown[0], taken)
        raise ConfigError(f"{key}.{unknown[0]}: {name} has no such key; it has {sorted(taken) or 'none'}{near}")
    required = {argument for argument, needed in taken.items() if needed}
    if missing := sorted(required - set(given)):
        raise ConfigError(f"{key}.{missing[0]} is missing; {name} needs {sorted(required)}")


def _value(value: Any, hint: Any, key: str) -> Any:
    """One argument: parts with a `_target_`, dataclasses and collections of them are built, the rest checked."""
    if isinstance(value, dict) and "_target_" in value:
        return _construct(value, _classes(hint, value["_target_"], key), key)
    if isinstance(value, dict) and (record := _only(hint, is_dataclass)):
        return _construct({"_target_": f"{record.__module__}.{record.__qualname__}", **value}, record, key)
    if isinstance(value, dict) and value and (inner := _inner(hint, Mapping)) is not None:
        return {name: _value(part, inner, f"{key}.{name}") for name, part in value.items()}
    if isinstance(value, list) and (inner := _inner(hint, Sequence)) is not None:
        built = [_value(part, inner, f"{key}.{place}") for place, part in enumerate(value)]
        return tuple(built) if _only(hint, lambda one: typing.get_origin(one) is tuple) else built
    _refuse_parts(value, key)
    return checked_value(value, hint, key)


def checked_value(value: Any, hint: Any, key: str) -> Any:
    """Returns a plain value as the annotation `hint` wants it. Raises ConfigError where it is of another type."""
    try:
        return TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True)).validate_python(value)
    except ValidationError as error:
        wanted = getattr(hint, "__name__", None) if isinstance(hint, type) else str(hint).replace("typing.", "")
        raise ConfigError(f"{key}: got {value!r}, expected {wanted} ({error.errors()[0]['msg']})") from error


def _classes(hint: Any, target: object, key: str) -> tuple[type, ...]:
    """The classes that an annotation names, unions taken apart. ConfigError where no part belongs here."""
    found = tuple(one for one in _choices(hint) if isinstance(one, type) and one.__module__ != "builtins")
    if not found:
        raise ConfigError(f"{key}: takes a plain value, no part of its own; got `_target_: {target}`")
    return found


def _refuse_parts(value: Any, key: str) -> None:
    """ConfigError for a `_target_` anywhere inside a value that no annotation says how to build."""
    if isinstance(value, dict):
        if "_target_" in value:
            raise ConfigError(f"{key}: takes a plain value, no part of its own; got `_target_: {value['_target_']}`")
        for name, part in value.items():
            _refuse_parts(part, f"{key}.{name}")
    elif isinstance(value, list):
        for place, part in enumerate(value):
            _refuse_parts(part, f"{key}.{place}")


def _choices(hint: Any) -> list[Any]:
    """The members of a union, None left out; the hint alone where it is none."""
    members = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    return [one for one in members if one is not type(None)]


def _only(hint: Any, fits: Callable[[Any], bool]) -> Any:
    """The one member of a union that fits; None where none does, or several do."""
    found = [one for one in _choices(hint) if fits(one)]
    return found[0] if len(found) == 1 else None


def _inner(hint: Any, kind: type) -> Any:
    """What a mapping's values, or a sequence's items, are annotated with, where that is built; None otherwise."""
    for one in _choices(hint):
        origin, arguments = typing.get_origin(one), [a for a in typing.get_args(one) if a is not Ellipsis]
        if isinstance(origin, type) and issubclass(origin, kind) and arguments:
            inner = arguments[-1]
            built = [c for c in _choices(inner) if isinstance(c, type) and c.__module__ != "builtins"]
            return inner if built else None
    return None
