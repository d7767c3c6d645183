"""Texts of an adapter's keys in which something is filled in: their check, which loads no torch, and the filling."""

from __future__ import annotations

from typing import Any

from framework.core.errors import UsageError

TEXTS: dict[str, tuple[dict[str, Any], str]] = {  # key -> what may be filled in, and what a text must be
    "told": (
        {"seconds": 0.0},
        "text in which {seconds} alone is filled in, such as 'It lasts {seconds:.0f} s.'",
    ),
    "frame_text": ({"n": 1}, "text in which {n} alone is filled in, such as 'Frame{n}: '"),
    "time_text": (
        {"seconds": 0.0, "frames": 1, "times": "0.00s"},
        "text in which {seconds}, {frames} and {times} alone are filled in, or empty",
    ),
}


def check_text(key: str, text: str) -> None:
    """Checks that a text can be filled in. Raises UsageError that names the key where it cannot."""
    fields, wanted = TEXTS[key]
    try:
        text.format(**fields)
    except (LookupError, ValueError, AttributeError, TypeError) as error:  # whatever a replacement field asks for
        raise UsageError(f"backbone.adapter.{key} must be {wanted}; got {text!r}") from error
