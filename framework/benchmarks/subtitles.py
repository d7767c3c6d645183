"""Subtitles as text of a prompt, chosen by which frames are looked at. Pure; knows no file and no benchmark's rows.

The places of frames are those that lmms-eval assumes, not those that a strategy visits: the text stays comparable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Timed = tuple[float, float, str]  # start and end in seconds, text

_COLOURED = re.compile(r'<font color="white" size=".72c">(.*?)</font>')


def parse_srt(text: str) -> list[Timed]:
    """Returns the blocks of an .srt file in order. Of two blocks with the same times, the later text counts."""
    found: dict[tuple[float, float], str] = {}
    for block in text.split("\n\n"):
        lines = block.strip("\n").split("\n")
        if len(lines) >= 3:
            start, end = (_srt_seconds(time) for time in lines[1].split(" --> ")[:2])
            found[start, end] = " ".join(lines[2:])
    return [(start, end, shown) for (start, end), shown in found.items()]


def subtitles_at_frames(
    subtitles: Sequence[Timed], frames_per_second: float, frames: int, sampled: int, chronological: bool
) -> str:
    """Returns the lines visible in `sampled` frames spread evenly over all `frames`, joined by line breaks.

    Only text within VideoMME's white font tag counts. If not `chronological`, the order is that in which CPython walks
    through a set of their numbers, as lmms-eval does. With many subtitles that is not always the order of time.
    """
    sampled_frames = np.linspace(0, frames - 1, sampled, dtype=int).tolist()
    spans = [(int(start * frames_per_second), int(end * frames_per_second)) for start, end, _ in subtitles]
    seen = [i for frame in sampled_frames for i, (start, end) in enumerate(spans) if start <= frame < end]
    order = sorted(set(seen)) if chronological else list(set(seen))
    matches = (_COLOURED.search(subtitles[i][2]) for i in order)
    return "\n".join(match[1] for match in matches if match)


def frame_seconds(duration: float, frames: int) -> list[float]:
    """Returns the times, in seconds, of the frames that LongVideoBench puts between its subtitles."""
    return (
        [duration / frames * i for i in range(frames)] if duration > frames else list(map(float, range(int(duration))))
    )


def between_frames(
    subtitles: Sequence[Mapping[str, Any]],
    seconds: Sequence[float],
    starting: float,
    duration: float,
    picture: str,
    joint: str,
) -> str:
    """Joins one `picture` per frame and, between them, each subtitle that some frame shows, all by `joint`.

    The middle of a subtitle decides its place. `starting` is the subtitles' time at the video's beginning, in seconds.
    """
    pieces: list[str] = []
    placed = 0
    for subtitle in subtitles:
        start, end, text = _timed(subtitle, duration)
        start, end = start - starting, end - starting
        middle = (start + end) / 2
        while placed < len(seconds) and seconds[placed] <= middle:
            pieces.append(picture)
            placed += 1
        if end - start < 1:
            start, end = middle - 0.5, middle + 0.5
        if any(start < second < end for second in seconds):
            pieces.append(text)
    return joint.join(pieces + [picture] * (len(seconds) - placed))


def _timed(subtitle: Mapping[str, Any], duration: float) -> Timed:
    """LongVideoBench's two kinds of subtitle files; an end that is no decimal number is the video's."""
    if "timestamp" in subtitle:
        start, end = subtitle["timestamp"]
        return start, end if isinstance(end, float) else duration, subtitle["text"]
    return _seconds(subtitle["start"]), _seconds(subtitle["end"]), subtitle["line"]


def _seconds(time: str) -> float:
    """ "HH:MM:SS.fff" in seconds."""
    hours, minutes, seconds = time.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def _srt_seconds(time: str) -> float:
    """ "HH:MM:SS,fff" in seconds, added up as lmms-eval does: the last bit decides between two frames."""
    whole, milliseconds = time.split(",")
    hours, minutes, seconds = whole.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + int(milliseconds) / 1000
