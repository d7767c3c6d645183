"""Made runs: what `sieve eval` leaves on disk, written by hand, for everything that reads it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

RunWriter = Callable[..., Path]


def line(place: int, correct: float, **changes: Any) -> dict[str, Any]:
    """One line of questions.jsonl: two questions per video, asked about colour and shape in turn."""
    wrong = "B" if correct < 1 else "A"
    found = {
        "id": f"q{place}",
        "video": f"v{place // 2:02d}",
        "prompt": f"hash{place}",
        "answer": wrong,
        "choice": "AB".index(wrong),
        "parsed": wrong,
        "right": "A",
        "correct": float(correct),
        "probabilities": [0.9, 0.1] if correct else [0.4, 0.6],
        "entropy": 0.1 if correct else 0.6 - place / 1000,
        "strata": {"asked": ["colour" if place % 2 else "shape"], "split": ["all"]},
        "groups_total": 4,
        "groups_visited": 2,
        "tokens_total": 64,
        "tokens_seen": 32,
        "tokens_kept": 8,
        "evidence_found": None,
        "facts": {},
        "groups": {
            "visited": [0, None, 1, None],
            "relevance": [-0.1 - (1 - correct), None, -1.2, None],
            "quota": [8, None, 0, None],
            "kept": [8, None, 0, None],
            "choice": [0, None, 1, None],
            "signals": {"entropy": [0.1 + (1 - correct), None, 1.2, None]},
        },
    }
    return {**found, **changes}


def write(
    folder: Path,
    correct: Sequence[float] = (),
    preset: str = "",
    overrides: Sequence[str] = (),
    config: Mapping[str, Any] | None = None,
    lines: Sequence[Mapping[str, Any]] | None = None,
    finished: bool = True,
    failed: Sequence[str] = (),
    commit: str = "abc",
) -> Path:
    """Write a run folder; question i is right as `correct[i]` says and took i seconds."""
    lines = [line(place, score) for place, score in enumerate(correct)] if lines is None else lines
    folder.mkdir(parents=True)
    plain = {"benchmark": {"name": "toy", "root": str(folder)}, "budget": 8, "tracker": {"mode": "x"}, **(config or {})}
    OmegaConf.save(OmegaConf.create(plain), folder / "config.yaml")
    about = {"id": f"id-{folder.name}", "preset": preset, "overrides": list(overrides), "versions": {"commit": commit}}
    (folder / "run.json").write_text(json.dumps(about))
    timings = [{"id": one["id"], "seconds": float(place)} for place, one in enumerate(lines)]
    failures = [{"id": name, "video": "v", "error": "OSError: gone"} for name in failed]
    for name, rows in (("questions", lines), ("timings", timings), ("failures", failures)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    if finished:
        (folder / "summary.json").write_text(json.dumps({"benchmark": "toy", "n": len(lines)}))
    return folder


@pytest.fixture
def write_run() -> RunWriter:
    """`write_run(folder, correct=[1, 0, ...], preset=..., ...)` writes a run folder and gives it back."""
    return write


@pytest.fixture
def made_line() -> Callable[..., dict[str, Any]]:
    """`made_line(place, correct, key=value, ...)` is one line of questions.jsonl."""
    return line
