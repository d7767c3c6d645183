"""An outcome as plain data: what `answer.json` holds. Its keys are listed in docs/results_on_disk.md."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from framework.core.outcome import Outcome


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
        "timeline": [asdict(group) for group in trace.groups],
        "selection": kept,
    }
