"""From configuration to recipe: what is shipped fits, and mistakes name the phase."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from framework.training.main import main, recipe

CONF = Path(__file__).parents[3] / "conf"


def shipped(name: str) -> dict:  # type: ignore[type-arg]
    return OmegaConf.to_container(OmegaConf.load(CONF / "model" / f"{name}.yaml"), resolve=True)  # type: ignore[return-value]


def test_shipped_recipes() -> None:
    lab, hard = recipe(shipped("lab"), seed=3), recipe(shipped("lab_hard"), seed=3)
    assert [phase.name for phase in lab.phases] == ["vision", "language", "joint"]
    assert [phase.name for phase in hard.phases] == ["vision", "language", "hard_language", "joint", "time"]
    assert hard.phases[:2] == lab.phases[:2]  # so a finished phase of one serves the other
    (wide,) = recipe(shipped("lab_wide"), seed=3).phases
    assert wide.subsets is not None and tuple(wide.subsets.size) == (
        16,
        64,
    )  # as the comparison on wide videos wants it
    assert lab.seed == 3 and lab.phases[0].clips.noise == (0.01, 0.15)


def test_mistakes_name_the_phase() -> None:
    node = shipped("lab")
    node["phases"]["joint"]["batches"]["klips"] = 3
    with pytest.raises(ValueError, match=r"phase 'joint'.*klips"):
        recipe(node, seed=0)
    del node["phases"]["vision"]["schedule"]["rate"]
    with pytest.raises(ValueError, match=r"phase 'vision'.*rate"):
        recipe(node, seed=0)


def test_an_unknown_logger_is_refused(tmp_path: Path) -> None:
    cfg = OmegaConf.create({"model": {"name": "x"}, "seed": 0, "folder": str(tmp_path), "running": {"logger": "paper"}})
    with pytest.raises(ValueError, match=r"running\.logger is 'paper'"):
        main(cfg)


def test_something_must_be_trained(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="model=lab, model=lab_hard or selector=qtsplus"):
        main(OmegaConf.create({"model": None, "seed": 0, "folder": str(tmp_path), "running": {}}))
