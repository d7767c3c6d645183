"""`sieve replay`: what a recorded run would have answered with other choices after the probe."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from framework.benchmarks.base import Benchmark, VideoItem
from framework.commands.evaluate import check, conduct, run_folder
from framework.config.build import build
from framework.config.parts import INTERFACES, build_pipeline
from framework.core.errors import UsageError
from framework.core.interfaces import Strategy
from framework.evaluation.distributed import World
from framework.evaluation.freshness import Source
from framework.evaluation.lock import hold
from framework.recording.origin import RECORDED, check_same
from framework.recording.recording_session import FOLDER
from framework.recording.replay_session import Recordings
from framework.trackers import Tracker

NOT_KEPT = ("attention", "tokens", "pixels")  # needs that only a look at the video serves


def run(cfg: DictConfig) -> dict[str, Any]:
    """Replays what the configuration names, and returns the summary, which is also in the run folder."""
    folder = Path(cfg.recording.folder)
    check_same(folder, cfg)
    with hold(run_folder()):
        recordings = Recordings(folder / FOLDER)
        strategies: dict[str, Any] = {key: build(cfg[key], interface, key) for key, interface in INTERFACES.items()}
        _served(strategies, recordings)
        allocator, overshoot = strategies["allocator"], strategies["refiner"].overshoot
        _within(
            max(allocator.rounded(cfg.budget, ticks) for ticks in recordings.tokens_per_tick), overshoot, recordings
        )
        tracker = build(cfg.tracker, Tracker, "tracker")  # type: ignore[type-abstract]
        benchmark = build(cfg.benchmark, Benchmark, "benchmark")  # type: ignore[type-abstract]
        benchmark.recorded = recordings.holds_any
        if not len(benchmark):
            raise UsageError(
                f"recording: {folder} holds no probes of any question that {benchmark.name} asks now; record it again: "
                "sieve eval ... record=true"
            )
        check(cfg, benchmark)
        pipeline = replace(build_pipeline(cfg), open_session=recordings.open)
        return conduct(cfg, pipeline, benchmark, tracker, World(), lambda video: recorded_source(recordings, video))


def recorded_source(recordings: Recordings, video: VideoItem) -> Source:
    """Returns the recordings of a video as what answers come from. They are large, and not read whole."""
    return Source(recordings.files([item.question.id for item in video.items]), hashed=False)


def _served(strategies: Mapping[str, Strategy], recordings: Recordings) -> None:
    """UsageError when a strategy wants to see of a group what no recording keeps."""
    for key, strategy in strategies.items():
        if key in RECORDED:
            continue
        name, needs = type(strategy).__name__, strategy.needs
        if unserved := [need for need in NOT_KEPT if getattr(needs, need)]:
            raise UsageError(
                f"{key}: {name} reads {' and '.join(unserved)} of every group, which a recording does not keep; run it "
                "live (sieve eval)"
            )
        if needs.logits and not recordings.logits:
            raise UsageError(
                f"{key}: {name} reads response logits, which the recorded run never computed; record with a strategy "
                "that reads them, such as relevance=entropy"
            )


def _within(budget: int, overshoot: float, recordings: Recordings) -> None:
    """UsageError when more tokens of a group may be wanted than were kept."""
    if recordings.most is not None and math.ceil(overshoot * budget) > recordings.most:
        raise UsageError(
            f"budget={budget} may keep {math.ceil(overshoot * budget)} tokens of one group (refiner.overshoot="
            f"{overshoot}), but the recording holds its best {recordings.most}; set budget to "
            f"{math.floor(recordings.most / overshoot)} or less, or record with a larger one"
        )
