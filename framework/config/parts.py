"""The parts of a run out of a composed configuration: the pipeline, its backbone, how a backbone likes its questions.

Strategies are built before the backbone, so that a wrong override costs a second and not a model load.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import nullcontext
from functools import reduce
from typing import Any, get_type_hints

from omegaconf import DictConfig, OmegaConf

from framework.backbones.checkpoint import find
from framework.backbones.overlay import WeightOverlay
from framework.backbones.scope import Scope
from framework.config.build import ConfigError, build, build_plain
from framework.config.groups import STRATEGIES
from framework.config.prober import about_prober, check_carried, check_prober, has_prober
from framework.config.root import check_root
from framework.core.backbone import Backbone
from framework.core.interfaces import Strategy
from framework.core.prompts import PromptTemplate
from framework.core.view import Needs
from framework.engine.pipeline import Pipeline
from framework.video.readers.base import Reader
from framework.video.sampling import Sampling

INTERFACES: dict[str, type] = {group: get_type_hints(Pipeline)[group] for group in STRATEGIES}
_backbones: dict[str, Backbone] = {}


def build_strategies(cfg: DictConfig) -> dict[str, Any]:
    """Builds the eight strategies, by group. Raises ConfigError where two do not serve each other."""
    strategies: dict[str, Any] = {group: build(cfg[group], interface, group) for group, interface in INTERFACES.items()}
    try:
        strategies["allocator"].check(strategies["scorer"])
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return strategies


def build_pipeline(cfg: DictConfig, video: str | None = None) -> Pipeline:
    """Builds the whole pipeline of a composed configuration: strategies first, the backbone last.

    `video`: a file that it will be asked about. Raises VideoError, before the backbone is loaded, if it is no usable
    video.
    """
    strategies = build_strategies(cfg)
    check_root(cfg)
    check_prober(cfg)
    if has_prober(cfg):
        check_carried(strategies, any(not strategy.needs.nothing for strategy in strategies.values()))
    reader = build(cfg.reader, Reader, "reader")  # type: ignore[type-abstract]
    sampling = build_plain(cfg.backbone.sampling, Sampling, "backbone.sampling")
    prompt_template(cfg)
    if video is not None:
        reader.info(video)
    _check_attention(cfg, strategies.values())
    models = build_models(cfg)
    try:
        return Pipeline(
            **strategies,
            backbone=models["backbone"],
            prober=models.get("prober"),
            reader=reader,
            sampling=sampling,
            budget=cfg.budget,
            share=cfg.share,
            offload=bool(cfg.get("offload", False)),
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _ours(adapter: DictConfig) -> bool:
    """Whether an adapter is one of ours, whose `checkpoint` is a model of transformers."""
    return str(adapter.get("_target_")).startswith("framework.backbones.")


def _name(adapter: DictConfig) -> str:
    """The name of its class."""
    return str(adapter._target_).rpartition(".")[2]


def _check_attention(cfg: DictConfig, strategies: Iterable[Strategy]) -> None:
    """UsageError where a strategy asks for attention at a layer that the checkpoint of an adapter of ours has not."""
    asked = reduce(Needs.__or__, (strategy.needs for strategy in strategies)).attention
    looks = "prober" if has_prober(cfg) else "backbone"
    adapter = cfg[looks].adapter
    if asked and _ours(adapter):
        from framework.backbones.attended import check_checkpoint  # transformers: only where it is loaded anyway

        check_checkpoint(_name(adapter), str(adapter.checkpoint), asked, looks)


def build_backbone(cfg: DictConfig) -> Backbone:
    """Builds the backbone, or returns the one that the run before asked for, if it is the same."""
    return build_models(cfg)["backbone"]


def build_models(cfg: DictConfig) -> dict[str, Backbone]:
    """Builds the prober, if there is one, and the backbone.

    Those that the run before asked for as well are not built again.
    """
    nodes = {key: cfg[key].adapter for key in ("prober", "backbone") if OmegaConf.select(cfg, key) is not None}
    names = {key: json.dumps(OmegaConf.to_container(node, resolve=True), sort_keys=True) for key, node in nodes.items()}
    for name in _backbones.keys() - names.values():
        del _backbones[name]
    for key, name in names.items():
        if name not in _backbones:
            _check_overlay(cfg)
            with about_prober() if key == "prober" else nullcontext():
                _backbones[name] = build(nodes[key], Backbone, "backbone.adapter")  # type: ignore[type-abstract]
        model = _backbones[name]
        model.rest() if cfg.get("offload") else model.wake()  # two may not fit
    return {key: _backbones[name] for key, name in names.items()}


def _check_overlay(cfg: DictConfig) -> None:
    """ConfigError where an overlay brings weights for an adapter that takes none."""
    adapter = cfg.backbone.adapter
    if OmegaConf.select(cfg, "overlay") is None or "overlay" in adapter or not _ours(adapter):
        return
    overlay = build(cfg.overlay, WeightOverlay, "overlay")  # type: ignore[type-abstract]
    if overlay.prepare(*find(str(adapter.checkpoint))) is not None:
        raise ConfigError(
            f"overlay: {type(overlay).__name__} brings weights that {_name(adapter)} cannot be given: choose the "
            "backbone that they were made from, or set overlay=none"
        )


def build_scope(cfg: DictConfig) -> Scope | None:
    """Builds what the backbone's weights are for. None: its option does not say."""
    node = OmegaConf.select(cfg, "backbone.scope")
    return None if node is None else build(node, Scope, "backbone.scope")  # type: ignore[type-abstract]


def prompt_template(cfg: DictConfig) -> PromptTemplate:
    """Builds the template that says how this backbone likes its questions."""
    return build_plain(cfg.backbone.prompt, PromptTemplate, "backbone.prompt")
