"""One run against another on the same questions: its difference, interval, tests, and who was right where.

The test that counts flips the differences of whole videos, for questions about one video are not independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from framework.evaluation.power import smallest_detectable
from framework.evaluation.runs import Line
from framework.evaluation.statistics import RESAMPLES, Interval, difference_interval, holm, mcnemar, sign_flip

FEW = 6  # videos with a difference, below which an interval is rough and sign flips cannot reach .05


@dataclass(frozen=True)
class Versus:
    """Says what sets a run apart from the reference, on the same questions."""

    difference: Interval
    p_videos: float  # two-sided, by sign flips of whole videos
    p_videos_holm: float  # corrected over the family of comparisons
    p_mcnemar: float | None  # exact, over questions, not corrected; None where some score is neither 0 nor 1
    detectable: float  # the smallest true difference that would be found with 80 % chance
    both_right: int
    only_run: int  # questions on which the run scores higher
    only_reference: int
    both_wrong: int
    same_answer: float  # share of questions
    note: str


def versus(
    ours: Sequence[Line], theirs: Sequence[Line], videos: Sequence[str], resamples: int = RESAMPLES, seed: int = 0
) -> Versus:
    """Compares the lines of a run with those of the reference.

    Both hold the same questions in the same order, and `videos` the video of each. All questions of a video are drawn
    and flipped together. The p-value is not corrected yet.
    """
    a, b = (np.array([line["correct"] for line in lines], float) for lines in (ours, theirs))
    binary = bool(np.isin(a, (0, 1)).all() and np.isin(b, (0, 1)).all())
    p = sign_flip((a - b).tolist(), videos, resamples, seed)
    difference = difference_interval(a.tolist(), b.tolist(), videos, resamples, seed)
    same = [_answer(x) == _answer(y) for x, y in zip(ours, theirs, strict=True)]
    return Versus(
        difference=difference,
        p_videos=p,
        p_videos_holm=p,
        p_mcnemar=mcnemar((a == 1).tolist(), (b == 1).tolist()) if binary else None,
        detectable=smallest_detectable(difference.error, len(set(videos))),
        both_right=int(((a == 1) & (b == 1)).sum()),
        only_run=int((a > b).sum()),
        only_reference=int((a < b).sum()),
        both_wrong=int(((a == 0) & (b == 0)).sum()),
        same_answer=sum(same) / len(same),
        note=_note(a - b, videos, difference),
    )


def correct(family: Sequence[Versus]) -> list[Versus]:
    """Applies Holm's correction to the p-values of comparisons that are read together."""
    return [
        replace(one, p_videos_holm=p) for one, p in zip(family, holm([one.p_videos for one in family]), strict=True)
    ]


def _note(differences: np.ndarray, videos: Sequence[str], interval: Interval) -> str:
    """Why an interval or a p-value must be read with care, if it must."""
    sums: dict[str, float] = {}
    for video, difference in zip(videos, differences.tolist(), strict=True):
        sums[video] = sums.get(video, 0.0) + difference
    differing = sum(abs(value) > 1e-12 for value in sums.values())
    if len(sums) < 2:
        return "one video: no interval"
    if interval.bound:
        what = "the same difference in every video" if differences.any() else "no disagreement"
        return f"{what}: exact bound over videos"
    if differing >= FEW:
        return ""
    least = 1.0 if differing < 2 else 2 * 0.5**differing
    videos_differ = f"only {differing} {'video differs' if differing == 1 else 'videos differ'}"
    return f"{videos_differ}: a rough interval, and p cannot be below {least:.3g}"


def _answer(line: Line) -> Any:
    """What was answered: as it was read, else the text."""
    return line["parsed"] if line["parsed"] is not None else line["answer"]
