"""How many times fewer patches a trained gaze keeps, by frames a second and by size, and the error that comes of it.

    python -m experiments.autogaze.rates fps=1,2,4,8,15,30 sizes=112,224,448,896,1792,3584 sized=4,30 epsilon=0.3,0.1 clips=64 seed=9500 gaze=asset:autogaze_lab reconstructor=asset:reconstructor_lab videos=tests/data/video threads=1

Reduction: patches of the finest scale over patches picked. Frames end where epsilon says, by the calibration saved with
the gaze; error is the true one that was reached, relative to keeping nothing. Made-up clips of 8 frames, rendered at that
rate and size; larger frames are gazed at in tiles of the gaze's side, fewer clips the more tiles they have. Real clips:
from 4 frames a second, their central square up to its own size. Writes autogaze_rates.csv and autogaze_rates.png into
docs/results (key: results); finished settings stay in outputs/autogaze_rates.
"""  # noqa: E501

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from rich.progress import track
from torch import Tensor

from experiments.autogaze.measure import FRAMES, VIDEOS
from experiments.autogaze.policies import fingerprint
from experiments.common import (
    OUTPUTS,
    RESULTS,
    Row,
    arguments,
    doubling,
    interval,
    markdown,
    numbers,
    read,
    save,
    write,
)
from framework.config.identity import whole
from framework.core.model_files import locate
from framework.evaluation.statistics import Interval, cluster_interval
from framework.report.console import console
from framework.video.readers.pyav import PyAVReader
from strategies.learned.autogaze.gaze import checkpoint as gazes
from strategies.learned.autogaze.gaze.calibration import Calibration
from strategies.learned.autogaze.gaze.control import Control
from strategies.learned.autogaze.gaze.pixels import prepare, resize
from strategies.learned.autogaze.gaze.source import Source
from strategies.learned.autogaze.gaze.tiling import cut, gaze_tiles
from strategies.learned.autogaze.reconstructor import checkpoint as reconstructors
from strategies.learned.autogaze.reconstructor.model import Reconstructor
from strategies.learned.autogaze.reconstructor.source import Source as Judge
from strategies.learned.autogaze.training.clips import WRITER, square
from strategies.learned.autogaze.training.metrics import nothing, true_loss
from strategies.learned.autogaze.training.synthetic_render import render

NAME = "autogaze_rates"
MADE = "made-up"
TOGETHER = 32  # tiles at once
REAL_FPS = (4.0, None)  # frames a second of the real clips; None: every frame
MOST_TILES = 256  # of all clips of a setting, but for one clip
PER_VIDEO = 8  # real clips at most
RESAMPLES = 2000
FEW = 8  # clips, below which there is no interval
DEFAULTS = {
    "fps": "1,2,4,8,15,30",
    "sizes": "112,224,448,896,1792,3584",
    "sized": "4,30",
    "epsilon": "0.3,0.1",
    "clips": "64",
    "seed": "9500",
    "gaze": "asset:autogaze_lab",
    "reconstructor": "asset:reconstructor_lab",
    "videos": "tests/data/video",
    "threads": "1",
    "results": str(RESULTS),
}
MEANINGS = {
    "fps": "frames a second of the made-up clips whose side is one tile",
    "sizes": "pixels along a side, multiples of the side of a tile",
    "sized": "frames a second at which made-up clips of every size are shown",
    "epsilon": "errors that may remain, relative to keeping nothing",
    "clips": "number of made-up clips whose side is one tile; of larger ones there are fewer",
    "seed": "seed of the made-up clips",
    "videos": "folder of the real videos",
}
COLOURS = {MADE: "#1b7f5c", **dict(zip(VIDEOS, ("#4477aa", "#aa3377", "#ee7733"), strict=True))}


@dataclass(frozen=True)
class Setting:
    """Describes clips of one kind."""

    video: str  # MADE, or the name of a file
    fps: float
    size: int  # pixels along a side
    clips: int


@dataclass(frozen=True)
class Looking:
    """Holds the gaze, the reconstructor that judges it, and where frames end."""

    source: Source
    network: Reconstructor
    control: Control

    @torch.no_grad()
    def clip(self, frames: Tensor) -> tuple[int, float, float]:
        """Returns (picks, sum of losses, sum of the losses of keeping nothing) of a clip u8 [T, 3, S, S].

        The sums go over frames and tiles.
        """
        side = self.source.about.config.side
        tiled = gaze_tiles(self.source.gaze, frames, self.control, side, TOGETHER)
        tiles = cut(frames, side)
        lost, empty, picks = 0.0, 0.0, tiled.picks
        for at in torch.arange(len(tiles)).split(TOGETHER):
            pixels = prepare(tiles[at], side)
            own = type(picks)(picks.ids[at], picks.valid[at])
            lost += float(true_loss(self.network, pixels, own).sum())
            empty += float(nothing(self.network, pixels).sum())
        return int(picks.valid.sum()), lost, empty


def settings(chosen: dict[str, str], side: int) -> list[Setting]:
    """Returns the settings of made-up clips, then those of real ones.

    SystemExit where a size is no whole number of tiles.
    """
    sizes, most = numbers(chosen["sizes"]), int(chosen["clips"])
    if wrong := [size for size in sizes if size < side or size % side]:
        raise SystemExit(f"sizes: got {wrong}, expected multiples of {side}, the side of a tile of this gaze")
    pairs = {(float(fps), side) for fps in chosen["fps"].split(",")}
    pairs |= {(float(fps), size) for fps in chosen["sized"].split(",") for size in sizes}
    made = []
    for fps, size in sorted(pairs):
        tiles = size // side  # along a side
        made.append(Setting(MADE, fps, size, max(1, min(most // tiles, MOST_TILES // tiles**2))))
    real, reader = [], PyAVReader(1)
    for name in VIDEOS:
        info = reader.info(str(Path(chosen["videos"]) / name))
        own = min(info.height, info.width) // side
        for rate in REAL_FPS:
            fps = rate or round(info.average_fps, 2)
            clips = max(1, min(PER_VIDEO, int(info.duration_seconds * fps / FRAMES)))
            real += [Setting(name, fps, side * tiles, clips) for tiles in sorted({1, own}) if side * tiles in sizes]
    return made + real


def clips_of(setting: Setting, seed: int, videos: Path) -> Iterator[Tensor]:
    """Yields the clips of a setting, u8 [T, 3, size, size], one after the other."""
    if setting.video == MADE:
        for index in range(setting.clips):
            yield render(seed, index, FRAMES, setting.size, setting.fps).permute(0, 3, 1, 2)
        return
    reader, path = PyAVReader(1), str(videos / setting.video)
    info = reader.info(path)
    times = info.seconds
    length = (FRAMES - 1) / setting.fps
    for start in np.linspace(times[0], max(times[-1] - length, times[0]), setting.clips):
        at = start + np.arange(FRAMES) / setting.fps
        chosen = [int(np.abs(times - time).argmin()) for time in at]
        with closing(reader.decode(path, sorted(set(chosen)))) as decoded:
            cut = ((number, square(picture, info.height, info.width)) for number, picture in decoded)
            pictures = {number: resize(picture, setting.size, setting.size) for number, picture in cut}
        yield torch.stack([pictures[number] for number in chosen])


def row_of(setting: Setting, found: Sequence[tuple[int, float, float]], side: int, finest: int) -> dict[str, Any]:
    """Returns one row about a setting: means over clips, with intervals where there are enough made-up ones."""
    picks, lost, empty = (np.array(column, float) for column in zip(*found, strict=True))
    tiles = (setting.size // side) ** 2
    patches = FRAMES * tiles * finest

    def over(statistic: Callable[[Any], Any]) -> Interval:
        if setting.clips < FEW or setting.video != MADE:
            return Interval(float(statistic(np.ones((1, len(picks))))[0]), float("nan"), float("nan"))
        return cluster_interval(statistic, len(picks), RESAMPLES, 0)

    row: dict[str, Any] = {**vars(setting), "tiles": tiles, "picks": float(picks.mean() / FRAMES)}
    reduction = over(lambda drawn: patches * drawn.sum(1) / (drawn @ picks))
    error = over(lambda drawn: (drawn @ (lost / empty)) / drawn.sum(1))
    for name, value in (("reduction", reduction), ("error", error)):
        low, high = (None if bound != bound else bound for bound in (value.low, value.high))
        row |= {name: value.value, f"{name}_low": low, f"{name}_high": high}
    return row


def draw(rows: Sequence[Row]) -> Figure:
    """Draws the reduction over the rate at the side of one tile, and over the size.

    Each epsilon has a line style of its own.
    """
    figure = Figure(figsize=(9, 3.8), dpi=72, layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    smallest = min(row["size"] for row in rows)
    made = [row for row in rows if row["video"] == MADE]
    rates = sorted({row["fps"] for row in made if row["size"] > smallest})
    for epsilon, style in zip(sorted({row["epsilon"] for row in rows}), cycle(("-", "--", ":"))):
        here = [row for row in rows if row["epsilon"] == epsilon]
        for video, colour in COLOURS.items():
            own = [row for row in here if row["video"] == video and row["size"] == smallest]
            left.plot(*_line(own, "fps"), style, color=colour, marker="o", markersize=3, label=f"{video}, {epsilon:g}")
        for fps, colour in zip(rates, cycle(COLOURS.values())):
            own = [row for row in here if row["video"] == MADE and row["fps"] == fps]
            label = f"{fps:g} fps, {epsilon:g}"
            right.plot(*_line(own, "size"), style, color=colour, marker="o", markersize=3, label=label)
    left.set(title=f"{smallest} px", xlabel="frames a second", ylabel="times fewer patches", yscale="log")
    left.set_xscale("log")
    right.set(title=MADE, xlabel="pixels along a side")
    doubling(right, sorted({row["size"] for row in made}))
    for axes in (left, right):
        axes.legend(fontsize=6, handlelength=3, loc="upper left", bbox_to_anchor=(0, 0.93))
    return figure


def _line(rows: Sequence[Row], x: str) -> tuple[list[float], list[float]]:
    ordered = sorted(rows, key=lambda row: row[x])
    return [row[x] for row in ordered], [row["reduction"] for row in ordered]


def table(rows: Sequence[Row]) -> str:
    """Returns a Markdown table of every setting."""
    head = [
        "epsilon",
        "clips",
        "frames a second",
        "pixels",
        "tiles",
        "picks of a frame",
        "times fewer patches",
        "true error",
    ]
    body = [
        [
            f"{row['epsilon']:g}",
            f"{row['clips']} {row['video']}",
            f"{row['fps']:g}",
            f"{row['size']:,}",
            f"{row['tiles']:,}",
            f"{row['picks']:.1f}",
            *(
                interval(row, name) if row[f"{name}_low"] is not None else f"{row[name]:.3f}"
                for name in ("reduction", "error")
            ),
        ]
        for row in rows
    ]
    return markdown(head, body)


def looking(chosen: dict[str, str], epsilon: str) -> Looking:
    """Returns the two networks, and where frames end.

    SystemExit where one is missing, does not fit, or is uncalibrated.
    """
    try:
        source = Source(chosen["gaze"], "gaze")
        threshold = source.threshold(None, float(epsilon))
        judge = Judge(chosen["reconstructor"], source.about.config.vocabulary)
        assert source.about.calibration is not None
        most = Calibration.read(source.about.calibration).most
        source.gaze.cpu()  # where the clips and the reconstructor are
        return Looking(source, judge.network, Control(most, threshold, source.about.rope_mode))
    except ValueError as error:
        raise SystemExit(str(error)) from error


def main(given: list[str]) -> None:
    """Measures what is missing, writes its numbers, draws them and prints the table."""
    chosen = arguments(given, DEFAULTS, __doc__, MEANINGS)
    torch.set_num_threads(int(chosen["threads"]))
    looks = {epsilon: looking(chosen, epsilon) for epsilon in chosen["epsilon"].split(",")}
    results, videos, seed = Path(chosen["results"]), Path(chosen["videos"]), int(chosen["seed"])
    config = next(iter(looks.values())).source.about.config
    asked = [(epsilon, setting) for epsilon in looks for setting in settings(chosen, config.side)]
    files = [gazes.file_at(locate(chosen["gaze"])), reconstructors.file_at(chosen["reconstructor"])]
    weights = [fingerprint(file) if file.is_file() else str(file) for file in files]
    rows, terminal = [], console(stderr=True)
    for epsilon, setting in track(asked, "settings", console=terminal, disable=not terminal.is_terminal):
        shown = WRITER if setting.video == MADE else fingerprint(videos / setting.video)
        told = repr((setting, shown, seed, epsilon, weights))
        file = OUTPUTS / NAME / f"{hashlib.sha256(told.encode()).hexdigest()[:16]}.json"
        if not file.exists():
            found = [looks[epsilon].clip(frames) for frames in clips_of(setting, seed, videos)]
            file.parent.mkdir(parents=True, exist_ok=True)
            whole(file, json.dumps(found))
        found = json.loads(file.read_text())
        rows.append({"epsilon": epsilon, **row_of(setting, found, config.side, config.vocabulary.grids[-1] ** 2)})
    write(results / f"{NAME}.csv", rows)
    rows = read(results / f"{NAME}.csv")
    save(draw(rows), results / f"{NAME}.png")
    print(table(rows))


if __name__ == "__main__":
    main(sys.argv[1:])
