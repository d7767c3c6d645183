"""`sieve train recipe=autogaze_reconstructor` and `recipe=autogaze_labels`: what the gaze's own two stages stand on.

What all four stages share is here too: their clips, the frozen reconstructor and the seed of their batches.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from framework.core.errors import UsageError
from framework.training.fit import Fit
from framework.training.recipe import TrainingRecipe, Workshop
from framework.training.schedule import Schedule
from strategies.learned.autogaze.reconstructor import checkpoint, official
from strategies.learned.autogaze.reconstructor.config import ReconstructorConfig
from strategies.learned.autogaze.reconstructor.model import Reconstructor
from strategies.learned.autogaze.reconstructor.source import PUBLISHED
from strategies.learned.autogaze.reconstructor.teachers import TeacherSettings
from strategies.learned.autogaze.training.clips import ClipSettings, StoredClips, clips
from strategies.learned.autogaze.training.greedy_search import check_shortlist
from strategies.learned.autogaze.training.labelling import SearchSettings, label
from strategies.learned.autogaze.training.random_masks import MaskSettings
from strategies.learned.autogaze.training.reconstructor import DrawSettings, ReconstructorTraining, train_reconstructor

SEED = 55  # of the batches, apart from other trainings


@dataclass(frozen=True)
class ReconstructorRecipe(TrainingRecipe):
    """Trains stage 0: the reconstructor learns to rebuild frames from patches picked at random."""

    name: str
    network: ReconstructorConfig
    clips: ClipSettings
    clip_frames: int  # of a stored clip; a step sees `network.frames` of them in a row
    draw: DrawSettings
    masks: MaskSettings
    teachers: tuple[TeacherSettings, ...]
    schedule: Schedule
    precision: str

    def __post_init__(self) -> None:
        if self.clip_frames < self.network.frames:
            raise ValueError(
                f"clip_frames: got {self.clip_frames}, expected at least recipe.network.frames, {self.network.frames}"
            )
        if self.draw.rebuilt > self.network.frames:
            raise ValueError(
                f"draw.rebuilt: got {self.draw.rebuilt} of clips of recipe.network.frames, {self.network.frames}"
            )

    def train(self, workshop: Workshop) -> Path:
        """Trains the network. Returns the folder of the checkpoint."""
        how = Fit(self.schedule, (workshop.seed, SEED), self.precision)
        training = ReconstructorTraining(self.network, self.draw, self.masks, self.teachers, how)
        sources = clip_sources(self.clips, workshop, self.network.side, self.clip_frames)
        for source in sources:
            source.prepare()
        return train_reconstructor(training, *sources, workshop.running, {"recipe": workshop.settings})


@dataclass(frozen=True)
class LabelsRecipe(TrainingRecipe):
    """Makes the labels of stage 1: a search for the picks that let the frozen reconstructor rebuild a clip best."""

    name: str
    reconstructor: str | None
    frames: int  # of a clip
    clips: ClipSettings
    search: SearchSettings

    def train(self, workshop: Workshop) -> Path:
        """Searches all clips. Returns the folder with labels.json and held_out.json."""
        running, network = workshop.running, load_reconstructor(self.reconstructor, self.frames)
        try:
            check_shortlist(self.search.shortlist, network.vocabulary, self.search.most)
        except ValueError as error:
            raise UsageError(str(error)) from error
        torch.set_num_threads(running.threads)
        if running.accelerator != "cpu" and torch.cuda.is_available():
            network = network.cuda()
        train_clips, held_out = clip_sources(self.clips, workshop, network.config.side, self.frames)
        for name, source in (("held_out.json", held_out), ("labels.json", train_clips)):
            source.prepare()
            label(network, source, self.frames, self.search, workshop.seed, running.folder / name)
        return running.folder


def clip_sources(settings: ClipSettings, workshop: Workshop, size: int, frames: int) -> tuple[StoredClips, StoredClips]:
    """Returns the clips to train on and the held-out ones, each of `frames` frames of `size` pixels."""
    return clips(settings, size, frames, workshop.reader, workshop.running.cache)


def load_reconstructor(path: str | None, frames: int) -> Reconstructor:
    """Loads the frozen network at `path`: a trained one, asset:NAME, or the published file.

    Raises UsageError where it is none, or takes fewer than `frames` frames.
    """
    key = "recipe.reconstructor"
    published = path is not None and path.endswith(PUBLISHED)
    if path is None or not (published or checkpoint.file_at(path).is_file()):
        raise UsageError(
            f"{key}: got {path}, expected the folder of a trained reconstructor. `{checkpoint.WRITER}` makes "
            "outputs/train/autogaze_reconstructor/checkpoint"
        )
    try:
        network = official.load(path) if published else checkpoint.load(path)[0]
    except ValueError as error:
        raise UsageError(f"{key}: {error}") from error
    if not 1 <= frames <= network.config.frames:
        raise UsageError(f"recipe.frames: got {frames}, the reconstructor takes 1 to {network.config.frames}")
    return network.requires_grad_(False)
