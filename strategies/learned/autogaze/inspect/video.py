"""A video, gazed at clip by clip, and what a reconstructor makes of the picks. Prints and draws nothing.

Frames are resized to a whole number of tiles, each as large as the gaze reads; a short last clip stays short; one frame
is a clip, too. Errors are relative to keeping nothing: the loss over frames and tiles with the picks, over that of the
same reconstructor without any.
"""

from __future__ import annotations

import math
import re
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from time import perf_counter

import numpy as np
import torch
from torch import Tensor

from framework.core.errors import UsageError
from framework.video.info import VideoInfo
from framework.video.readers.base import Reader
from framework.video.sampling import Sampling
from strategies.learned.autogaze.gaze.calibration import Calibration, LossSpace, as_loss, check_epsilon
from strategies.learned.autogaze.gaze.control import Control
from strategies.learned.autogaze.gaze.model import Gaze
from strategies.learned.autogaze.gaze.pixels import normalise, resize, restore
from strategies.learned.autogaze.gaze.source import Source
from strategies.learned.autogaze.gaze.tiling import Tiled, cut, gaze_tiles
from strategies.learned.autogaze.reconstructor.model import Reconstructor
from strategies.learned.autogaze.training.metrics import nothing

AUTO = "auto"


@dataclass(frozen=True)
class GazeSettings:
    """Says how a video is looked at; see conf/gaze.yaml.

    Raises ValueError naming a setting that is not possible, or where nothing says when enough is seen.
    """

    epsilon: float | None
    loss_threshold: float | None
    budget: float | int | None
    start: float
    fps: float | None
    frames: int
    clip: int
    tiles: str
    most_tiles: int
    batch: int

    def __post_init__(self) -> None:
        if self.epsilon is not None:
            check_epsilon(self.epsilon)
        if self.epsilon is not None and self.loss_threshold is not None:
            raise ValueError("epsilon and loss_threshold say when a frame ends in two ways: leave one of them out")
        if self.epsilon is None and self.loss_threshold is None and self.budget is None:
            raise ValueError("nothing says when enough is seen: set epsilon=0.3, loss_threshold=NUMBER or budget=SHARE")
        for name in ("frames", "clip", "most_tiles", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 <= self.start < math.inf:
            raise ValueError(f"start must be seconds from 0 on, got {self.start}")
        if self.fps is not None and not 0 < self.fps < math.inf:
            raise ValueError(f"fps must be above 0, or null for every frame; got {self.fps}")
        if self.tiles != AUTO and not re.fullmatch(r"[1-9]\d*x[1-9]\d*", self.tiles):
            raise ValueError(f"tiles must be ROWSxCOLUMNS, such as 2x3, or {AUTO}; got {self.tiles!r}")

    def control(self, source: Source) -> Control:
        """Returns the control of the gaze.

        Raises ValueError where `epsilon` needs a calibration that the weights lack, or the budget is not possible.
        """
        threshold = source.threshold(self.loss_threshold, self.epsilon)
        known, budget = source.about.calibration, self.budget
        if budget is None:
            budget = Calibration.read(known).most if known is not None else 1.0
        control = Control(budget, threshold, source.about.rope_mode)
        try:
            control.counts(source.about.config.vocabulary, 1, 0, 1)
        except ValueError as error:
            raise ValueError(f"budget: {error}") from error
        return control

    def chosen(self, info: VideoInfo) -> list[int]:
        """Returns the numbers of the frames looked at, ascending.

        Raises UsageError where the video ends before them.
        """
        if self.start > info.seconds[-1]:
            last = f"{info.seconds[-1]:.3f} s"
            raise UsageError(f"start: got {self.start} s, but the last frame of {info.path} is shown at {last}")
        if self.fps is None:
            first = int(np.searchsorted(info.seconds, self.start))
            return list(range(info.frames)[first : first + self.frames])
        times = self.start + np.arange(self.frames) / self.fps
        times = times[times <= info.seconds[-1]]
        sampling = Sampling(None, self.frames, 1, tuple(times.tolist()))
        return [int(i) for i in sampling.frames(info.seconds, info.duration_seconds, 1)]

    def grid(self, height: int, width: int, side: int) -> tuple[int, int]:
        """Returns the rows and columns of tiles of a frame.

        Raises UsageError where a tile would not be a pixel large.
        """
        if self.tiles != AUTO:
            rows, columns = (int(part) for part in self.tiles.split("x"))
            if rows > height or columns > width:
                raise UsageError(f"tiles: got {self.tiles}, more than frames of {height} x {width} pixels have")
            return rows, columns
        rows, columns = max(1, round(height / side)), max(1, round(width / side))
        if rows * columns > self.most_tiles:
            shrink = math.sqrt(self.most_tiles / (rows * columns))
            rows, columns = max(1, int(rows * shrink)), max(1, int(columns * shrink))
            rows, columns = min(rows, self.most_tiles), min(columns, self.most_tiles)
        return rows, columns


@dataclass(frozen=True)
class Seen:
    """Holds one clip: T frames as they were gazed at, what was picked, and what is rebuilt."""

    numbers: tuple[int, ...]  # of its frames in the file
    frames: Tensor  # u8 [T, 3, H, W], resized to the tiles
    images: Tensor  # u8 [T, 3, H, W], rebuilt
    tiled: Tiled
    loss: Tensor  # f32 [T], the mean over tiles, as all below
    nothing: Tensor  # f32 [T]: of keeping nothing
    predicted: Tensor  # f32 [T]: by the loss heads, after the last pick of each frame and tile
    gaze_seconds: float
    rebuild_seconds: float


@dataclass(frozen=True)
class Gazer:
    """Holds the gaze and the reconstructor, on one device, and how they look at a video."""

    gaze: Gaze
    reconstructor: Reconstructor
    control: Control
    space: LossSpace  # what the loss heads say
    grid: tuple[int, int]  # rows and columns of tiles
    clip: int  # frames
    batch: int  # tiles

    def clips(self, path: str, numbers: list[int], reader: Reader) -> Generator[Seen, None, None]:
        """Yields every clip of these frames, as soon as it is read. Raises VideoError where the file breaks."""
        with closing(reader.decode(path, numbers)) as decoded:
            side = self.gaze.config.side
            size = (self.grid[0] * side, self.grid[1] * side)
            while part := list(islice(decoded, self.clip)):
                frames = torch.stack([resize(picture, *size) for _, picture in part])
                yield self.look(frames, tuple(number for number, _ in part))

    @torch.no_grad()
    def look(self, frames: Tensor, numbers: tuple[int, ...]) -> Seen:
        """Looks at one clip u8 [T, 3, rows * side, columns * side], and rebuilds it from the picks."""
        began, side = perf_counter(), self.gaze.config.side
        tiled = gaze_tiles(self.gaze, frames, self.control, side, self.batch, predictions=True)
        gazed, picks = perf_counter(), tiled.picks
        predicted = as_loss(picks.last_predicted, self.space)
        tiles = cut(frames, side)
        images, lost, empty = [], [], []
        for places in torch.arange(len(tiles)).split(self.batch):
            pixels = normalise(tiles[places].to(self.gaze.device).float())
            picked = self.reconstructor.vocabulary.picked(picks.ids[places.to(picks.ids.device)])
            made = self.reconstructor(pixels, picked)
            images.append(restore(made).cpu())
            lost.append(self.reconstructor.loss(pixels, made))
            empty.append(nothing(self.reconstructor, pixels))
        whole = torch.stack([tiled.laid_out(colour) for colour in torch.cat(images).unbind(2)], 1)
        loss, empties, predicted = (each.mean(0).cpu() for each in (torch.cat(lost), torch.cat(empty), predicted))
        moved = Tiled(picks.to("cpu"), tiled.rows, tiled.columns)
        seconds = (gazed - began, perf_counter() - gazed)
        return Seen(numbers, frames, whole, moved, loss, empties, predicted, *seconds)
