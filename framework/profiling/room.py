"""Whether a model of some size fits, and the attention maps of all its layers: said before anything is allocated."""

from __future__ import annotations

import shutil
import tempfile

from framework.core.errors import UsageError
from framework.profiling import checks
from framework.profiling.random_model import Sizes


def check_room(model: str, sizes: Sizes, item_bytes: int, place: str, ticks: int, rows: int) -> None:
    """Checks that a model fits into the memory of `place`, and its checkpoint on the disk.

    Where `ticks` is above 0, the attention maps over groups of so many ticks, which make `rows` rows, have to fit
    beside the model. Raises UsageError that says what would fit.
    """
    weights, free = sizes.parameters() * item_bytes, checks.free_bytes(place)
    disk = shutil.disk_usage(tempfile.gettempdir()).free
    if weights > disk:
        raise UsageError(
            f"what.model: got {model}, whose {weights / 1e9:.1f} GB of weights are written to "
            f"{tempfile.gettempdir()}, where {disk / 1e9:.1f} GB are free: set TMPDIR to a larger disk"
        )
    if 2 * weights > free:  # as made, and as loaded
        most = free / 2 / item_bytes / 1e9
        raise UsageError(
            f"what.model: got {model}, which takes {2 * weights / 1e9:.1f} GB while it is loaded, but "
            f"{free / 1e9:.1f} GB of {place} memory are free: expected at most {most:.2f} billion weights"
        )
    maps, left = attention_bytes(sizes, rows, item_bytes), free - weights
    if ticks and maps > left:
        raise UsageError(
            f"what.ticks: got {ticks}, for which the arm straightforward holds {maps / 1e9:.1f} GB of attention, but "
            f"{left / 1e9:.1f} GB of {place} memory are left beside the model: expected at most "
            f"{int(ticks * (left / maps) ** 0.5)}, or what.arms without straightforward"
        )


def attention_bytes(sizes: Sizes, rows: int, item_bytes: int) -> int:
    """Computes the size of the attention maps of all layers over `rows` rows, in bytes."""
    return sizes.layers * sizes.heads * rows**2 * item_bytes
