"""From a configuration node to a checked object. Nothing else in the project constructs a part from configuration.

Everything is checked against the constructor before anything heavy is loaded: the class, its interface, unknown keys,
missing keys, types. Strategies are built before the backbone, so that a wrong override costs a second and not a model
load.
"""

from __future__ import annotations

import inspect
import json
import re
import typing
from dataclasses import is_dataclass
from typing import Any, TypeVar, get_type_hints

from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ConfigDict, TypeAdapter, ValidationError

from framework.core.interfaces import (
    Answerer,
    Backbone,
    BudgetAllocator,
    GroupScheduler,
    GroupSplitter,
    RelevanceEstimator,
    StoppingPolicy,
    TokenRefiner,
    TokenScorer,
)
from framework.core.prompts import PromptTemplate
from framework.engine.pipeline import Pipeline
from framework.video.readers.base import Reader
from framework.video.sampling import Sampling

T = TypeVar("T")

INTERFACES: dict[str, type] = {
    "splitter": GroupSplitter,
    "scheduler": GroupScheduler,
    "scorer": TokenScorer,
    "relevance": RelevanceEstimator,
    "allocator": BudgetAllocator,
    "refiner": TokenRefiner,
    "stopping": StoppingPolicy,
    "answerer": Answerer,
}
_backbones: dict[str, Backbone] = {}


class ConfigError(ValueError):
    """The configuration cannot work; the message says what was got, what was expected and which key to change."""


def build(node: DictConfig | dict[str, Any], interface: type[T], key: str) -> T:
    """The object that `node` describes, an `interface`. `key` is the node's path, for messages."""
    return _construct(_plain(node, key), interface, key)


def build_pipeline(cfg: DictConfig) -> Pipeline:
    """The whole pipeline of a composed configuration: strategies first, the backbone last."""
    strategies: dict[str, Any] = {key: build(cfg[key], interface, key) for key, interface in INTERFACES.items()}
    try:
        strategies["allocator"].check(strategies["scorer"])
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if not isinstance(cfg.budget, int) or cfg.budget < 1:
        raise ConfigError(f"budget must be a whole number of tokens >= 1, got {cfg.budget!r} (key: budget)")
    reader = build(cfg.reader, Reader, "reader")  # type: ignore[type-abstract]
    sampling = build_plain(cfg.backbone.sampling, Sampling, "backbone.sampling")
    prompt_template(cfg)
    return Pipeline(
        **strategies, backbone=build_backbone(cfg), reader=reader, sampling=sampling, budget=cfg.budget, share=cfg.share
    )


def build_backbone(cfg: DictConfig) -> Backbone:
    """The backbone, kept for the next cell of a sweep that asks for the same one."""
    node = _plain(cfg.backbone.adapter, "backbone.adapter")
    identity = json.dumps(node, sort_keys=True)
    if identity not in _backbones:
        _backbones.clear()
        _backbones[identity] = _construct(node, Backbone, "backbone.adapter")  # type: ignore[type-abstract]
    return _backbones[identity]


def prompt_template(cfg: DictConfig) -> PromptTemplate:
    """How this backbone likes its questions."""
    return build_plain(cfg.backbone.prompt, PromptTemplate, "backbone.prompt")


def build_plain(node: DictConfig | dict[str, Any], cls: type[T], key: str) -> T:
    """A value of a known class, from a node without `_target_`."""
    return _construct({"_target_": f"{cls.__module__}.{cls.__qualname__}", **_plain(node, key)}, cls, key)


def _plain(node: DictConfig | dict[str, Any], key: str) -> dict[str, Any]:
    try:
        plain = OmegaConf.to_container(OmegaConf.create(node) if isinstance(node, dict) else node, resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigError(f"{key}: {error}") from error
    if not isinstance(plain, dict):
        raise ConfigError(f"{key}: expected keys and values, got {plain!r}")
    return typing.cast(dict[str, Any], plain)


def _construct(node: dict[str, Any], interface: type[T], key: str) -> T:
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
        raise ConfigError(f"{key}: {target} is no {interface.__name__}; this group takes classes derived from it")
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
    if unknown := sorted(set(given) - set(parameters)):
        raise ConfigError(f"{key}.{unknown[0]}: {cls.__name__} has no such key; it has {sorted(parameters) or 'none'}")
    required = {name for name, p in parameters.items() if p.default is p.empty}
    if missing := sorted(required - set(given)):
        raise ConfigError(f"{key}.{missing[0]} is missing; {cls.__name__} needs {sorted(required)}")
    hints = get_type_hints(cls.__init__)  # type: ignore[misc]
    return {name: _value(value, hints.get(name, Any), f"{key}.{name}") for name, value in given.items()}


def _value(value: Any, hint: Any, key: str) -> Any:
    if isinstance(value, dict) and "_target_" in value:
        return _construct(value, hint if isinstance(hint, type) else object, key)
    if isinstance(value, dict) and value and all(isinstance(v, dict) and "_target_" in v for v in value.values()):
        inner = typing.get_args(hint)[1] if len(typing.get_args(hint)) == 2 else object
        return {name: _construct(part, inner, f"{key}.{name}") for name, part in value.items()}
    if isinstance(value, dict) and isinstance(hint, type) and is_dataclass(hint):
        return _construct({"_target_": f"{hint.__module__}.{hint.__qualname__}", **value}, hint, key)
    try:
        return TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True)).validate_python(value)
    except ValidationError as error:
        wanted = getattr(hint, "__name__", None) if isinstance(hint, type) else str(hint).replace("typing.", "")
        raise ConfigError(f"{key}: got {value!r}, expected {wanted} ({error.errors()[0]['msg']})") from error
