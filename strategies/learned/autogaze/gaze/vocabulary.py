"""The words of a gaze: square patches of a frame at several scales. Knows numbers and boxes, no pixels and no network.

A scale of `s` pixels cuts the frame, resized to s x s, into (s / patch)^2 patches, so a coarse patch covers more of the
frame. Ids run over the scales from coarse to fine and row by row within one; the id after the last, `eos`, also fills
slots that hold no pick. Source: AutoGaze (arXiv 2603.12254); of a published frame of 32, 64, 112 and 224 pixels the ids
begin at 0, 4, 20 and 69, and there are 265.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise

import torch
from torch import Tensor


@dataclass(frozen=True)
class Vocabulary:
    """Describes the patches of `patch` pixels at each of the `scales` (pixels, ascending).

    Raises ValueError where `patch` does not divide a scale, or the scales do not ascend.
    """

    scales: tuple[int, ...]
    patch: int = 16

    def __post_init__(self) -> None:
        object.__setattr__(self, "scales", tuple(self.scales))
        if self.patch < 1:
            raise ValueError(f"gaze.patch must be at least 1 pixel, got {self.patch}")
        wrong = [scale for scale in self.scales if scale < self.patch or scale % self.patch]
        if not self.scales or wrong:
            raise ValueError(
                f"gaze.scales must be multiples of the patch, which has {self.patch} pixels; got {list(self.scales)}"
                + (f", where {wrong} are none" if wrong else "")
            )
        if any(fine <= coarse for coarse, fine in pairwise(self.scales)):
            raise ValueError(f"gaze.scales must ascend, each once; got {list(self.scales)}")

    @cached_property
    def grids(self) -> tuple[int, ...]:
        """Returns the number of patches along a side, of each scale."""
        return tuple(scale // self.patch for scale in self.scales)

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """Returns the first id of each scale."""
        return tuple(accumulate((grid**2 for grid in self.grids[:-1]), initial=0))

    @cached_property
    def size(self) -> int:
        """Returns V, the number of ids."""
        return sum(grid**2 for grid in self.grids)

    @property
    def eos(self) -> int:
        """Returns the class that is no patch: the id after the last."""
        return self.size

    @property
    def finest(self) -> slice:
        """Returns the ids of the finest scale, row by row."""
        return slice(self.starts[-1], self.size)

    def scale_of(self, ids: Tensor) -> Tensor:
        """Returns the index i64 [...] into `scales` of ids i64 [...].

        Raises ValueError unless the ids lie within 0 .. size - 1.
        """
        self._check(ids)
        return torch.bucketize(ids, torch.tensor(self.starts, device=ids.device), right=True) - 1

    def place(self, ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns (scale index, row, column), each i64 [...], of ids i64 [...]."""
        scale = self.scale_of(ids)
        grids, starts = (torch.tensor(numbers, device=ids.device) for numbers in (self.grids, self.starts))
        within = ids - starts[scale]
        return scale, within // grids[scale], within % grids[scale]

    def id(self, scale: Tensor, row: Tensor, column: Tensor) -> Tensor:
        """Returns the ids i64 [...] at (scale index, row, column), i64 [...] each: the reverse of `place`.

        Raises ValueError where a row or column lies outside its grid.
        """
        grids, starts = (torch.tensor(numbers, device=scale.device) for numbers in (self.grids, self.starts))
        grid = grids[scale]
        if bool(((row < 0) | (row >= grid) | (column < 0) | (column >= grid)).any()):
            raise ValueError(f"a row or column lies outside its grid; the grids are {self.grids}")
        return starts[scale] + row * grid + column

    def picked(self, ids: Tensor) -> Tensor:
        """Says which patches are among ids i64 [..., n], as bool [..., V]; `eos` stands for none.

        Raises ValueError unless the ids lie within 0 .. eos.
        """
        if bool(((ids < 0) | (ids > self.eos)).any()):
            raise ValueError(f"ids must lie within 0 .. {self.eos}, got {int(ids.min())} .. {int(ids.max())}")
        found = torch.zeros(*ids.shape[:-1], self.size + 1, dtype=torch.bool, device=ids.device)
        return found.scatter(-1, ids, True)[..., :-1]

    def masks(self, ids: Tensor) -> list[Tensor]:
        """Returns one bool [..., g, g] per scale: the patches among ids i64 [..., n]; `eos` stands for none."""
        pieces = self.picked(ids).split([grid**2 for grid in self.grids], dim=-1)
        return [piece.unflatten(-1, (grid, grid)) for piece, grid in zip(pieces, self.grids, strict=True)]

    def cover(self, rows: int, columns: int) -> Tensor:
        """Returns f32 [V, rows * columns]: the share that each id covers of each cell of a grid over the frame.

        Raises ValueError for a grid without a row or a column.
        """
        if rows < 1 or columns < 1:
            raise ValueError(f"a grid needs at least one row and one column, got {rows} x {columns}")
        pieces = []
        for grid in self.grids:
            down, across = shares(grid, rows), shares(grid, columns)
            pieces.append(torch.einsum("ir,jc->ijrc", down, across).reshape(grid**2, rows * columns))
        return torch.cat(pieces).float()

    def _check(self, ids: Tensor) -> None:
        if ids.numel() and not (int(ids.min()) >= 0 and int(ids.max()) < self.size):
            raise ValueError(f"ids must lie within 0 .. {self.size - 1}, got {int(ids.min())} .. {int(ids.max())}")


def shares(parts: int, cells: int) -> Tensor:
    """Returns f64 [parts, cells]: how two ways to cut a line into equal pieces overlap.

    It is the share of each of `cells` pieces that each of `parts` pieces covers.
    """
    part, cell = torch.arange(parts)[:, None], torch.arange(cells)  # everything in units of 1 / (parts * cells)
    end = torch.minimum((part + 1) * cells, (cell + 1) * parts)
    start = torch.maximum(part * cells, cell * parts)
    return (end - start).clamp_min(0).double() / parts
