"""`sieve train gaze=...`: a resolved configuration to a finished stage.

It knows the layout of conf/gaze/; the modules it calls get plain values. A stage is one function of the registry.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from framework.config.build import build, build_plain
from framework.core.errors import UsageError
from framework.training.fit import Fit
from framework.training.running import Running
from framework.training.schedule import Schedule
from framework.video.readers.base import Reader
from strategies.learned.autogaze.reconstructor import checkpoint, official
from strategies.learned.autogaze.reconstructor.config import ReconstructorConfig
from strategies.learned.autogaze.reconstructor.model import Reconstructor
from strategies.learned.autogaze.reconstructor.source import PUBLISHED
from strategies.learned.autogaze.reconstructor.teachers import TeacherSettings
from strategies.learned.autogaze.training.clips import ClipSettings, StoredClips, clips
from strategies.learned.autogaze.training.greedy_search import check_shortlist
from strategies.learned.autogaze.training.labelling import SearchSettings, label
from strategies.learned.autogaze.training.random_masks import MaskSettings
from strategies.learned.autogaze.training.reconstructor import DrawSettings, ReconstructorRecipe, train_reconstructor

Stage = Callable[[DictConfig, Running], Path]
STAGES: dict[str, str] = {  # name of the stage -> where its function is
    "reconstructor": "strategies.learned.autogaze.training.recipes:reconstructor",
    "labels": "strategies.learned.autogaze.training.recipes:labels",
    "ntp": "strategies.learned.autogaze.training.policy_recipes:ntp",
    "grpo": "strategies.learned.autogaze.training.policy_recipes:grpo",
}


def train(cfg: DictConfig, running: Running) -> Path:
    """Train the stage that `cfg.gaze.name` names; the folder of what it made."""
    name = cfg.gaze.get("name")
    if name not in STAGES:
        raise UsageError(f"gaze.name: got {name!r}, expected one of {', '.join(STAGES)}")
    module, function = STAGES[name].split(":")
    stage: Stage = getattr(import_module(module), function)
    return stage(cfg, running)


def part(cfg: DictConfig, name: str, cls: type) -> Any:
    """A part of cfg.gaze as `cls`; mistakes name its key. Lists become tuples."""
    plain: Any = OmegaConf.to_container(cfg.gaze[name], resolve=True)
    return build_plain({key: tuple(v) if isinstance(v, list) else v for key, v in plain.items()}, cls, f"gaze.{name}")


def clip_sources(cfg: DictConfig, running: Running, size: int, frames: int) -> tuple[StoredClips, StoredClips]:
    """(To train on, held out), of cfg.gaze.clips."""
    settings = part(cfg, "clips", ClipSettings)

    def reader() -> Reader:
        return build(cfg.reader, Reader, "reader")  # type: ignore[type-abstract]

    return clips(settings, size, frames, reader, running.cache)


def told(cfg: DictConfig) -> Any:
    """The recipe, for the header of what it made: cfg.gaze in plain containers."""
    return OmegaConf.to_container(cfg.gaze, resolve=True)


def fit_of(cfg: DictConfig) -> Fit:
    """Schedule, seed and precision."""
    return Fit(part(cfg, "schedule", Schedule), (cfg.seed, GAZE_SEED), cfg.gaze.precision)


GAZE_SEED = 55  # of the batches, apart from other trainings


def reconstructor(cfg: DictConfig, running: Running) -> Path:
    """Stage 0."""
    network = part(cfg, "network", ReconstructorConfig)
    if cfg.gaze.clip_frames < network.frames:
        raise UsageError(
            f"gaze.clip_frames: got {cfg.gaze.clip_frames}, expected at least gaze.network.frames, {network.frames}"
        )
    draw = part(cfg, "draw", DrawSettings)
    if draw.rebuilt > network.frames:
        raise UsageError(f"gaze.draw.rebuilt: got {draw.rebuilt} of clips of gaze.network.frames, {network.frames}")
    teachers = tuple(build_plain(node, TeacherSettings, "gaze.teachers") for node in cfg.gaze.teachers)
    recipe = ReconstructorRecipe(network, draw, part(cfg, "masks", MaskSettings), teachers, fit_of(cfg))
    train_clips, held_out = clip_sources(cfg, running, network.side, cfg.gaze.clip_frames)
    for source in (train_clips, held_out):
        source.prepare()
    return train_reconstructor(recipe, train_clips, held_out, running, {"recipe": told(cfg)})


def load_reconstructor(cfg: DictConfig) -> Reconstructor:
    """The frozen network at cfg.gaze.reconstructor: a trained one, asset:NAME, or the published file.

    UsageError where it is none, or takes fewer frames.
    """
    key, path = "gaze.reconstructor", cfg.gaze.reconstructor
    published = path is not None and str(path).endswith(PUBLISHED)
    if path is None or not (published or checkpoint.file_at(path).is_file()):
        raise UsageError(
            f"{key}: got {path}, expected the folder of a trained reconstructor. `sieve train gaze=reconstructor` "
            "makes outputs/train/reconstructor/checkpoint"
        )
    try:
        network = official.load(path) if published else checkpoint.load(path)[0]
    except ValueError as error:
        raise UsageError(f"{key}: {error}") from error
    if not 1 <= cfg.gaze.frames <= network.config.frames:
        raise UsageError(f"gaze.frames: got {cfg.gaze.frames}, the reconstructor takes 1 to {network.config.frames}")
    return network.requires_grad_(False)


def labels(cfg: DictConfig, running: Running) -> Path:
    """The searched sequences of stage 1."""
    settings = part(cfg, "search", SearchSettings)
    network = load_reconstructor(cfg)
    try:
        check_shortlist(settings.shortlist, network.vocabulary, settings.most)
    except ValueError as error:
        raise UsageError(str(error)) from error
    torch.set_num_threads(running.threads)
    if running.accelerator != "cpu" and torch.cuda.is_available():
        network = network.cuda()
    train_clips, held_out = clip_sources(cfg, running, network.config.side, cfg.gaze.frames)
    for name, source in (("held_out.json", held_out), ("labels.json", train_clips)):
        source.prepare()
        label(network, source, cfg.gaze.frames, settings, cfg.seed, running.folder / name)
    return running.folder
