"""The base of all values: a value is checked when it is made and printed as shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from torch import Tensor


def show(value: Any) -> str:
    """Shows a tensor as its dtype and shape, a long sequence as its length, anything else as it is."""
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {show(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (tuple, list)) and len(value) > 8:
        return f"<{len(value)} items>"
    return repr(value)


def check(condition: bool, owner: object, message: str) -> None:
    """Raises ValueError with `message`, naming an owner that is a value, unless `condition` holds."""
    if not condition:
        raise ValueError(f"{type(owner).__name__}: {message} ({owner!r})" if isinstance(owner, Value) else message)


class Value:
    """Defines the base of all values: it prints the shapes of tensors, never their contents."""

    def __repr__(self) -> str:
        """Name and fields, tensors as dtype and shape."""
        shown = ", ".join(f"{f.name}={show(getattr(self, f.name))}" for f in fields(self) if f.repr)  # type: ignore[arg-type]
        return f"{type(self).__name__}({shown})"
