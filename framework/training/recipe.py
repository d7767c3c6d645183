"""What `sieve train` trains: an option of conf/recipe, built and checked like every other part. Knows no recipe."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf

from framework.config.build import build, build_plain
from framework.core.backbone import Backbone
from framework.core.prompts import PromptTemplate
from framework.training.running import Running
from framework.video.readers.base import Reader
from framework.video.sampling import Sampling


@dataclass(frozen=True)
class Workshop:
    """Holds what a recipe is given beside its own keys: the seed, how to run, and the parts that it may ask for.

    Parts are built when they are asked for, so that a recipe checks its own settings before a model is loaded.
    """

    cfg: DictConfig  # conf/train.yaml, composed
    running: Running

    @property
    def seed(self) -> int:
        """Returns where every random choice starts."""
        return int(self.cfg.seed)

    @property
    def settings(self) -> Any:
        """Returns the recipe in plain containers, for the header of what it made."""
        return OmegaConf.to_container(self.cfg.recipe, resolve=True)

    @property
    def adapter(self) -> type:
        """Returns the class of the configured backbone. No weight is read."""
        return get_class(str(self.cfg.backbone.adapter.get("_target_")))

    def backbone(self) -> Backbone:
        """Builds the configured backbone, one of its own for whoever asks: a training may change it."""
        return build(self.cfg.backbone.adapter, Backbone, "backbone.adapter")  # type: ignore[type-abstract]

    def prompt(self) -> PromptTemplate:
        """Builds the template that says how the backbone likes its questions."""
        return build_plain(self.cfg.backbone.prompt, PromptTemplate, "backbone.prompt")

    def reader(self) -> Reader:
        """Builds the configured reader, for videos of one's own."""
        return build(self.cfg.reader, Reader, "reader")  # type: ignore[type-abstract]

    def sampling(self) -> Sampling:
        """Builds what says which frames of a video the backbone looks at."""
        return build_plain(self.cfg.backbone.sampling, Sampling, "backbone.sampling")


class TrainingRecipe(ABC):
    """Trains one thing, from its settings to a checkpoint.

    Contract: the fields are the keys of its yaml; `name` is the default folder below outputs/train. Run again in the
    same folder, `train` goes on where it was stopped and ends with the same weights. Files appear only when complete.
    """

    name: str

    @abstractmethod
    def train(self, workshop: Workshop) -> Path:
        """Trains, or goes on training, in `workshop.running.folder`. Returns the folder of what it made.

        Raises UsageError naming the key, before anything heavy is loaded, for settings that do not fit each other.
        """
