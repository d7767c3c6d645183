"""`sieve gaze`: what a trained gaze keeps of a video, and how well that shows it; in pictures, a film and numbers."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack, closing
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from PIL import Image
from rich.progress import track

from framework.config.build import ConfigError, build, build_plain
from framework.config.identity import versions
from framework.core.errors import UsageError
from framework.evaluation.journal import jsonable
from framework.report.console import console
from framework.report.film import Film
from framework.video.info import VideoInfo
from framework.video.readers.base import Reader
from strategies.learned.autogaze.gaze.calibration import Calibration
from strategies.learned.autogaze.gaze.source import Source
from strategies.learned.autogaze.inspect.figures import Figures, FrameFigures, figures_of
from strategies.learned.autogaze.inspect.pictures import Shot, curve, overview, shots
from strategies.learned.autogaze.inspect.tables import tell
from strategies.learned.autogaze.inspect.video import Gazer, GazeSettings
from strategies.learned.autogaze.reconstructor.source import Source as Judge

FORMAT = 1  # of gaze.json
COLUMNS = 6  # frames of the overview


def run(cfg: DictConfig) -> dict[str, Any]:
    """Runs `sieve gaze`: gazes at the video, rebuilds its frames and writes what came out.

    Returns what gaze.json holds. Raises UsageError where the video, the weights or the settings do not fit.
    """
    path, settings = _asked(cfg)
    try:
        source = Source(cfg.gaze.checkpoint, "gaze.checkpoint")
        control = settings.control(source)
        judge = Judge(cfg.reconstructor.checkpoint, source.about.config.vocabulary)
        if settings.clip > judge.config.frames:
            raise ValueError(f"clip: got {settings.clip}, the reconstructor takes up to {judge.config.frames} frames")
        reader = build(cfg.reader, Reader, "reader")  # type: ignore[type-abstract]
        info = reader.info(path)
        numbers = settings.chosen(info)
        grid = settings.grid(info.height, info.width, source.about.config.side)
        network = judge.network.to(source.gaze.device)
    except ValueError as error:
        raise UsageError(str(error)) from error
    gazer = Gazer(source.gaze, network, control, source.space, grid, settings.clip, settings.batch)
    folder = Path(HydraConfig.get().runtime.output_dir)
    figures, seconds = _watch(gazer, info, numbers, reader, settings.epsilon, folder, bool(cfg.pictures))
    about = {
        "format": FORMAT,
        "video": path,
        "size": [info.height, info.width],
        "gaze": source.checkpoint,
        "reconstructor": judge.checkpoint,
        "settings": vars(settings),
        "loss_threshold": control.loss_threshold,
        "budget": control.budget,
        "rope_mode": control.rope_mode,
        "tiles": list(grid),
        "side": source.about.config.side,
        "seconds": seconds,
    }
    data = {**about, **figures.summary(), "versions": versions()}
    figures.write(folder / "frames.csv")
    curve(folder / "error.png", figures)
    text = json.dumps(jsonable(data), indent=1, ensure_ascii=False) + "\n"
    (folder / "gaze.json").write_text(text, encoding="utf-8")
    out = console()
    tell(out, figures, about, _notes(source, settings, info, grid))
    files = ["gaze.png", "error.png", "frames.csv", "gaze.json", *(["gaze.mp4", "frames"] if cfg.pictures else [])]
    out.print(f"files     {folder}: {', '.join(files)}", soft_wrap=True, markup=False)
    return data


def _asked(cfg: DictConfig) -> tuple[str, GazeSettings]:
    """What was asked, checked before anything heavy is loaded."""
    if not cfg.video:
        raise UsageError("video: got nothing, expected a file: video=FILE")
    place = Path(os.path.expanduser(str(cfg.video)))
    if not place.is_file():
        raise UsageError(f"video: there is no file {str(cfg.video)!r}; expected the path of a video file")
    plain = {field.name: cfg[field.name] for field in fields(GazeSettings)}
    try:
        return str(place), build_plain(plain, GazeSettings, "settings")
    except ConfigError as error:  # all of them are root keys
        raise UsageError(str(error).removeprefix("settings").lstrip(".: ")) from error


def _watch(
    gazer: Gazer,
    info: VideoInfo,
    numbers: list[int],
    reader: Reader,
    epsilon: float | None,
    folder: Path,
    pictures: bool,
) -> tuple[Figures, dict[str, float]]:
    """Look at every clip and write its pictures. Memory holds one clip, and the frames of the overview."""
    times, vocabulary = info.seconds[numbers], gazer.gaze.vocabulary
    pace = (len(numbers) - 1) / (times[-1] - times[0]) if len(numbers) > 1 else 1.0
    wanted = {numbers[i] for i in np.linspace(0, len(numbers) - 1, min(COLUMNS, len(numbers))).round().astype(int)}
    rows, chosen, seconds = list[FrameFigures](), list[Shot](), {"gaze": 0.0, "rebuild": 0.0}
    terminal = console(stderr=True)
    with ExitStack() as stack:
        clips = stack.enter_context(closing(gazer.clips(info.path, numbers, reader)))
        film = stack.enter_context(Film(folder / "gaze.mp4", pace)) if pictures else None
        total = -(-len(numbers) // gazer.clip)
        bar = track(clips, "clips", total, console=terminal, transient=True, disable=not terminal.is_terminal)
        for number, seen in enumerate(bar):
            own = figures_of(seen, number, times[len(rows) :].tolist(), vocabulary)
            rows += own
            seconds["gaze"] += seen.gaze_seconds
            seconds["rebuild"] += seen.rebuild_seconds
            if film is None and wanted.isdisjoint(seen.numbers):
                continue
            for shot in shots(seen, vocabulary, own):
                if shot.figures.frame in wanted:
                    chosen.append(shot)
                if film is not None:
                    film.add(shot.strip)
                    _save(folder / "frames" / f"{shot.figures.frame:06d}.png", shot)
    overview(folder / "gaze.png", chosen, vocabulary)
    return Figures(tuple(rows), vocabulary, gazer.grid[0] * gazer.grid[1], epsilon), seconds


def _save(path: Path, shot: Shot) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(shot.strip).save(path)


def _notes(source: Source, settings: GazeSettings, info: VideoInfo, grid: tuple[int, int]) -> list[str]:
    """What to know about a result like this."""
    notes = []
    stored, side = source.about.calibration, source.about.config.side
    if settings.epsilon is not None and stored is not None:
        table = Calibration.read(stored)
        if not table.reachable(settings.epsilon):
            notes.append(
                f"epsilon {settings.epsilon:g} is below all that the weights reached when they were calibrated "
                f"({table.errors[0]:.3f} with {table.most} picks a frame): frames end as late as was measured"
            )
    if info.height < side * grid[0] or info.width < side * grid[1]:
        notes.append(f"frames are blown up to {side * grid[0]} × {side * grid[1]} pixels")
    if source.checkpoint.startswith("random:"):
        notes.append("this gaze has random weights: its picks and predictions mean nothing")
    return notes
