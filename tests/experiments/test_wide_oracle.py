"""The oracle condition, on two short videos."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.wide_oracle import main


def test_the_oracle_beats_chance_and_counts_are_shares(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["frames=16", "videos=2", "kept=0.04,0.5", f"cache={tmp_path}", "seed=1"])
    lines = [line.split(" | ") for line in capsys.readouterr().out.strip().splitlines()]
    assert [line[1] for line in lines[2:]] == ["16 of 392", "196 of 392"]
    assert all(float(line[2].split()[0]) >= 0.9 for line in lines[2:])
