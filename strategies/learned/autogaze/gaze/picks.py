"""What a gaze picked. Values only; nothing here runs a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from strategies.learned.autogaze.gaze.vocabulary import Vocabulary


class Absolute(NamedTuple):
    """Holds picks in the published layout: frames one after the other."""

    ids: Tensor  # i64 [B, N]: frame * V + id; what padded slots hold is the first id of the next frame
    padded: Tensor  # bool [B, N], the only test of padding
    counts: Tensor  # i64 [T]: slots of each frame, padding included


@dataclass(frozen=True)
class Picks:
    """Holds the patches picked in each frame, in order: of B videos, T frames, n slots.

    Raises ValueError where its tensors differ in shape.
    """

    ids: Tensor  # i64 [B, T, n], within the frame; eos where there is none
    valid: Tensor  # bool [B, T, n]; official stopping may leave a gap between two picks
    predicted: Tensor | None = None  # f32 [B, T, n]: loss predicted for the frame after this pick, by `score_picks`
    log_probabilities: Tensor | None = None  # f32 [B, T, n]
    slots: tuple[int, ...] | None = None  # of each frame, as decoded together; n of each if not given

    def __post_init__(self) -> None:
        for name in ("ids", "valid", "predicted", "log_probabilities"):
            value = getattr(self, name)
            if value is not None and (value.ndim != 3 or value.shape != self.ids.shape):
                raise ValueError(
                    f"picks are [videos, frames, slots]: ids are {list(self.ids.shape)}, {name} {list(value.shape)}"
                )

    @classmethod
    def of(cls, videos: Sequence[Sequence[Sequence[int]]], vocabulary: Vocabulary) -> Picks:
        """Builds picks from videos of frames of ids, padded; every video needs as many frames.

        Raises ValueError otherwise, or where an id is not in the vocabulary.
        """
        if len({len(frames) for frames in videos}) != 1 or not videos[0]:
            raise ValueError(f"videos need the same number of frames, got {[len(frames) for frames in videos]}")
        widest = max(1, *(len(ids) for frames in videos for ids in frames))
        table = torch.full((len(videos), len(videos[0]), widest), vocabulary.eos)
        for row, frames in enumerate(videos):
            for frame, ids in enumerate(frames):
                table[row, frame, : len(ids)] = torch.tensor(ids, dtype=torch.int64)
        if bool(((table < 0) | (table > vocabulary.eos)).any()):
            raise ValueError(f"ids must lie within 0 .. {vocabulary.size - 1}, each counted within its frame")
        return cls(table, table != vocabulary.eos)

    @classmethod
    def joined(cls, parts: Sequence[Picks], vocabulary: Vocabulary) -> Picks:
        """Joins the videos of all parts, of equally many frames, one part after the other.

        Predicted losses and log-probabilities stay where every part has them.
        """
        most = max(part.ids.shape[2] for part in parts)
        fill = {"ids": vocabulary.eos, "valid": False, "predicted": 0.0, "log_probabilities": 0.0}
        whole: dict[str, Tensor | None] = {}
        for name, value in fill.items():
            tensors = [getattr(part, name) for part in parts]
            padded = [pad(tensor, (0, most - tensor.shape[2]), value=value) for tensor in tensors if tensor is not None]
            whole[name] = torch.cat(padded) if len(padded) == len(parts) else None
        return cls(**whole)  # type: ignore[arg-type]

    def split(self, size: int) -> list[Picks]:
        """Returns the picks of each `size` videos in turn, all with as many slots as the whole."""
        own = {name: value.split(size) for name, value in vars(self).items() if isinstance(value, Tensor)}
        return [Picks(**dict(zip(own, part, strict=True))) for part in zip(*own.values(), strict=True)]

    @property
    def counts(self) -> Tensor:
        """Returns i64 [B, T]: the number of picks of each frame."""
        return self.valid.sum(2)

    @property
    def last_predicted(self) -> Tensor:
        """Returns f32 [B, T]: the loss predicted after the last pick of each frame; NaN where none is predicted."""
        if self.predicted is None:
            return torch.full(self.ids.shape[:2], float("nan"), device=self.ids.device)
        last = self.valid.cumsum(2).argmax(2, keepdim=True)
        return self.predicted.gather(2, last)[..., 0]

    def to(self, device: torch.device | str) -> Picks:
        """Returns the same picks on a device."""
        moved = {name: value.to(device) for name, value in vars(self).items() if isinstance(value, Tensor)}
        return replace(self, **moved)  # type: ignore[arg-type]

    def lists(self) -> list[list[list[int]]]:
        """Returns the picks as videos of frames of ids, which is what `of` reads."""
        return [
            [ids[valid].tolist() for ids, valid in zip(*frames, strict=True)]
            for frames in zip(self.ids.cpu(), self.valid.cpu(), strict=True)
        ]

    def absolute(self, vocabulary: Vocabulary) -> Absolute:
        """Returns the picks in the published layout."""
        frames, most = self.ids.shape[1:]
        slots = self.slots or (most,) * frames
        keep = torch.cat([torch.arange(most) < count for count in slots])
        numbers = self.ids + vocabulary.size * torch.arange(frames, device=self.ids.device)[:, None]
        return Absolute(numbers.flatten(1)[:, keep], ~self.valid.flatten(1)[:, keep], torch.tensor(slots))
