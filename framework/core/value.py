"""The base of all values: checked when made, printed as shapes. Knows torch's tensors and nothing of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from torch import Tensor


def show(value: Any) -> str:
    """A tensor as dtype and shape, long sequences as their length, anything else as it is."""
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {show(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (tuple, list)) and len(value) > 8:
        return f"<{len(value)} items>"
    return repr(value)


def check(condition: bool, owner: object, message: str) -> None:
    """ValueError naming the owner, unless `condition` holds."""
    if not condition:
        raise ValueError(f"{type(owner).__name__}: {message} ({owner!r})" if isinstance(owner, Value) else message)


class Value:
    """Base of all values: prints shapes, never contents."""

    def __repr__(self) -> str:
        """Name and fields, tensors as dtype and shape."""
        shown = ", ".join(f"{f.name}={show(getattr(self, f.name))}" for f in fields(self) if f.repr)  # type: ignore[arg-type]
        return f"{type(self).__name__}({shown})"
