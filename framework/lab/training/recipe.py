"""The lab model from nothing to a checkpoint: vision, then language on oracle tokens, then both together.

A recipe may also start from a checkpoint, and a phase may learn on subsets of visual tokens that were encoded before.

Every phase is one fit in a folder of its own. A finished phase leaves its weights behind and an interrupted one its
last checkpoint, so the same command continues where it stopped.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import lightning
import torch
from safetensors.torch import load_model, save_model
from transformers import PreTrainedTokenizerFast, Qwen2_5_VLForConditionalGeneration

from framework.backbones import equal_chunk_attention, loading
from framework.core.errors import UsageError
from framework.lab.features import NeedleFeatures, NeedleSettings
from framework.lab.model import HEAD, HIDDEN, SLIDING_WINDOW, build_model, save_checkpoint
from framework.lab.training.batches import LanguageSettings, language_batch, vision_batch, vocabulary_of
from framework.lab.training.clips import ClipSettings
from framework.lab.training.language import LabLanguage, LossSettings
from framework.lab.training.metrics import answers, by_split
from framework.lab.training.questions import Asker, QuestionSettings
from framework.lab.training.token_subsets import SubsetSettings, subset_batch
from framework.lab.training.vision import LabVision
from framework.training.batches import Steps
from framework.training.complete import complete_file, complete_folder
from framework.training.fit import Fit, Make, Measure, fit
from framework.training.folder_guard import claim_folder
from framework.training.recipe import TrainingRecipe, Workshop
from framework.training.running import Running
from framework.training.schedule import Schedule

log = logging.getLogger(__name__)
MEASURED = 1_000_000  # seed of the clips that are measured: never those of a training step


@dataclass(frozen=True)
class VisionSettings:
    """Says how large the batches of a vision phase are."""

    clips: int
    frames: int  # of each


@dataclass(frozen=True)
class Phase:
    """Describes one phase of the recipe.

    A vision phase has `vision` and `clips`. A language phase has `questions` and `losses`,
    and either `clips` with `batches` or `needles` with `subsets`.
    """

    schedule: Schedule
    clips: ClipSettings | None = None
    vision: VisionSettings | None = None
    batches: LanguageSettings | None = None
    questions: QuestionSettings | None = None
    losses: LossSettings | None = None
    needles: Mapping[str, NeedleSettings] | None = None  # the videos to train on (train), those to measure on (measure)
    subsets: SubsetSettings | None = None

    def __post_init__(self) -> None:
        parts = {field.name for field in fields(self)} - {"schedule"}
        given = {name for name in parts if getattr(self, name) is not None}
        kinds = (
            {"vision", "clips"},
            {"questions", "losses", "clips", "batches"},
            {"questions", "losses", "needles", "subsets"},
        )
        if given not in kinds:
            wanted = "; or ".join(", ".join(sorted(kind)) for kind in kinds)
            raise ValueError(f"a phase has, beside schedule, {wanted}; got {', '.join(sorted(given)) or 'nothing'}")
        if self.needles is not None and set(self.needles) != {"train", "measure"}:
            raise ValueError(f"needles: got {', '.join(sorted(self.needles))}, expected train and measure")


@dataclass(frozen=True)
class LabRecipe(TrainingRecipe):
    """Trains a lab model: phases in order, from a fresh model of this `width` or from the checkpoint `start`."""

    name: str
    phases: Mapping[str, Phase]
    start: str | None = None
    width: int = HIDDEN  # of a fresh model: an even number of heads of 32

    def __post_init__(self) -> None:
        if self.width < 2 * HEAD or self.width % (2 * HEAD):
            raise ValueError(
                f"width must be a multiple of {2 * HEAD}, an even number of heads of {HEAD}; got {self.width}"
            )

    def train(self, workshop: Workshop) -> Path:
        """Runs every phase that is not finished. Returns the folder of the resulting checkpoint."""
        return train(self, workshop.seed, workshop.running)


def train(recipe: LabRecipe, seed: int, running: Running) -> Path:
    """Runs every phase that is not finished. Returns the folder of the resulting checkpoint."""
    torch.set_num_threads(running.threads)
    lightning.seed_everything(seed, verbose=False)
    model, tokenizer = build_model(seed, recipe.width) if recipe.start is None else load(recipe.start)
    model.set_attn_implementation({"vision_config": equal_chunk_attention.register()})
    so_far: dict[str, Any] = {"seed": seed, "start": recipe.start}
    if recipe.width != HIDDEN:
        so_far["width"] = recipe.width
    for number, (name, phase) in enumerate(recipe.phases.items()):
        so_far[name] = asdict(phase)
        own = replace(running, folder=running.folder / name)
        finished = own.folder / "finished.safetensors"
        if finished.exists():
            log.info("phase %s is finished: %s", name, finished)
            load_model(model, finished)
            continue
        claim_folder(own.folder, so_far)
        _fit(model, tokenizer, phase, (seed, number), own)
        with complete_file(finished) as file:
            save_model(model, str(file))
    model.set_attn_implementation({"vision_config": "sdpa"})
    folder = running.folder / "checkpoint"
    with complete_folder(folder) as part:
        save_checkpoint(model.eval(), tokenizer, part)
    return folder


def _fit(
    model: Qwen2_5_VLForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    phase: Phase,
    seeds: tuple[int, int],
    running: Running,
) -> None:
    """One phase, continued from its last checkpoint if there is one."""
    features = {name: NeedleFeatures(s, model, running.cache) for name, s in (phase.needles or {}).items()}
    make = batch_maker(phase, tokenizer, features.get("train"))
    pixels = phase.vision is not None or (phase.batches is not None and not phase.batches.oracle)
    model.model.visual.requires_grad_(pixels)
    module: lightning.LightningModule
    measure: Measure | None = None
    if phase.vision is not None:
        module = LabVision(model, tokenizer, phase.schedule)
    else:
        assert phase.losses is not None
        module = LabLanguage(model, tokenizer, phase.schedule, phase.losses)
        held_out = batch_maker(phase, tokenizer, features.get("measure"))
        measure = measurement(held_out, phase.schedule.steps, running.measure_batches, (*seeds, MEASURED))
    model.train()
    fit(module, make, measure, Fit(phase.schedule, seeds), running)


def measurement(make: Make, step: int, batches: int, seeds: tuple[int, ...]) -> Measure:
    """Returns what measures accuracy and entropies by split on `batches` of `make`, drawn as at `step`."""

    def measure(module: Any) -> dict[str, dict[str, float]]:
        data = Steps(lambda generator, _: make(generator, step), batches, seeds)
        table = answers(module, (module.transfer_batch_to_device(b, module.device, 0) for b in data))
        return {name: values.row() for name, values in by_split(table).items()}

    return measure


def load(checkpoint: str) -> tuple[Qwen2_5_VLForConditionalGeneration, PreTrainedTokenizerFast]:
    """Loads a lab model in fp32 and its tokenizer. `checkpoint` as in conf/backbone.

    Raises UsageError that names `recipe.start` where the checkpoint cannot be used, as a backbone's would be refused.
    """
    cpu = torch.device("cpu")
    try:
        opened = loading.open_checkpoint(checkpoint, "qwen2_5_vl")
        model = loading.load_model(
            Qwen2_5_VLForConditionalGeneration, opened.place, opened.local, "float32", cpu, None, "sdpa"
        )
        return model, opened.tokenizer
    except ValueError as error:
        raise UsageError(str(error).replace(f"{loading.KEY}.checkpoint", "recipe.start")) from error


def batch_maker(
    phase: Phase, tokenizer: PreTrainedTokenizerFast, features: NeedleFeatures | None = None
) -> Callable[[Any, int], Any]:
    """Returns the function (generator, step) -> batch of a phase."""
    if phase.vision is not None:
        vision, drawn = phase.vision, phase.clips
        assert drawn is not None
        return lambda generator, step: vision_batch(generator, vision.clips, vision.frames, drawn)
    assert phase.questions is not None
    asker = Asker(phase.questions, vocabulary_of(tokenizer))
    if phase.subsets is not None:
        subsets = phase.subsets
        assert features is not None
        return lambda generator, step: subset_batch(generator, features, subsets, asker, SLIDING_WINDOW)
    batches, settings = phase.batches, phase.clips
    assert batches is not None and settings is not None
    return lambda generator, step: language_batch(generator, step, batches, settings, asker, SLIDING_WINDOW)
