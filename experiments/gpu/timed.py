"""What answering takes: a film in memory and a film on disk, beside the passes that it cannot do without."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch

from experiments.gpu.kept import Found
from experiments.gpu.models import Asked
from framework.core.errors import UsageError
from framework.engine.ledger import Ledger, peak_bytes
from framework.profiling import checks
from framework.profiling.film import render
from framework.profiling.passes import Passes, eager
from framework.profiling.room import attention_bytes
from framework.profiling.setting import VIDEO, looked_at
from framework.video.readers.pyav import PyAVReader
from framework.video.sampling import Sampling

PRODUCT = {"cuda": 8192, "cpu": 1024}  # rows of the square matrices whose product is timed
GROUPS = 2  # of the film whose bare passes are timed
ROOM = 0.7  # of the memory beside the model that attention maps may take: the softmax needs some more
FPS = 30  # of a rendered film
WANTED = 4.0  # frames per second that are looked at


def seconds(run: Callable[[], object]) -> float:
    """Measures how long a call takes, with all that it leaves on the device."""
    ledger = Ledger()
    with ledger.stage("run", ["gpu"]):
        run()
    return ledger.of("gpu")["run"].seconds


@torch.inference_mode()
def product(asked: Asked) -> Found:
    """Measures how many operations a second the device does at best: products of large square matrices."""
    side = PRODUCT[asked.device]
    one = torch.randn(side, side, device=asked.device, dtype=asked.backbone.model.dtype)
    took = [seconds(lambda: one @ one) for _ in range(8)]
    return {"TFLOP/s": round(2 * side**3 / min(took[1:]) / 1e12, 3)}


@torch.inference_mode()
def bare(asked: Asked, count: int) -> Found:
    """Measures the bare passes for `count` questions: over a group, and over what they keep, all together."""
    passes = _passes(asked, GROUPS, count)
    look, final = ([seconds(run) for _ in range(3)][1:] for run in (passes.look, passes.final))
    return {"group s": round(median(look) / GROUPS, 4), "final s": round(median(final), 4)}


def floor(found: Found, groups: int) -> float:
    """Computes what the bare passes of `groups` groups take, in seconds."""
    return groups * float(found["group s"]) + float(found["final s"])


@torch.inference_mode()
def answers(asked: Asked, frames: int, count: int, way: str, bare_passes: Found, peak: Found) -> Found:
    """Answers `count` questions about a film of noise in memory."""
    return _answered(asked, way, frames, count, "", bare_passes, peak)


@torch.inference_mode()
def film(asked: Asked, frames: int, height: int, count: int, bare_passes: Found, peak: Found, seed: int) -> Found:
    """Answers `count` questions about an H.264 film that is rendered for it, of which 4 of 30 frames a second count."""
    with TemporaryDirectory(prefix="tokensieve-") as folder:
        path = Path(folder) / "film.mp4"
        render(path, height, height * 16 // 9 // 2 * 2, frames / WANTED, FPS, 4.0, seed)
        return _answered(asked, "adapttoken", frames, count, str(path), bare_passes, peak)


def _answered(asked: Asked, way: str, frames: int, count: int, path: str, bare_passes: Found, peak: Found) -> Found:
    of = asked.pipeline(frames, way)
    if path:
        looked = Sampling(fps=WANTED, max_frames=frames, min_frames=1)
        of = replace(of, reader=PyAVReader(threads=0), sampling=looked)
    ledger, start = Ledger(), time.perf_counter()
    outcomes = of.answer(path or VIDEO, asked.questions(count), ledger=ledger)
    took = time.perf_counter() - start
    spent, trace = ledger.spent(), outcomes[0].trace
    visited = sum(group.visited is not None for group in trace.groups)
    least = floor(bare_passes, visited)
    flops = sum(cost.flops for cost in spent.values())
    return {
        "groups": visited,
        "s": round(took, 3),
        "s a question": round(took / count, 3),
        "x floor": round(took / least, 3),
        "waits": round(spent["decode"].seconds / took, 3),
        "of the peak": round(flops / took / 1e12 / float(peak["TFLOP/s"]), 3),
        "peak GB": round(peak_bytes() / 1e9, 2),
        **{f"{stage} s": round(cost.seconds, 3) for stage, cost in spent.items()},
    }


@torch.inference_mode()
def straightforward(asked: Asked) -> Found:
    """Measures the straightforward way with one question, on the largest group that fits, beside the pipeline's."""
    ticks = _most_ticks(asked)
    passes = _passes(asked, 1, 1, ticks)

    def whole() -> None:
        with eager(asked.backbone):
            passes.whole_group(0, 0)

    took = [seconds(whole) for _ in range(2)][-1]
    high = peak_bytes()
    of = asked.groups(1, ticks)
    _ = of.answer(VIDEO, asked.questions(1))
    own = seconds(lambda: of.answer(VIDEO, asked.questions(1)))
    return {
        "ticks": ticks,
        "group s": round(took, 3),
        "pipeline s, answer and all": round(own, 3),
        "peak GB": round(high / 1e9, 2),
        "pipeline peak GB": round(peak_bytes() / 1e9, 2),
    }


def _most_ticks(asked: Asked) -> int:
    """The most ticks whose attention maps fit, but no more than a group has."""
    if asked.device == "cuda":
        torch.cuda.empty_cache()
    free, rows = checks.free_bytes(asked.device) * ROOM, asked.shape.grid[0] * asked.shape.grid[1]
    item = asked.backbone.model.dtype.itemsize
    fits = [t for t in range(1, asked.ticks + 1) if attention_bytes(asked.shape.sizes, t * rows + 200, item) <= free]
    if not fits:
        raise UsageError(f"no group fits into {free / 1e9:.1f} GB of memory with all its attention (key: model)")
    return fits[-1]


def _passes(asked: Asked, groups: int, count: int, ticks: int = 0) -> Passes:
    """The passes for what the pipeline keeps on a film of so many groups."""
    of = asked.groups(groups, ticks)
    pairs = []
    for outcome in of.answer(VIDEO, asked.questions(count)):
        assert outcome.selection is not None
        pairs.append((outcome.question, outcome.selection))
    return Passes(asked.backbone, looked_at(of), pairs, int(asked.cfg.backbone.reference_layer))
