"""What `sieve gaze` says in a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from strategies.learned.autogaze.inspect.figures import Figures


def tell(out: Console, figures: Figures, about: Mapping[str, Any], notes: list[str]) -> None:
    """Prints what was looked at, what was kept, how good that is, and what else to know."""
    rows, columns = about["tiles"]
    side, (height, width) = about["side"], about["size"]
    clips = figures.frames[-1].clip + 1
    cut = f"{rows} × {columns} tiles of {side} × {side}" if rows * columns > 1 else f"one picture of {side} × {side}"
    out.print(
        f"looked at {_many(len(figures.frames), 'frame')} of {height} × {width} pixels in {_many(clips, 'clip')}, "
        f"each frame as {cut}; gazing {about['seconds']['gaze']:.2f} s, rebuilding {about['seconds']['rebuild']:.2f} s",
        soft_wrap=True,
    )
    dense, share = figures.words[-1], figures.kept / sum(figures.words)
    out.print(
        f"kept      {figures.kept:,} patches, {figures.reduction:.1f} times fewer than the {dense:,} of the finest "
        f"scale ({share:.2%} of all scales)",
        soft_wrap=True,
    )
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("scale", "kept", "of", "share"):
        table.add_column(name, justify="right")
    for scale, kept, words in zip(figures.vocabulary.scales, figures.per_scale, figures.words, strict=True):
        table.add_row(f"{scale} px", f"{kept:,}", f"{words:,}", f"{kept / words:.2%}")
    out.print(table)
    out.print(f"error     predicted {figures.predicted_error:.3f}, true {figures.error:.3f} of keeping nothing")
    if figures.met is not None:
        met = "met" if figures.met else "not met"
        out.print(
            f"epsilon   {figures.epsilon:g} {met}; {figures.frames_within} of {_many(len(figures.frames), 'frame')} "
            "within it on their own"
        )
    for note in notes:
        out.print(f"note      {note}", soft_wrap=True)


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
