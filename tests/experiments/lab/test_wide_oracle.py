"""The oracle condition, on two short videos."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.lab.wide_oracle import main


def test_the_oracle_beats_chance_and_counts_are_shares(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["frames=16", "videos=2", "kept=0.04,0.5", f"cache={tmp_path}", "seed=1"]
    main([*words, "ways=oracle,attention"])
    lines = [line.split(" | ") for line in capsys.readouterr().out.strip().splitlines()]
    assert [line[1] for line in lines[2:]] == ["16 of 392", "196 of 392"]
    assert all(float(cell.split()[0]) >= 0.9 for line in lines[2:] for cell in line[2:4])
    with pytest.raises(SystemExit, match="ways: got gaze, expected some of oracle, random, attention"):
        main([*words, "ways=oracle,gaze"])
