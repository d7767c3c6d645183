"""Every group of every question as one probe: what it was certain of, whether it was right, whether it held the needle.

Two experiments read the same runs this way: entropy_of_answers and entropy_of_groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from experiments.common import compose_root, lines
from framework.benchmarks.base import Benchmark
from framework.config.build import build
from framework.config.parts import build_pipeline
from framework.core.types import Group
from framework.video.timeline import timeline

SIGNALS = {"entropy": -1, "margin": 1, "variance": 1, "log_probability": 1}  # and the sign that makes higher certain
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Probed:
    """Holds P probes, in the order of questions, and of groups within each question."""

    video: list[str]
    question: list[str]
    shown: Bools  # [P] whether the group shows the needle
    right: Bools  # [P] whether the group's own answer is right
    signals: Mapping[str, Floats]  # [P] each; entropy in nats

    def __getitem__(self, where: Bools) -> Probed:
        """Returns the probes at `where` (bool [P])."""
        places = np.flatnonzero(where)
        return Probed(
            [self.video[place] for place in places],
            [self.question[place] for place in places],
            self.shown[where],
            self.right[where],
            {name: values[where] for name, values in self.signals.items()},
        )

    def __len__(self) -> int:
        return len(self.question)


def shows(groups: Sequence[Group], seconds: Tensor, spans: Sequence[tuple[float, float]]) -> list[bool]:
    """Says of each group whether it holds a tick of some span.

    `seconds` f64 [T] are those of the timeline's ticks; a span ends before its second number.
    """
    inside = torch.zeros(len(seconds), dtype=torch.bool)
    for start, end in spans:
        inside |= (seconds >= start) & (seconds < end)
    return [bool(inside[group.ticks].any()) for group in groups]


def evidence(overrides: Sequence[str]) -> dict[str, list[bool]]:
    """Returns for every question whether each of its video's groups shows the needle.

    `overrides` are the configuration of a run.
    """
    cfg = compose_root(overrides)
    pipeline = build_pipeline(cfg)
    benchmark = build(cfg.benchmark, Benchmark, "benchmark")  # type: ignore[type-abstract]
    found = {}
    for video in benchmark:
        backbone = pipeline.backbone
        line = timeline(video.path, pipeline.sampling, backbone.frames_per_tick, pipeline.reader, backbone.tick_time)
        groups = pipeline.splitter.split(line)
        for item in video.items:
            found[item.question.id] = shows(groups, line.seconds, item.evidence)
    return found


def read_groups(answered: Sequence[Mapping[str, Any]], shown: Mapping[str, Sequence[bool]]) -> Probed:
    """Returns the groups of answered questions as probes.

    `answered` are lines of questions.jsonl with every group visited; `shown` is what `evidence` returns.
    """
    video, question, right = [], [], []
    for line in answered:
        video += [line["video"]] * line["groups_total"]
        question += [line["id"]] * line["groups_total"]
        right += [chr(ord("A") + choice) == line["right"] for choice in line["groups"]["choice"]]
    return Probed(
        video,
        question,
        np.array([one for line in answered for one in shown[line["id"]]], bool),
        np.array(right, bool),
        {name: np.array([v for line in answered for v in line["groups"]["signals"][name]], float) for name in SIGNALS},
    )


def record_run(folder: Path, overrides: Sequence[str]) -> Probed:
    """Returns the groups of a finished run as probes."""
    return read_groups(lines(folder), evidence(overrides))


def row(opacity: str, ticks: int, frames: int, videos: int, seed: int) -> list[str]:
    """Returns the overrides of AdaptToken over groups of `ticks` ticks.

    Every group is then probed once per question.
    """
    return [
        "preset=adapttoken",
        "benchmark=needle",
        f"benchmark.frames={frames}",
        f"benchmark.videos={videos}",
        f"benchmark.opacity={opacity}",
        f"backbone.group_ticks={ticks}",
        f"seed={seed}",
    ]
