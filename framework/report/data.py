"""Outcomes as plain data: what `answer.json` holds. Its keys are listed in docs/results_on_disk.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from framework.core.outcome import Cost, Outcome
from framework.report.shared import shared_data


def answers_data(outcomes: Sequence[Outcome], video: str, spent: Mapping[str, Cost]) -> dict[str, Any]:
    """Returns one outcome as `outcome_data` does; several as a list, with what they cost together.

    `spent` is what was run for all of them, by stage.
    """
    if len(outcomes) == 1:
        return outcome_data(outcomes[0], video)
    answers = [{"id": outcome.question.id, **outcome_data(outcome, video)} for outcome in outcomes]
    for answer in answers:
        del answer["video"]
    return {"video": video, "together": shared_data(spent, outcomes), "answers": answers}


def outcome_data(outcome: Outcome, video: str) -> dict[str, Any]:
    """Returns everything about one answer as plain data: numbers, text, lists and mappings only."""
    question, answer, trace, selection = outcome.question, outcome.answer, outcome.trace, outcome.selection
    kept = None
    if selection is not None:
        kept = {
            "group": selection.group.tolist(),
            "tick": selection.tokens.tick.tolist(),
            "row": selection.tokens.row.tolist(),
            "column": selection.tokens.column.tolist(),
            "seconds": selection.tokens.seconds.tolist(),
        }
    return {
        "video": video,
        "question": question.bare,
        "prompt": question.prompt,
        "options": list(question.options),
        "answer": {
            "text": answer.text,
            "choice": answer.choice,
            "option": question.options[answer.choice] if answer.choice is not None else None,
            "probabilities": list(answer.probabilities),
            "entropy": answer.entropy,
        },
        "tokens": {
            "total": trace.tokens_total,
            "seen": trace.tokens_seen,
            "kept": trace.tokens_kept,
            "budget": selection.budget if selection is not None else None,
        },
        "groups": {
            "total": len(trace.groups),
            "visited": sum(group.visited is not None for group in trace.groups),
        },
        "frames_decoded": trace.frames_decoded,
        "damaged_ticks": trace.damaged_ticks,
        "peak_bytes": trace.peak_bytes,
        "seconds": sum(cost.seconds for cost in trace.stages.values()),
        "stages": {name: asdict(cost) for name, cost in trace.stages.items()},
        **({"flops_by_model": apart} if (apart := trace.operations) else {}),
        "timeline": [asdict(group) for group in trace.groups],
        "selection": kept,
    }


def backbone_line(backbone: Mapping[str, Any]) -> str:
    """Describes a backbone in a few words: its checkpoint, parameters and size, as far as they are known."""
    known = [str(backbone["checkpoint"])] if backbone["checkpoint"] is not None else []
    if backbone["parameters"] is not None:
        known.append(f"{_short(backbone['parameters'])} parameters ({_short(backbone['bytes'])}B)")
    return ", ".join(known) or "size unknown"


def _short(count: int) -> str:
    """A count with two or three digits: 1.4 M, 8.3 G."""
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return str(count)
