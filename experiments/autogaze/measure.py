"""Every policy of the AutoGaze experiment on every clip at every setting, kept on disk: measured once.

    outputs/autogaze/CLIPS-POLICY-DIGEST.npz       picks, true and predicted loss, each [settings, clips, frames]

The digest is of all that the numbers depend on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor

from experiments.autogaze.judge import Judge
from experiments.autogaze.oracles import Chooser, greedy, in_order, roll_out
from experiments.autogaze.policies import (
    ALL_SCALES,
    ARMS,
    COARSE,
    DIFFERENCE,
    GREEDY,
    SHUFFLED,
    Learned,
    fingerprint,
    orders,
    sizes,
)
from framework.report.console import console
from framework.video.readers.pyav import PyAVReader
from strategies.learned.autogaze.gaze.calibration import Calibration
from strategies.learned.autogaze.gaze.checkpoint import file_at
from strategies.learned.autogaze.gaze.picks import Picks
from strategies.learned.autogaze.gaze.pixels import prepare
from strategies.learned.autogaze.reconstructor.model import Reconstructor
from strategies.learned.autogaze.training.clips import MadeClips, square

Arrays = dict[str, NDArray[np.float64]]
WRITER = 1  # raise it when other numbers come out
FRAMES, FPS = 8, (2.0, 30.0)  # of a clip, as in training
TOGETHER = 32  # clips at once
TRIED = 2  # of the greedy search, while something was never seen
SWEPT, SWEEP = 10, 14  # thresholds of a gaze, and the picks a frame that they are taken along
STOPS = 8  # of those who are told the true loss:
TOLD = (ALL_SCALES, COARSE, DIFFERENCE, GREEDY)
TAUGHT = (*ARMS, *SHUFFLED)
PREDICTED = (1, 2, 4, 8)  # budgets at which predicted losses are compared with true ones
EPSILONS = (0.7, 0.5, 0.3, 0.2)
VIDEOS = ("autogaze_example.mp4", "flipping_a_pancake.mkv", "nasa_13013.mp4")
PER_VIDEO = 8  # clips at most
NEVER = -1.0  # a loss threshold that no loss meets


@dataclass(frozen=True)
class Plan:
    """Says what is measured."""

    budgets: tuple[int, ...]
    most: int  # picks of a frame where its own stopping ends it
    errors: tuple[float, ...]
    seed: int  # of random orders
    stopping: bool  # also own and true stopping, and epsilon


def made_clips(seed: int, count: int, side: int) -> Tensor:
    """Renders made-up clips, normalised f32 [count, T, 3, S, S]."""
    clips = MadeClips(seed, count, side, FRAMES, FPS)
    return prepare(torch.stack([clips.clip(index) for index in range(count)]), side)


def real_clips(folder: Path, side: int) -> Tensor:
    """Reads clips of the real videos, normalised f32 [N, T, 3, S, S].

    A clip has consecutive frames, cut to their central squares; clips are evenly spread over each video.
    """
    reader, found = PyAVReader(1), []
    for name in VIDEOS:
        path = str(folder / name)
        info = reader.info(path)
        total = info.frames
        starts = np.linspace(0, total - FRAMES, min(PER_VIDEO, total // FRAMES)).round().astype(int)
        numbers = sorted({int(start) + frame for start in starts for frame in range(FRAMES)})
        with closing(reader.decode(path, numbers)) as decoded:
            pictures = {n: prepare(square(picture, info.height, info.width), side) for n, picture in decoded}
        found += [torch.stack([pictures[start + frame] for frame in range(FRAMES)]) for start in starts.tolist()]
    return torch.stack(found)


class Bench:
    """Measures policies on clips, under one reconstructor."""

    def __init__(self, name: str, network: Reconstructor, pixels: Tensor, identity: str, folder: Path) -> None:
        self.name, self.network, self.pixels, self.identity, self.folder = name, network, pixels, identity, folder
        self._judges: list[Judge] = []

    @property
    def judges(self) -> list[Judge]:
        """Returns the judges of the clips, each of a few dozen."""
        if not self._judges:
            self._judges = [Judge(self.network, part) for part in self.pixels.split(TOGETHER)]
        return self._judges

    @cached_property
    def shown(self) -> str:
        """Returns a digest (SHA-256) of what the clips show."""
        return hashlib.sha256(self.pixels.contiguous().numpy().tobytes()).hexdigest()

    def measured(self, policy: str, checkpoint: str | None, plan: Plan) -> Arrays:
        """Returns the arrays of a policy, from disk where it was measured before."""
        weights = fingerprint(file_at(checkpoint)) if policy in TAUGHT and checkpoint else checkpoint
        constants = (WRITER, TRIED, SWEPT, SWEEP, STOPS, PREDICTED, EPSILONS)
        depends = plan if checkpoint is None else replace(plan, errors=(), seed=0)  # a gaze is told neither
        told = repr((constants, self.identity, self.shown, policy, weights, depends))
        digest = hashlib.sha256(told.encode()).hexdigest()[:12]
        file = self.folder / f"{self.name}-{policy}-{digest}.npz"
        if not file.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            unfinished = file.with_suffix(".part.npz")
            np.savez_compressed(unfinished, **self._measure(policy, checkpoint, plan))  # type: ignore[arg-type]
            unfinished.replace(file)
        with np.load(file) as stored:
            return {name: stored[name] for name in stored.files}

    def nothing(self) -> NDArray[np.float64]:
        """Returns the loss of keeping nothing, f64 [N, T]."""
        size = self.network.vocabulary.size
        return _array([j.loss(torch.zeros(*j.pixels.shape[:2], size, dtype=torch.bool)) for j in self.judges])

    def _measure(self, policy: str, checkpoint: str | None, plan: Plan) -> Arrays:
        terminal, parts, first = console(stderr=True), list[Arrays](), 0
        learned = None if checkpoint is None else Learned(checkpoint, self.network.vocabulary)
        thresholds = []
        if learned and plan.stopping and policy in TAUGHT:
            thresholds = learned.thresholds(self.pixels[:TOGETHER], SWEEP, SWEPT)
        bar = track(self.judges, f"{self.name}, {policy}", console=terminal, disable=not terminal.is_terminal)
        for judge in bar:
            if learned:
                parts.append(_of_gaze(learned, judge, plan, thresholds, PER_VIDEO if policy in SHUFFLED else 0))
            else:
                clips = range(first, first + len(judge.pixels))
                if policy == GREEDY:
                    parts.append(_of_search(judge, greedy(TRIED), plan))
                else:
                    given = orders(policy, judge.pixels, clips, judge.vocabulary, plan.seed)
                    parts.append(_of_order(judge, given, plan, policy in TOLD))
            first += len(judge.pixels)
        return {name: _joined(name, [part[name] for part in parts]) for name in parts[0]}


def _of_gaze(learned: Learned, judge: Judge, plan: Plan, thresholds: Sequence[float], moved: int) -> Arrays:
    """`moved`: by so many clips, to one that they were not made for; what is predicted of that is nothing then."""
    size, table = learned.source.about.config.vocabulary.size, learned.source.about.calibration
    asked: dict[str, list[tuple[float, int, float | None, bool]]] = {
        "fixed": [(b, b, None, bool(thresholds) and b in PREDICTED and not moved) for b in sizes(plan.budgets, size)],
        "own": [(threshold, plan.most, threshold, False) for threshold in thresholds],
    }
    if thresholds and table is not None and not moved:
        known = Calibration.read(table)
        asked["epsilon"] = [(e, known.most, known.loss_threshold(e), True) for e in EPSILONS]
    arrays: Arrays = {}
    for kind, settings in asked.items():
        rows = []
        for _, most, threshold, predicted in settings:
            picks = learned.picks(judge.pixels, most, threshold, predicted)
            picks = Picks(picks.ids.roll(moved, 0), picks.valid.roll(moved, 0)) if moved else picks
            loss = judge.loss(judge.vocabulary.picked(picks.ids))
            rows.append((picks.counts, loss, picks.last_predicted))
        if rows:
            arrays |= _named(kind, [setting[0] for setting in settings], rows)
    return arrays


def _of_search(judge: Judge, choose: Chooser, plan: Plan) -> Arrays:
    """Of a search among all patches; with plan.stopping told the true loss, too."""
    size = judge.vocabulary.size
    budgets = sizes(plan.budgets, size)
    made = roll_out(judge, choose, budgets, [NEVER] * len(budgets))
    arrays = _named("fixed", budgets, list(zip(made.counts, made.loss, strict=True)))
    return arrays | (_told(judge, choose, size, plan) if plan.stopping else {})


def _of_order(judge: Judge, given: Tensor, plan: Plan, told: bool) -> Arrays:
    """Of a given order, i64 [N, T, V']; `told` the true loss, too."""
    size = given.shape[2]
    budgets = sizes(plan.budgets, size)
    losses = [judge.loss(judge.vocabulary.picked(given[:, :, :budget])) for budget in budgets]
    rows = [(torch.full(loss.shape, b), loss) for b, loss in zip(budgets, losses, strict=True)]
    arrays = _named("fixed", budgets, rows)
    return arrays | (_told(judge, in_order(given), size, plan) if plan.stopping and told else {})


def _told(judge: Judge, choose: Chooser, size: int, plan: Plan) -> Arrays:
    """Frames end at the true loss."""
    thresholds = np.geomspace(min(plan.errors) / 2, max(plan.errors) * 4, STOPS).tolist()
    made = roll_out(judge, choose, [min(plan.most, size)] * STOPS, thresholds)
    return _named("own", thresholds, list(zip(made.counts, made.loss, strict=True)))


def _named(kind: str, settings: Sequence[float], rows: Sequence[tuple[Tensor, ...]]) -> Arrays:
    """Settings [S], and picks, loss and predicted loss [S, N, T] of one kind of stopping."""
    arrays = {f"{kind}_settings": np.asarray(settings, float)}
    for name, column in zip(("picks", "loss", "predicted"), zip(*rows, strict=True), strict=False):
        arrays[f"{kind}_{name}"] = torch.stack(list(column)).double().numpy()
    return arrays


def _joined(name: str, parts: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    return parts[0] if name.endswith("_settings") else np.concatenate(parts, 1)


def _array(parts: Sequence[Tensor]) -> NDArray[np.float64]:
    return torch.cat(list(parts)).double().numpy()
