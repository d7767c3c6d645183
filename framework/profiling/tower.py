"""Measures a vision tower on all patches against the same tower on the kept ones, in seconds.

What is kept is drawn at random: the tower's cost depends on how much is kept, hardly on which. The cost of choosing is
not in these figures; whoever has a way to choose adds it as one more arm (`arms`, `side_by_side`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from statistics import median

import torch
from torch import Tensor

from framework.backbones.gathered_siglip import MASKS
from framework.profiling.base import Bench, Row, Spent, side_by_side
from framework.profiling.towers import TOWERS, Tower

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
WHOLE = "dense"


@dataclass(frozen=True)
class TowerBench(Bench):
    """Measures vision towers on all patches against the same towers on the kept ones.

    The fields are the keys of conf/what/tower.yaml, where each is explained. Raises ValueError, naming the key, where
    one is wrong.
    """

    towers: tuple[str, ...]
    sizes: tuple[int, ...]
    shares: tuple[float, ...]
    frames: int
    layers: int | None
    mask: str
    rounds: int
    device: str
    dtype: str
    seed: int

    def __post_init__(self) -> None:
        for key, given, known in (
            ("towers", self.towers, tuple(TOWERS)),
            ("mask", (self.mask,), MASKS),
            ("dtype", (self.dtype,), tuple(DTYPES)),
        ):
            if wrong := [value for value in given if value not in known]:
                raise ValueError(f"what.{key}: got {wrong[0]!r}, expected one of {', '.join(known)}")
        for key, some in (("towers", self.towers), ("sizes", self.sizes), ("shares", self.shares)):
            if not some:
                raise ValueError(f"what.{key}: got an empty list, expected at least one")
        for tower in self.towers:
            multiple = TOWERS[tower].multiple
            if wrong_sizes := [size for size in self.sizes if size < 1 or size % multiple]:
                raise ValueError(
                    f"what.sizes: {tower} takes multiples of {multiple} pixels; got {wrong_sizes[0]} (key: what.towers)"
                )
        if wrong_shares := [share for share in self.shares if not 0 < share <= 1]:
            raise ValueError(f"what.shares: got {wrong_shares[0]}, expected shares above 0 and at most 1")
        if self.frames < 2 or self.frames % 2:
            raise ValueError(f"what.frames: got {self.frames}, expected an even number of frames, at least 2")
        for key, count in (("layers", self.layers), ("rounds", self.rounds)):
            if count is not None and count < 1:
                raise ValueError(f"what.{key}: got {count}, expected at least 1")
        if self.device not in ("auto", "cpu") and not (self.device == "cuda" and torch.cuda.is_available()):
            here = "auto, cpu or cuda" if torch.cuda.is_available() else "auto or cpu: there is no CUDA device here"
            raise ValueError(f"what.device: got {self.device!r}, expected {here}")

    @property
    def place(self) -> str:
        """Returns the device that is meant: cuda or cpu."""
        return "cuda" if self.device == "auto" and torch.cuda.is_available() else self.device.replace("auto", "cpu")

    @torch.inference_mode()
    def rows(self) -> Iterator[Row]:
        """Yields, per tower and size, a row for the whole tower and then one for every share.

        A row holds the patch rows that enter the first layer, the seconds and the processor's seconds (medians over the
        rounds). Columns with an x say how many times more the whole tower has.
        """
        torch.manual_seed(self.seed)
        for name in self.towers:
            tower = TOWERS[name](self.layers, self.mask, self.place, DTYPES[self.dtype])
            for size in self.sizes:
                entered: dict[str, int] = {}
                runs = self.arms(tower, size).items()
                spent = side_by_side(
                    {arm: partial(_counted, tower, arm, run, entered) for arm, run in runs}, self.rounds
                )
                for arm, took in spent.items():
                    yield {
                        "tower": name,
                        "layers": len(tower.layers),
                        "pixels": size,
                        "frames": self.frames,
                        "kept": arm,
                        "rows": entered[arm],
                        "rows x": round(entered[WHOLE] / entered[arm], 2),
                        "s": round(median(run.seconds for run in took), 4),
                        "s x": round(_ratio(spent[WHOLE], took, 0), 2),
                        "cpu s": round(median(run.processor_seconds for run in took), 4),
                        "cpu x": round(_ratio(spent[WHOLE], took, 1), 2),
                    }

    def arms(self, tower: Tower, size: int) -> dict[str, Callable[[], object]]:
        """Returns the whole tower (`dense`) and one gathered arm per share, all on the same clip of noise."""
        pixels, places = tower.pixels(self.frames, size), tower.places(self.frames, size)
        found: dict[str, Callable[[], object]] = {WHOLE: partial(tower.dense, pixels)}
        for share in self.shares:
            found[f"{share:g}"] = partial(tower.gathered, pixels, _drawn(places, share, self.seed).to(pixels.device))
        return found


def _ratio(dense: list[Spent], other: list[Spent], field: int) -> float:
    """Median over the rounds of what the whole tower took for each that the other took."""
    return median(whole[field] / own[field] for whole, own in zip(dense, other, strict=True))


def _drawn(places: tuple[int, ...], share: float, seed: int) -> Tensor:
    """Bool of that shape with round(share x places) true, at least one."""
    total = torch.Size(places).numel()
    order = torch.randperm(total, generator=torch.Generator().manual_seed(seed))
    keep = torch.zeros(total, dtype=torch.bool)
    keep[order[: max(1, round(share * total))]] = True
    return keep.view(places)


def _counted(tower: Tower, arm: str, run: Callable[[], object], entered: dict[str, int]) -> None:
    """Run it; note the rows that enter the first layer."""

    def note(_: object, arguments: tuple[Tensor, ...]) -> None:
        entered[arm] = arguments[0].shape[:-1].numel()

    handle = tower.layers[0].register_forward_pre_hook(note)
    try:
        run()
    finally:
        handle.remove()
