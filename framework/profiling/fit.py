"""Compares what `sieve doctor` predicts of memory with the peak of a process that runs it. Random weights, on a CPU."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from transformers import AutoConfig

from framework.backbones.loading import DTYPES
from framework.backbones.memory import Memory, predict
from framework.backbones.shape import shape_of
from framework.config.compose import compose_root, words_of
from framework.config.planned import Film, run_of
from framework.config.plugins import options
from framework.core.errors import UsageError
from framework.profiling import checks, fit_process
from framework.profiling.base import Bench, Row
from framework.profiling.noise import FPS
from framework.profiling.random_model import CELL, Sizes, write
from framework.profiling.room import check_room
from framework.profiling.setting import LAYER

FRAMES_PER_TICK, AROUND, MEGA = 2, 64, 1e6  # text tokens around a question's words, about


@dataclass(frozen=True)
class FitBench(Bench):
    """Measures the peak of runs on a Qwen2.5-VL with random weights, beside what is predicted of them.

    The fields are the keys of conf/what/fit.yaml, where each is explained. Raises ValueError, naming the key, where one
    is wrong.
    """

    sizes: Sizes
    dtype: str
    presets: tuple[str, ...]
    frames: tuple[int, ...]
    questions: tuple[int, ...]
    ticks: int
    grid: tuple[int, int]
    words: int
    budget: int
    seed: int

    def __post_init__(self) -> None:
        checks.some(presets=self.presets)
        checks.among(options("preset"), presets=self.presets)
        checks.among(DTYPES, dtype=self.dtype)
        checks.ascending(1, frames=self.frames)
        checks.ascending(1, questions=self.questions)
        checks.at_least(1, ticks=self.ticks, words=self.words, budget=self.budget, grid=min(self.grid))

    def rows(self) -> Iterator[Row]:
        """Yields a row per preset, number of frames and of questions: megabytes predicted, measured, and their ratio.

        Raises UsageError where the system does not say what a process uses, or has too little memory or disk.
        """
        if not fit_process.STATUS.is_file():
            raise UsageError("what=fit: only Linux says what a process uses")
        check_room("what.sizes", self.sizes, DTYPES[self.dtype].itemsize, "cpu", 0, 0)
        with tempfile.TemporaryDirectory(prefix="tokensieve-") as folder:
            write(self.sizes, Path(folder), "cpu", self.dtype, self.seed)
            for preset in self.presets:
                for frames in self.frames:
                    for many in self.questions:
                        yield self._row(folder, preset, frames, many)

    def _row(self, folder: str, preset: str, frames: int, many: int) -> Row:
        words = self._overrides(folder, preset)
        predicted = self._predicted(words, folder, frames, many)
        total = predicted.device + predicted.host
        size = (CELL * self.grid[0], CELL * self.grid[1])
        measured = fit_process.of_process(words, frames, size, many, self.words)
        return {
            "preset": preset,
            "frames": frames,
            "questions": many,
            "weights MB": round(predicted.weights / MEGA, 1),
            "stage": predicted.worst,
            "predicted MB": round(total / MEGA, 1),
            "measured MB": round(measured / MEGA, 1),
            "x": round(measured / total, 3),
            "beside weights": round((total - predicted.weights) / MEGA, 1),
            "measured beside": round((measured - predicted.weights) / MEGA, 1),
        }

    def _predicted(self, words: list[str], folder: str, frames: int, many: int) -> Memory:
        shape = shape_of(AutoConfig.from_pretrained(folder, local_files_only=True))
        height, width = (CELL * side for side in self.grid)
        film = Film(height, width, frames / FPS, many, self.words + AROUND)
        return predict(shape, run_of(compose_root([*words, f"frames={frames}"]), shape, film, cuda=False))

    def _overrides(self, folder: str, preset: str) -> list[str]:
        pixels = CELL**2 * self.grid[0] * self.grid[1]
        return words_of(
            {
                "preset": preset,
                "backbone": "qwen2_5_vl_7b",
                "budget": self.budget,
                "backbone__group_ticks": self.ticks,
                "backbone__reference_layer": int(LAYER * self.sizes.layers),
                "backbone__adapter__checkpoint": folder,
                "backbone__adapter__dtype": self.dtype,
                "backbone__adapter__device": "cpu",
                "backbone__adapter__min_pixels": pixels,
                "backbone__adapter__max_pixels": pixels,
            }
        )
