"""The parts of a run out of a composed configuration: the pipeline, its backbone, how a backbone likes its questions.

Strategies are built before the backbone, so that a wrong override costs a second and not a model load.
"""

from __future__ import annotations

import json
import logging
from typing import Any, get_type_hints

from omegaconf import DictConfig, OmegaConf

from framework.backbones.scope import Scope
from framework.config.build import ConfigError, build, build_plain
from framework.config.groups import STRATEGIES
from framework.config.root import check_root
from framework.core.interfaces import Backbone
from framework.core.prompts import PromptTemplate
from framework.engine.pipeline import Pipeline
from framework.video.readers.base import Reader
from framework.video.sampling import Sampling

INTERFACES: dict[str, type] = {group: get_type_hints(Pipeline)[group] for group in STRATEGIES}
_backbones: dict[str, Backbone] = {}
_log = logging.getLogger(__name__)


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
    reader = build(cfg.reader, Reader, "reader")  # type: ignore[type-abstract]
    sampling = build_plain(cfg.backbone.sampling, Sampling, "backbone.sampling")
    prompt_template(cfg)
    if video is not None:
        reader.info(video)
    pipeline = Pipeline(
        **strategies, backbone=build_backbone(cfg), reader=reader, sampling=sampling, budget=cfg.budget, share=cfg.share
    )
    _warn_of_layers(pipeline)
    return pipeline


def _warn_of_layers(pipeline: Pipeline) -> None:
    """A log line where attention is captured at a layer that does not have all features of the tower yet."""
    layers, whole = pipeline.needs.attention, pipeline.backbone.whole_from
    if early := [layer for layer in layers if layer < whole]:
        _log.warning(
            "attention is captured at layer %s, but the language model has all features of the tower from layer %s on: "
            "set backbone.reference_layer or scorer.layers to %s or more",
            *(", ".join(map(str, early)), whole, whole),
        )


def build_backbone(cfg: DictConfig) -> Backbone:
    """Builds the backbone, or returns the one that the run before asked for, if it is the same."""
    identity = json.dumps(OmegaConf.to_container(cfg.backbone.adapter, resolve=True), sort_keys=True)
    if identity not in _backbones:
        _backbones.clear()
        _backbones[identity] = build(cfg.backbone.adapter, Backbone, "backbone.adapter")  # type: ignore[type-abstract]
    return _backbones[identity]


def build_scope(cfg: DictConfig) -> Scope | None:
    """Builds what the backbone's weights are for. None: its option does not say."""
    node = OmegaConf.select(cfg, "backbone.scope")
    return None if node is None else build(node, Scope, "backbone.scope")  # type: ignore[type-abstract]


def prompt_template(cfg: DictConfig) -> PromptTemplate:
    """Builds the template that says how this backbone likes its questions."""
    return build_plain(cfg.backbone.prompt, PromptTemplate, "backbone.prompt")
