"""The lab model from nothing to a checkpoint: vision, then language on oracle tokens, then both together.

A recipe may also start from a checkpoint, and a phase may learn on subsets of visual tokens that were encoded before.

Every phase is one Lightning fit by steps. A finished phase leaves its weights behind and an interrupted one its last
checkpoint, so the same command continues where it stopped.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, TQDMProgressBar
from safetensors.torch import load_model, save_model
from torch.utils.data import DataLoader
from transformers import AutoConfig, AutoTokenizer, PreTrainedTokenizerFast, Qwen2_5_VLForConditionalGeneration

from framework.backbones import equal_chunk_attention
from framework.backbones.loading import locate_checkpoint
from framework.lab.features import NeedleFeatures, NeedleSettings
from framework.lab.model import SLIDING_WINDOW, build_model, save_checkpoint
from framework.lab.training.batches import LanguageSettings, language_batch, vision_batch, vocabulary_of
from framework.lab.training.clips import ClipSettings
from framework.lab.training.language import LabLanguage, LossSettings
from framework.lab.training.metrics import answers, by_split
from framework.lab.training.questions import Asker, QuestionSettings
from framework.lab.training.token_subsets import SubsetSettings, subset_batch
from framework.lab.training.vision import LabVision
from framework.training.batches import Steps
from framework.training.running import Running
from framework.training.schedule import Schedule

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Phase:
    """One phase of the recipe. A vision phase has `vision` = (clips, frames); a language phase `questions` and
    `losses`, and either `clips` with `batches` or `needles` with `subsets`."""

    name: str
    schedule: Schedule
    clips: ClipSettings | None = None
    vision: tuple[int, int] | None = None
    batches: LanguageSettings | None = None
    questions: QuestionSettings | None = None
    losses: LossSettings | None = None
    needles: Mapping[str, NeedleSettings] | None = None  # the videos to train on and those to measure on
    subsets: SubsetSettings | None = None


@dataclass(frozen=True)
class Recipe:
    """Phases in order, from a fresh model or from the checkpoint `start`.

    `rope_theta`, if given, replaces the checkpoint's: the larger, the longer the videos in which a time-position is
    unlike every other.
    """

    phases: Sequence[Phase]
    seed: int
    start: str | None = None
    rope_theta: float | None = None


def train(recipe: Recipe, running: Running) -> Path:
    """Run every phase that is not finished; the folder of the resulting checkpoint."""
    torch.set_num_threads(running.threads)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    lightning.seed_everything(recipe.seed, verbose=False)
    model, tokenizer = build_model(recipe.seed) if recipe.start is None else load(recipe.start, recipe.rope_theta)
    model.set_attn_implementation({"vision_config": equal_chunk_attention.register()})
    for number, phase in enumerate(recipe.phases):
        finished = running.folder / phase.name / "finished.safetensors"
        if finished.exists():
            log.info("phase %s is finished: %s", phase.name, finished)
            load_model(model, finished)
            continue
        _fit(model, tokenizer, phase, (recipe.seed, number), running)
        save_model(model, str(finished))
    model.set_attn_implementation({"vision_config": "sdpa"})
    return save_checkpoint(model.eval(), tokenizer, running.folder / "checkpoint")


def _fit(
    model: Qwen2_5_VLForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    phase: Phase,
    seeds: tuple[int, int],
    running: Running,
) -> None:
    """One phase, continued from its last checkpoint if there is one."""
    folder = running.folder / phase.name
    features = {name: NeedleFeatures(s, model, running.cache) for name, s in (phase.needles or {}).items()}
    make = batch_maker(phase, tokenizer, features.get("train"))
    oracle = phase.batches is not None and phase.batches.oracle
    model.model.visual.requires_grad_(not oracle and phase.subsets is None)
    feed = _Feed(Steps(make, phase.schedule.steps, seeds), running.workers)
    callbacks: list[Callback] = [
        ModelCheckpoint(folder, "last", every_n_train_steps=running.save_every, enable_version_counter=False),
    ]
    module: lightning.LightningModule
    if phase.vision is not None:
        module = LabVision(model, tokenizer, phase.schedule)
    else:
        assert phase.losses is not None
        module = LabLanguage(model, tokenizer, phase.schedule, phase.losses)
        held_out = batch_maker(phase, tokenizer, features.get("measure"))
        callbacks.append(_Measure(phase, held_out, (*seeds, MEASURED), running))
    if running.progress:
        callbacks.append(TQDMProgressBar(refresh_rate=20))
    trainer = lightning.Trainer(
        max_steps=phase.schedule.steps,
        accelerator=running.accelerator,
        devices=1,
        gradient_clip_val=phase.schedule.clip,
        callbacks=callbacks,
        logger=running.logger(folder),
        log_every_n_steps=25,
        enable_progress_bar=running.progress,
        enable_model_summary=False,
        default_root_dir=folder,
    )
    last = folder / "last.ckpt"
    model.train()
    trainer.fit(module, feed, ckpt_path=str(last) if last.exists() else None, weights_only=False)


MEASURED = 1_000_000  # seed of the clips that are measured: never those of a training step


def load(
    checkpoint: str, rope_theta: float | None = None
) -> tuple[Qwen2_5_VLForConditionalGeneration, PreTrainedTokenizerFast]:
    """A model of the lab in fp32 and its tokenizer; `checkpoint` as in conf/backbone, `rope_theta` in place of its."""
    place, local = locate_checkpoint(checkpoint, "qwen2_5_vl")
    config = AutoConfig.from_pretrained(place, local_files_only=local)
    if rope_theta is not None:
        config.text_config.rope_parameters["rope_theta"] = rope_theta
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(
        place, config=config, dtype=torch.float32, local_files_only=local
    )
    return model, AutoTokenizer.from_pretrained(place, local_files_only=local)


def batch_maker(
    phase: Phase, tokenizer: PreTrainedTokenizerFast, features: NeedleFeatures | None = None
) -> Callable[[Any, int], Any]:
    """The function (generator, step) -> batch of a phase."""
    if phase.vision is not None:
        (clips, frames), drawn = phase.vision, phase.clips
        assert drawn is not None
        return lambda generator, step: vision_batch(generator, clips, frames, drawn)
    assert phase.questions is not None
    asker = Asker(phase.questions, vocabulary_of(tokenizer))
    if phase.subsets is not None:
        subsets = phase.subsets
        assert features is not None
        return lambda generator, step: subset_batch(generator, features, subsets, asker, SLIDING_WINDOW)
    batches, settings = phase.batches, phase.clips
    assert batches is not None and settings is not None
    return lambda generator, step: language_batch(generator, step, batches, settings, asker, SLIDING_WINDOW)


def _as_is(batch: Any) -> Any:
    return batch


class _Feed(lightning.LightningDataModule):
    """Reads on from the step that the trainer resumes from: it has restored its step by the time it asks for data."""

    def __init__(self, steps: Steps, workers: int) -> None:
        super().__init__()
        self.steps, self.workers = steps, workers

    def train_dataloader(self) -> DataLoader[Any]:
        """Batches in order, one process at most."""
        assert self.trainer is not None
        self.steps.first = self.trainer.global_step
        return DataLoader(self.steps, batch_size=None, num_workers=self.workers, collate_fn=_as_is)


class _Measure(Callback):
    """Every so often: accuracy and entropies on clips that are never trained on, appended to measured.jsonl."""

    def __init__(self, phase: Phase, make: Callable[[Any, int], Any], seeds: tuple[int, ...], running: Running) -> None:
        self.make, self.seeds, self.running = make, seeds, running
        self.steps, self.file = phase.schedule.steps, running.folder / phase.name / "measured.jsonl"

    def on_train_batch_end(self, trainer: lightning.Trainer, module: Any, outputs: Any, batch: Any, index: int) -> None:
        """Measure at the set interval and at the end."""
        step = trainer.global_step
        if step % self.running.measure_every and step != self.steps:
            return
        data = Steps(lambda generator, _: self.make(generator, self.steps), self.running.measure_batches, self.seeds)
        module.eval()
        table = answers(module, (module.transfer_batch_to_device(b, module.device, 0) for b in data))
        module.train()
        rows = {name: {k: round(v, 4) for k, v in m.row().items()} for name, m in by_split(table).items()}
        log.info("%s step %d: %s", self.file.parent.name, step, rows)
        with open(self.file, "a") as file:
            file.write(json.dumps({"step": step, **rows}) + "\n")
