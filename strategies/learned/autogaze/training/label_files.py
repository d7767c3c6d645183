"""Searched sequences of picks from JSON files in the published layout, checked before anything is trained.

    {"any/folders/procedural/7/12.mp4": {"gazing_pos": [[0, 70, ..], [265, ..], ..], "task_losses": [[.9, ..], ..]}}

Ids count through the video (frame x size of the vocabulary + id in the frame); a loss is that of its frame after the
pick. Files written here hold `losses_before` too, one number per frame: its loss with the picks of earlier frames and
none of its own. Videos are told apart by the last three components of their path. It knows nothing of pixels.
"""

from __future__ import annotations

import glob
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from framework.core.errors import UsageError
from framework.core.home import at_home

COMPONENTS = 3  # of a path, by which videos are matched


@dataclass(frozen=True)
class Label:
    """Holds the picks of one clip: the ids of each frame in the order of picking, and losses.

    There is a loss after each pick, and one before the first; the latter is None where unknown.
    """

    ids: tuple[tuple[int, ...], ...]
    losses: tuple[tuple[float, ...], ...]
    before: tuple[float, ...] | None


@dataclass(frozen=True)
class Targets:
    """Holds labels side by side; losses are NaN where unknown.

    ids i64 [B, T, n] (`pad` beyond a frame's count), valid bool [B, T, n], losses f32 [B, T, n] and before f32 [B, T].
    """

    ids: Tensor
    valid: Tensor
    losses: Tensor
    before: Tensor


def key_of(path: str | Path) -> str:
    """Returns what a video is known by: the last three components of its path."""
    return "/".join(Path(path).parts[-COMPONENTS:])


def read_labels(patterns: Sequence[str], size: int, frames: int) -> dict[str, Label]:
    """Reads the labels of the first `frames` frames, by key, from all files that match.

    `size` is that of the vocabulary. Raises UsageError that names file and video where something does not fit, and
    where two videos share a key but not a label.
    """
    found: dict[str, Label] = {}
    for file in _files(patterns):
        for path, node in _videos(file).items():
            key = key_of(path)
            try:
                label = _label(node, size, frames)
            except (KeyError, TypeError, ValueError) as error:
                raise UsageError(f"recipe.labels: {file}, {path}: {_said(error)}") from error
            if found.setdefault(key, label) != label:
                raise UsageError(
                    f"recipe.labels: {file}: {key!r} was labelled otherwise before; videos are told apart by the last "
                    f"{COMPONENTS} components of their path, so name them apart"
                )
    if not found:
        raise UsageError(f"recipe.labels: got no labelled video in {', '.join(patterns)}")
    return found


def targets(labels: Sequence[Label], pad: int) -> Targets:
    """Pads labels to one tensor each. The most picks of any frame decide the width, at least 1."""
    frames = len(labels[0].ids)
    width = max(1, *(len(row) for label in labels for row in label.ids))
    ids = torch.full((len(labels), frames, width), pad, dtype=torch.long)
    losses = torch.full(ids.shape, math.nan)
    before = torch.full((len(labels), frames), math.nan)
    for number, label in enumerate(labels):
        for frame, (row, lost) in enumerate(zip(label.ids, label.losses, strict=True)):
            ids[number, frame, : len(row)] = torch.tensor(row, dtype=torch.long)
            losses[number, frame, : len(row)] = torch.tensor(lost)
        if label.before is not None:
            before[number] = torch.tensor(label.before)
    return Targets(ids, ids != pad, losses, before)


def _files(patterns: Sequence[str]) -> list[Path]:
    files = []
    for pattern in patterns:
        place = at_home(pattern, "recipe.labels")
        matched = [Path(name) for name in sorted(glob.glob(str(place), recursive=True))]
        if not matched:
            raise UsageError(
                f"recipe.labels: no file matches {pattern}. `sieve train recipe=autogaze_labels` writes labels.json "
                "into its folder"
            )
        files += matched
    return files


def _videos(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise UsageError(f"recipe.labels: {file} is no JSON that can be read: {error}") from error
    if not isinstance(found, dict):
        raise UsageError(f"recipe.labels: {file}: expected an object from video to label, got {type(found).__name__}")
    return found


def _label(node: Any, size: int, frames: int) -> Label:
    picked, lost = node["gazing_pos"], node["task_losses"]
    before = node.get("losses_before")
    if len(picked) < frames or len(lost) < frames or (before is not None and len(before) < frames):
        raise ValueError(
            f"{len(picked)} frames of picks and {len(lost)} of losses, {frames} are needed (recipe.frames)"
        )
    ids = tuple(tuple(int(i) - frame * size for i in row) for frame, row in enumerate(picked[:frames]))
    losses = tuple(tuple(float(loss) for loss in row) for row in lost[:frames])
    for frame, (row, values) in enumerate(zip(ids, losses, strict=True)):
        if len(row) != len(values):
            raise ValueError(f"frame {frame}: {len(row)} picks and {len(values)} losses")
        if any(not 0 <= i < size for i in row) or len(set(row)) != len(row):
            raise ValueError(
                f"frame {frame}: ids must differ and lie within {frame * size}..{(frame + 1) * size - 1} "
                f"(recipe.network.scales has a vocabulary of {size}), got {list(picked[frame])}"
            )
    known = [*(value for row in losses for value in row), *(before or [])]
    if not all(math.isfinite(value) for value in known):
        raise ValueError("a loss is not finite")
    return Label(ids, losses, None if before is None else tuple(float(value) for value in before[:frames]))


def _said(error: Exception) -> str:
    return f"no {error}" if isinstance(error, KeyError) else str(error)
