"""Checks of the keys of a bench: each refuses a wrong wish in one sentence that names the key."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import torch

MEMORY = Path("/proc/meminfo")


def at_least(least: float, **keys: float | None) -> None:
    """Checks that the values of some keys are `least` or more; None is left alone. Raises ValueError."""
    for key, value in keys.items():
        if value is not None and not value >= least:
            raise ValueError(f"what.{key}: got {value}, expected at least {least}")


def some(**keys: tuple[object, ...]) -> None:
    """Checks that lists are not empty. Raises ValueError."""
    for key, values in keys.items():
        if not values:
            raise ValueError(f"what.{key}: got an empty list, expected at least one")


def ascending(least: float, **keys: tuple[float, ...]) -> None:
    """Checks that lists hold something, and values of `least` or more that grow. Raises ValueError."""
    for key, values in keys.items():
        grow = all(one < other for one, other in pairwise(values))
        if not values or not grow or not values[0] >= least:
            raise ValueError(
                f"what.{key}: got {list(values)}, expected at least one number from {least:g} on, in ascending order"
            )


def among(known: Iterable[str], **keys: str | tuple[str, ...]) -> None:
    """Checks that the values of some keys, or all items of their lists, are known. Raises ValueError."""
    names = tuple(known)
    for key, given in keys.items():
        if wrong := [value for value in ((given,) if isinstance(given, str) else given) if value not in names]:
            raise ValueError(f"what.{key}: got {wrong[0]!r}, expected one of {', '.join(names)}")


def cosine(**keys: float) -> None:
    """Checks that the values of some keys are cosines that two different vectors can have. Raises ValueError."""
    for key, value in keys.items():
        if not 0 <= value < 1:
            raise ValueError(f"what.{key}: got {value}, expected a cosine from 0 to below 1")


def device(wanted: str) -> str:
    """Returns the device that what.device means: cpu or cuda. Raises ValueError where it is not there."""
    cuda = torch.cuda.is_available()
    if wanted not in ("auto", "cpu") and not (wanted == "cuda" and cuda):
        here = "auto, cpu or cuda" if cuda else "auto or cpu: there is no CUDA device here"
        raise ValueError(f"what.device: got {wanted!r}, expected {here}")
    return "cuda" if wanted == "auto" and cuda else wanted.replace("auto", "cpu")


def free_bytes(place: str) -> float:
    """Returns how much memory of a device (cpu or cuda) can be had now; infinity where the system does not say."""
    if place == "cuda":
        return float(torch.cuda.mem_get_info()[0])
    if not MEMORY.is_file():
        return float("inf")
    told = dict(line.split(":") for line in MEMORY.read_text(encoding="ascii").splitlines())
    return float(told["MemAvailable"].split()[0]) * 1024
