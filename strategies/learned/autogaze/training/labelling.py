"""Labels for the gaze: the greedy search over many clips, into JSON files of the published layout.

Every searched clip is a line of a file that a later run goes on from. Ids count through the video (frame x size of the
vocabulary + id); `losses_before` is ours: each frame's loss before its first pick. It knows the search and clips; it
knows nothing of how labels are used. Source: AutoGaze (arXiv 2603.12254), its published training data.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from strategies.learned.autogaze.gaze.pixels import prepare
from strategies.learned.autogaze.reconstructor.model import Reconstructor
from strategies.learned.autogaze.training.clips import Clips
from strategies.learned.autogaze.training.greedy_search import Found, search

log = logging.getLogger(__name__)
DIGITS = 6  # of a loss


@dataclass(frozen=True)
class SearchSettings:
    """Says how much the greedy search tries, and how many picks each clip and frame gets."""

    shortlist: tuple[int, ...]  # patches of each scale that are tried for a pick
    ratio: tuple[float, float]  # picks of a clip, as a share of all its patches: log-uniform between these
    first: float  # Dirichlet concentration of the first frame's share of them
    rest: float  # and of every other frame's
    most: int  # picks of a frame
    batch: int  # clips searched side by side

    def __post_init__(self) -> None:
        low, high = self.ratio
        if not 0 < low <= high <= 1 or self.first <= 0 or self.rest <= 0 or self.most < 1 or self.batch < 1:
            raise ValueError(
                "recipe.search: 0 < low <= high <= 1 in ratio, first, rest > 0 and most, batch >= 1 are needed, got "
                f"{self.ratio}, {self.first}, {self.rest}, {self.most} and {self.batch}"
            )


def counts(settings: SearchSettings, seed: int, index: int, frames: int, size: int) -> Tensor:
    """Draws how many picks each frame of a clip gets, i64 [T], 1 .. most: Dirichlet shares, the first one larger."""
    generator = np.random.default_rng([seed, index])
    low, high = np.log(settings.ratio)
    ratio = np.exp(generator.uniform(low, high))
    share = generator.dirichlet([settings.first] + [settings.rest] * (frames - 1))
    most = min(settings.most, size)
    return torch.from_numpy(np.rint(share * ratio * frames * size).clip(1, most).astype(np.int64))


def label(network: Reconstructor, clips: Clips, frames: int, settings: SearchSettings, seed: int, file: Path) -> Path:
    """Searches all clips, or those still missing, and returns `file` (JSON), which then holds them all."""
    told = repr((clips.identity, frames, astuple(settings), seed, _named(network)))
    lines = file.with_name(f"{file.stem}_{hashlib.sha256(told.encode()).hexdigest()[:12]}.jsonl")
    lines.parent.mkdir(parents=True, exist_ok=True)
    done = _read(lines)
    missing = [index for index in range(clips.count) if clips.name(index) not in done]
    device, began = network.class_token.device, time.monotonic()
    for first in range(0, len(missing), settings.batch):
        chosen = missing[first : first + settings.batch]
        pixels = prepare(torch.stack([clips.clip(index)[:frames] for index in chosen]).to(device), network.config.side)
        size = network.vocabulary.size
        wanted = torch.stack([counts(settings, seed, index, frames, size) for index in chosen]).to(device)
        found = search(network, pixels, wanted, settings.shortlist)
        with open(lines, "a") as out:
            for index, one in zip(chosen, found, strict=True):
                done[clips.name(index)] = node = as_published(one, size)
                out.write(json.dumps({"video": clips.name(index), **node}) + "\n")
        minutes = (time.monotonic() - began) / 60
        log.info("%s: %d of %d clips (%.1f min)", file.name, len(done), clips.count, minutes)
    unfinished = file.with_suffix(".part")
    unfinished.write_text(json.dumps({clips.name(index): done[clips.name(index)] for index in range(clips.count)}))
    unfinished.replace(file)
    return file


def as_published(found: Found, size: int) -> dict[str, Any]:
    """Returns one clip's entry in the published layout; `size` is that of the vocabulary."""
    return {
        "gazing_pos": [[frame * size + one for one in row] for frame, row in enumerate(found.ids)],
        "task_losses": [[round(loss, DIGITS) for loss in row] for row in found.losses],
        "losses_before": [round(loss, DIGITS) for loss in found.before],
    }


def _read(lines: Path) -> dict[str, Any]:
    """What was searched before; a last line that was cut off is dropped from the file."""
    if not lines.exists():
        return {}
    whole = lines.read_bytes()
    whole = whole[: whole.rfind(b"\n") + 1]
    if len(whole) < lines.stat().st_size:
        part = lines.with_suffix(".part")
        part.write_bytes(whole)
        part.replace(lines)
    rows = [json.loads(row) for row in whole.splitlines()]
    return {row.pop("video"): row for row in rows}


def _named(network: Reconstructor) -> str:
    """Says which weights searched."""
    digest = hashlib.sha256()
    for value in network.state_dict().values():
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
