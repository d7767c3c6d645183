"""The configuration that a bench of the engine runs with: a preset of conf, on sizes of the bench's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from omegaconf import DictConfig

from framework.benchmarks.base import Benchmark
from framework.config.build import build, plain_node
from framework.config.compose import compose_root, words_of
from framework.config.parts import build_strategies
from framework.core.backbone import Backbone
from framework.core.types import Frames, Group, Question
from framework.engine.pipeline import Pipeline
from framework.profiling.noise import NoiseReader
from framework.video.sampling import Sampling
from framework.video.stream import FrameSource
from framework.video.timeline import timeline

VIDEO = "noise"  # the name of a film of NoiseReader, which is no file
SHORTEST, LONGEST = 64, 10_000  # frames of a film of the lab
LAYER = 20 / 28  # how deep in the language model the reference layer of the published methods lies


def compose(preset: str, ticks: int, layers: int, **overrides: Any) -> DictConfig:
    """Composes a preset on Qwen2.5-VL-7B's option, with groups of `ticks` ticks.

    `layers`: how many the language model has. Raises UsageError that names the key for what there is not.
    """
    words = {"preset": preset, "backbone": "qwen2_5_vl_7b", "splitter": "interleaved_ceil"}
    sizes = {"backbone.group_ticks": ticks, "backbone.reference_layer": int(LAYER * layers)}
    return compose_root(words_of({**words, **sizes, **overrides}))


def pipeline(cfg: DictConfig, reader: NoiseReader, backbone: Callable[[], Backbone]) -> Pipeline:
    """Builds the pipeline of a configuration that looks at all frames of a film of noise.

    Strategies come first; then `backbone` is called.
    """
    strategies = build_strategies(cfg)
    every = Sampling(fps=None, max_frames=reader.count, min_frames=1)
    return Pipeline(**strategies, backbone=backbone(), reader=reader, sampling=every, budget=cfg.budget, share=True)


def lab_film(cfg: DictConfig, folder: str, frames: int, count: int) -> tuple[str, list[Question]]:
    """Renders a needle film of `frames` frames into `folder`. Returns its path and `count` questions about it.

    A film has five questions; more are the same ones again, under other names.
    """
    node = {**plain_node(cfg.benchmark, "benchmark"), "videos": 1, "frames": frames, "folder": folder}
    (item,) = build(node, Benchmark, "benchmark")  # type: ignore[type-abstract]
    asked = [one.question for one in item.items]
    return item.path, [replace(asked[place % len(asked)], id=f"q{place}") for place in range(count)]


def looked_at(of: Pipeline) -> list[tuple[Group, Frames]]:
    """Returns every group of the film with its frames."""
    film = timeline(VIDEO, of.sampling, of.backbone.frames_per_tick, of.reader, of.backbone.tick_time)
    groups = of.splitter.split(film)
    info = of.reader.info(VIDEO)
    with FrameSource(film, of.reader, (info.height, info.width), groups) as source:
        return [(group, source.frames(group)) for group in groups]
