"""What questions cost together: passes that several saw are run once."""

from __future__ import annotations

import io

from rich.console import Console

from framework.core.outcome import Cost, Outcome, Trace
from framework.core.types import Answer, Question
from framework.report.shared import alone, shared_data, shared_table

SPENT = {"encode": Cost(2.0, 4, 40, 8.0), "answer": Cost(1.0, 3, 9, 1.0)}
SEEN = (
    {"encode": Cost(1.5, 4, 40), "answer": Cost(0.5, 1, 4)},
    {"encode": Cost(0.5, 1, 10), "answer": Cost(0.5, 2, 5)},
)


def outcomes() -> list[Outcome]:
    traces = [Trace((), stages, 0, 0, 0, 0, 0) for stages in SEEN]
    return [Outcome(Question(str(i), "a", "a"), Answer("b"), trace, None) for i, trace in enumerate(traces)]


def test_one_by_one_every_question_pays_what_it_saw() -> None:
    assert alone(outcomes()) == {"encode": Cost(0.0, 5, 50), "answer": Cost(0.0, 3, 9)}


def test_both_stand_side_by_side() -> None:
    data = shared_data(SPENT, outcomes())
    assert (data["passes"], data["passes_alone"], data["seconds"]) == (7, 8, 3.0)
    assert data["stages"]["encode"] == {
        "seconds": 2.0,
        "passes": 4,
        "tokens": 40,
        "flops": 8.0,
        "passes_alone": 5,
        "tokens_alone": 50,
    }
    out = Console(file=io.StringIO(), width=120, highlight=False)
    out.print(shared_table(SPENT, outcomes()))
    text = " ".join(out.file.getvalue().split())  # type: ignore[attr-defined]
    assert "2 questions in 3.00 s and 7 passes; one by one they take 8 passes" in text
    assert "encode 2.000 4 5 40 50" in text and "answer 1.000 3 3 9 9" in text
