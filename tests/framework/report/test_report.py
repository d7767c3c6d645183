"""Views of one outcome: nothing is lost, nothing breaks on few, many, skipped or overlapping groups."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from rich.console import Console

from framework.core.outcome import Cost, GroupTrace, Outcome, Trace
from framework.core.types import Answer, Question, Selection, Tokens
from framework.evaluation.journal import jsonable
from framework.evaluation.metrics import best_group
from framework.report.data import outcome_data
from framework.report.picture import Shot, _title, draw
from framework.report.story import of_outcome
from framework.report.terminal import BARS, SKIPPED, scale, show, strip, tell

QUESTION = Question("ask", "Who [the man] wins?\nA red\nB $x$ blue", "Who [the man] wins?", ("red", "$x$ blue"))


def outcome(
    groups: int, skipped: int = 0, overlapping: bool = False, open_ended: bool = False, final: bool = True
) -> Outcome:
    """Two tokens kept of every visited group; the last groups are skipped; group 1 is the most relevant."""
    rows = []
    for i in range(groups):
        seconds = (float(i), 100.0 + i) if overlapping else (10.0 * i, 10.0 * i + 9.0)
        if i >= groups - skipped:
            rows.append(GroupTrace(i, seconds, None))
        else:
            entropy = 0.01 if i == 1 else 1.2
            rows.append(
                GroupTrace(i, seconds, i, -entropy, entropy, "nats", {"entropy": entropy}, 0, 2, 2 if final else 0)
            )
    seen = groups - skipped
    place = torch.arange(seen).repeat_interleave(2)
    tokens = Tokens(
        torch.zeros(2 * seen, 4), place, torch.arange(2 * seen) % 2, torch.zeros_like(place), place.double()
    )
    trace = Trace(
        tuple(rows),
        {"decode": Cost(0.5, 1), "probe": Cost(0.25, seen, 8, 1e9)},
        8 * seen,
        8 * groups,
        2 * seen,
        64,
        2**30,
    )
    answer = Answer("two stars") if open_ended else Answer("B", 1, (0.25, 0.75), 0.56)
    question = Question("ask", "what ?", "what ?") if open_ended else QUESTION
    return Outcome(question, answer, trace, Selection(tokens, place, 4 * seen) if final else None)


def printed(value: Outcome) -> str:
    out = Console(file=io.StringIO(), width=120, highlight=False)
    show(out, value)
    return out.file.getvalue()  # type: ignore[attr-defined]


def test_terminal_lists_a_few_groups() -> None:
    text = printed(outcome(4, skipped=1))
    for part in ("Who [the man] wins?", "B  $x$ blue", "75.0%", "3 of 4 visited", "skipped", "10.0–19.0", "0.010 nats"):
        assert part in text
    assert "6 kept of 24 seen, 32 in the video" in text and "0.75 s" in text and "1.00 GiB" in text
    assert "\x1b" not in text  # no colour where there is no terminal


def test_terminal_strips_many_groups() -> None:
    text = printed(outcome(300, skipped=150))
    assert "150 of 300 visited" in text and SKIPPED * 32 in text and "the most relevant" in text
    assert max(len(line) for line in text.splitlines()) <= 120


def test_terminal_open_question_and_vote() -> None:
    assert "two stars" in printed(outcome(2, open_ended=True))
    assert "0 kept" not in printed(outcome(2, final=False)).replace("4 kept", "")


@pytest.mark.parametrize(
    ("values", "columns", "drawn"),
    [
        ([0.0, 1.0], 8, BARS[0] + BARS[-1]),
        ([None, 2.0, None], 8, SKIPPED + BARS[0] + SKIPPED),
        ([0.0, 0.0, 1.0, None, None, None], 3, BARS[0] + BARS[-1] + SKIPPED),
        ([], 8, ""),
    ],
)
def test_strip(values: list[float | None], columns: int, drawn: str) -> None:
    assert strip(values, columns) == drawn


def test_damaged_pictures_are_told_and_healthy_ones_are_not() -> None:
    healthy = outcome(2)
    damaged = replace(healthy, trace=replace(healthy.trace, damaged_ticks=3))
    line = "damaged 3 ticks show pictures decoded from damaged data"
    assert line in printed(damaged) and "damaged" not in printed(healthy)
    assert [outcome_data(one, "a.mp4")["damaged_ticks"] for one in (healthy, damaged)] == [0, 3]


def test_data_is_json_and_complete() -> None:
    data = json.loads(json.dumps(jsonable(outcome_data(outcome(4, skipped=1), "a.mp4"))))
    assert data["answer"] == {
        "text": "B",
        "choice": 1,
        "option": "$x$ blue",
        "probabilities": [0.25, 0.75],
        "entropy": 0.56,
    }
    assert data["groups"] == {"total": 4, "visited": 3} and data["tokens"]["kept"] == 6
    assert [group["visited"] for group in data["timeline"]] == [0, 1, 2, None]
    assert len(data["selection"]["tick"]) == 6 and data["seconds"] == 0.75
    assert outcome_data(outcome(2, open_ended=True, final=False), "a.mp4")["selection"] is None


@pytest.mark.parametrize(
    "value", [outcome(1), outcome(5, 2), outcome(40, 3, overlapping=True), outcome(3, final=False)]
)
def test_picture_shows_frames_of_the_best_group(tmp_path: Path, value: Outcome) -> None:
    best = best_group(value.trace.groups)
    shots = [Shot(torch.full((3, 56, 56), 200, dtype=torch.uint8), 1.0, ((0, 1),), (28, 28))]
    draw(tmp_path / "with.png", value, shots, best)
    draw(tmp_path / "without.png", value, [], best)
    assert Image.open(tmp_path / "with.png").height > Image.open(tmp_path / "without.png").height


def test_the_title_says_what_ran() -> None:
    told = _title(of_outcome(outcome(4)), "adapttoken · lab")
    assert told == "Who [the man] wins?\nanswer: B  $x$ blue (75.0%)   ·   adapttoken · lab"
    assert _title(replace(of_outcome(outcome(2)), right=0), "").endswith("   ·   right: A  red")


@pytest.mark.parametrize(("form", "begins"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_the_suffix_says_the_form(tmp_path: Path, form: str, begins: bytes) -> None:
    for name in "ab":
        draw(tmp_path / f"{name}.{form}", outcome(4), [], None, "adapttoken · lab")
    first, second = ((tmp_path / f"{name}.{form}").read_bytes() for name in "ab")
    assert first.startswith(begins)
    if form != "svg":  # whose ids are random
        assert first == second
    with pytest.raises(ValueError, match=r"png, pdf, svg, got a\.bmp"):
        draw(tmp_path / "a.bmp", outcome(4), [], None)


@pytest.mark.parametrize(
    ("values", "digits", "said"),
    [
        ([-1.5, None, -0.25], 3, f"{BARS[0]} -1.500 … {BARS[-1]} -0.250 nats"),
        ([-1.38871, -1.38869], 3, f"{BARS[0]} -1.38871 … {BARS[-1]} -1.38869 nats"),  # digits that tell them apart
        ([0.0, 12.0], 0, f"{BARS[0]} 0 … {BARS[-1]} 12 nats"),
        ([2.0, 2.0], 3, "all 2.000 nats"),
        ([None], 3, ""),
    ],
)
def test_the_strip_has_a_scale(values: list[float | None], digits: int, said: str) -> None:
    assert scale(values, digits, "nats") == said


def test_the_terminal_tells_right_and_wrong() -> None:
    def told(**changes: object) -> str:
        out = Console(file=io.StringIO(), width=120, highlight=False)
        tell(out, replace(of_outcome(outcome(40)), **changes))  # type: ignore[arg-type]
        return out.file.getvalue()  # type: ignore[attr-defined]

    wrong = told(right=0, correct=0.0)
    assert "wrong; the right answer is A  red" in wrong and "0.0–399.0 s" in wrong
    assert f"{BARS[0]} -1.200 … {BARS[-1]} -0.010 nats" in wrong and "all 2 tokens" in wrong
    assert "right; the right answer is B  $x$ blue" in told(right=1, correct=1.0)
    assert "score 0.25; the right" in told(right=1, correct=0.25)
    assert "\nthe right answer is A" in told(right=0, correct=None)
    assert "(the question is not in questions.jsonl)" in told(question="")
    unknown = [replace(group, seconds=(math.nan, math.nan)) for group in outcome(40).trace.groups]
    assert "nan" not in told(groups=tuple(unknown)) and "group 0 … 39" in told(groups=tuple(unknown))


def test_best_group_prefers_relevance_then_kept_tokens() -> None:
    assert best_group(outcome(4).trace.groups).index == 1  # type: ignore[union-attr]
    even = [GroupTrace(i, (0.0, 1.0), i, 0.0, 0.0, "", kept=kept) for i, kept in enumerate((1, 3, 3))]
    assert best_group(even).index == 1  # type: ignore[union-attr]
    assert best_group([GroupTrace(0, (0.0, 1.0), None)]) is None


def test_infinite_scores_do_not_reach_the_file() -> None:
    rows = (GroupTrace(0, (0.0, 1.0), 0, -math.inf, math.inf, "nats", {"entropy": 1.0}, None, 0, 0),)
    trace = Trace(rows, {}, 0, 0, 0, 0, 0)
    data = jsonable(outcome_data(Outcome(QUESTION, Answer("B", 1, (0.5, 0.5)), trace, None), "a.mp4"))
    assert data["timeline"][0]["relevance"] is None
