"""What `sieve eval` refuses before it touches its folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from framework.commands import evaluate
from framework.core.errors import UsageError
from framework.evaluation.distributed import World


def test_a_model_cut_over_processes_does_not_share_videos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "run_folder", lambda: tmp_path / "run")
    monkeypatch.setattr(evaluate, "join", lambda *_: World(1, 2))
    world = {"devices": 2, "num_nodes": 1, "accelerator": "cpu"}
    cfg = OmegaConf.create({"world": world, "backbone": {"adapter": {"tensor_parallel": True}}})
    with pytest.raises(UsageError, match=r"^backbone\.adapter\.tensor_parallel=true .* among 2 processes: set it to"):
        evaluate.run(cfg)
    assert not (tmp_path / "run").exists()
