"""Measures memory: what a whole run uses at different lengths, and what is parked of a long video at real shapes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from framework.config.compose import compose_root, words_of
from framework.config.parts import prompt_template
from framework.config.plugins import options
from framework.core.errors import UsageError
from framework.profiling import checks, peak
from framework.profiling.base import Bench, Row
from framework.profiling.noise import NoiseReader, questions
from framework.profiling.null_backbone import NullBackbone, Shapes
from framework.profiling.setting import LONGEST, SHORTEST, VIDEO, compose, lab_film, pipeline
from framework.profiling.watch import watched

LAYERS, MEGA, DIFFERENT = 28, 1e6, 8


@dataclass(frozen=True)
class MemoryBench(Bench):
    """Measures the peak of runs on the lab model, and the bytes that are parked between groups at real shapes.

    The fields are the keys of conf/what/memory.yaml, where each is explained. Raises ValueError, naming the key, where
    one is wrong.
    """

    preset: str
    frames: tuple[int, ...]
    questions: int
    shapes: Shapes
    parked_frames: tuple[int, ...]
    parked_questions: tuple[int, ...]
    ticks: int
    budget: int
    alike: float
    seed: int

    def __post_init__(self) -> None:
        checks.among(options("preset"), preset=self.preset)
        checks.at_least(1, questions=self.questions, ticks=self.ticks, budget=self.budget)
        if self.frames:
            checks.ascending(SHORTEST, frames=self.frames)
            if self.frames[-1] > LONGEST:
                raise ValueError(f"what.frames: got {self.frames[-1]}, expected at most {LONGEST}: a film of the lab")
        if not self.frames and not (self.parked_frames and self.parked_questions):
            raise ValueError(
                "what.frames: got an empty list, expected a number there or in parked_frames and -questions"
            )
        for key, values in (("parked_frames", self.parked_frames), ("parked_questions", self.parked_questions)):
            if values:
                checks.ascending(1, **{key: values})
        checks.cosine(alike=self.alike)

    def rows(self) -> Iterator[Row]:
        """Yields a row per number of frames on the lab model, then one per frames and questions at the shapes.

        The former hold the megabytes of the peak, without and with the frames that wait in the spool, and how many
        times those of the shortest film they are. The latter hold the megabytes of parked tokens. Raises UsageError
        where the system does not tell the two apart, or the memory is too small.
        """
        if self.frames and not peak.STATUS.is_file():
            raise UsageError(f"what.frames: got {list(self.frames)}, expected []: only Linux says what a process uses")
        self._check_room()
        yield from self._peaks()
        for count in self.parked_frames:
            for many in self.parked_questions:
                parked = self._parked(count, many)
                yield {**_row("shapes", count, many), "parked MB": round(parked / MEGA, 3)}

    def _peaks(self) -> Iterator[Row]:
        cfg = compose_root(words_of({"preset": self.preset, "seed": self.seed}))
        first: peak.Peak | None = None
        for count in self.frames:
            with tempfile.TemporaryDirectory(prefix="tokensieve-") as folder:
                path, asked = lab_film(cfg, folder, count, self.questions)
                found = peak.of_process(self.preset, path, asked, count)
            first = first or found
            yield _row("lab", count, self.questions) | {
                "anonymous MB": round(found.anonymous / MEGA, 1),
                "x": round(found.anonymous / first.anonymous, 3),
                "with spool MB": round(found.with_spool / MEGA, 1),
                "spool x": round(found.with_spool / first.with_spool, 3),
            }

    @torch.inference_mode()
    def _parked(self, count: int, many: int) -> int:
        """Most bytes of tokens between two groups. Pictures have one pixel per token, for nobody reads them."""
        groups = -(-count // (2 * self.ticks))
        backbone = NullBackbone(self.shapes, self._tokens, min(groups, DIFFERENT), self.alike, cell=1)
        reader = NoiseReader(count, *backbone.frame_size(0, 0))
        cfg = compose(self.preset, self.ticks, LAYERS, budget=self.budget)
        of = pipeline(cfg, reader, lambda: backbone)
        return watched(of, VIDEO, questions(many, 1, prompt_template(cfg)))[0].held

    @property
    def _tokens(self) -> int:
        return self.ticks * self.shapes.rows * self.shapes.columns

    def _check_room(self) -> None:
        """UsageError where all tokens of the longest video would not fit."""
        if not self.parked_frames:
            return
        count, free = self.parked_frames[-1], checks.free_bytes("cpu")
        a_frame = self.shapes.rows * self.shapes.columns * self.shapes.width * self.shapes.item_bytes / 2
        if a_frame * count > free:
            raise UsageError(
                f"what.parked_frames: got {count}, of which up to {a_frame * count / 1e9:.2f} GB are parked, but "
                f"{free / 1e9:.2f} GB of memory are free: expected at most {int(free / a_frame)}"
            )


def _row(model: str, frames: int, many: int) -> Row:
    blank = dict.fromkeys(("anonymous MB", "x", "with spool MB", "spool x", "parked MB"), "")
    return {"model": model, "frames": frames, "questions": many, **blank}
