"""What the reconstructor draws itself, at toy size: shares by hand, losses by the network."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from experiments.autogaze import drawn as autogaze_drawn
from experiments.autogaze.drawn import row
from experiments.autogaze.judge import Judge
from experiments.autogaze.measure import made_clips
from experiments.common import read
from strategies.learned.autogaze.reconstructor.config import ReconstructorConfig
from strategies.learned.autogaze.reconstructor.model import Reconstructor


def test_shares_by_hand() -> None:
    network = Reconstructor(ReconstructorConfig.lab()).eval()
    judge = Judge(network, made_clips(1, 1, 112))
    picked = torch.zeros(1, 8, 69, dtype=torch.bool)
    picked[0, 0, 0] = picked[0, 4, 1:4] = True  # a quarter, and from the fifth frame on all four
    found = row("quarters", picked, judge, judge)
    assert found["drawn"] == pytest.approx(0.75 / 2) and found["drawn_last"] == 0
    assert found["trained"] == found["untrained"] > 0


def test_it_is_told(workplace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
    words = ["clips=1", "random=0.05", "budgets=4", "gaze=random:0", "reconstructor=random:0", f"results={workplace}"]
    autogaze_drawn.main(words)
    rows = read(workplace / "autogaze_drawn.csv")
    assert [r["picks"] for r in rows] == ["5% at random", "coarse_first, 4 a frame", "gaze, 4 a frame"]
    assert rows[1]["drawn"] == 0 and rows[1]["trained"] == pytest.approx(rows[1]["untrained"], abs=1e-6)
    assert rows[0]["drawn"] > 0.1 and abs(rows[0]["trained"] - rows[0]["untrained"]) > 1e-4
    assert autogaze_drawn.table(rows) in capsys.readouterr().out
    with pytest.raises(SystemExit, match="gaze: "):
        autogaze_drawn.main(["gaze=none"])
