"""The whole plan at tiny size on the CPU: every step runs once, and wrong words are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiments.gpu import right, timed
from experiments.gpu.__main__ import main, report

TINY = ["model=tiny", "device=cpu", "frames=32", "questions=1,2", "ticks=4", "budget=16"]
TINY += ["film_frames=16", "film_height=96", "lab_frames=64", "lab_films=1"]


def test_every_step_runs_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = f"folder={tmp_path}"
    main([*TINY, "minutes=0", folder])
    assert "No time was left for 15 steps, lab, float32, sdpa first" in capsys.readouterr().out
    main([*TINY, folder])
    kept = json.loads((tmp_path / "gpu.json").read_text())
    assert len(kept["steps"]) == 15 and kept["told"]["machine"] == "cpu"
    assert all(found.get("right", True) for found in kept["steps"].values())
    printed = capsys.readouterr().out
    assert "No time was left" not in printed and "| adapttoken, 32 frames, 2 questions | 4 |" in printed

    def fails(*given: object) -> None:
        raise AssertionError("measured again")

    for module, name in ((right, "lab"), (right, "passes"), (timed, "answers"), (timed, "product")):
        monkeypatch.setattr(module, name, fails)
    main([*TINY, folder])
    assert report(kept["steps"]) in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["model=72b"], "model: got '72b', expected one of 7b, midsize, tiny"),
        (["device=tpu"], "device: got 'tpu', expected cuda or cpu"),
        (["device=cpu"], "model: got 7b with device=cpu"),
        (["device=cuda"], "there is no CUDA device here"),
    ],
)
def test_wrong_words_are_refused(words: list[str], told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(SystemExit, match=told):
        main(words)


def test_steps_with_the_same_columns_share_a_table() -> None:
    tables = report({"a": {"s": 1}, "b": {"note": "none"}, "c": {"s": 2}})
    assert tables == "| step | s |\n| --- | --- |\n| a | 1 |\n| c | 2 |\n\n| step | note |\n| --- | --- |\n| b | none |"
