"""What a bench of the engine runs with: a configuration, a film of noise, a film of the lab."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from framework.config.parts import prompt_template
from framework.core.errors import UsageError
from framework.profiling.noise import NoiseReader, questions
from framework.profiling.null_backbone import NullBackbone, Shapes
from framework.profiling.setting import compose, lab_film, looked_at, pipeline


def test_the_configuration_is_sized() -> None:
    cfg = compose("adapttoken", 5, 14, budget=77)
    assert (cfg.splitter.ticks_per_group, cfg.splitter.count, cfg.budget) == (5, "ceil", 77)
    assert list(cfg.scorer.layers) == [10]  # as deep as layer 20 of 28
    with pytest.raises(UsageError, match=r"preset has no option 'nothing'"):
        compose("nothing", 5, 14)


def test_groups_come_with_their_frames() -> None:
    reader = NoiseReader(14, 56, 84)  # 7 ticks
    backbone = NullBackbone(Shapes(2, 3, 8, 1, 4, 50, "float32"), 18, 3, 0.5)
    built = pipeline(compose("adapttoken", 3, 28), reader, lambda: backbone)
    (first, frames), *others = looked_at(built)
    assert first.ticks.tolist() == [0, 3, 6] and len(others) == 2
    assert torch.equal(frames.pixels[1, 0], reader.pictures[6]) and frames.seconds.tolist() == [0, 1.5, 3]
    assert built.budget == 7040 and built.share and built.backbone is backbone


def test_questions_differ_and_have_their_length() -> None:
    asked = questions(3, 6, prompt_template(compose("adapttoken", 3, 28)))
    assert len({question.bare for question in asked}) == 3 and {len(one.bare.split()) for one in asked} == {6}
    assert [one.id for one in asked] == ["q0", "q1", "q2"] and all(len(one.options) == 4 for one in asked)


def test_a_film_of_the_lab_has_as_many_questions_as_are_asked_for(tmp_path: Path) -> None:
    cfg = compose("adapttoken", 3, 28)
    path, asked = lab_film(cfg, str(tmp_path), 64, 7)
    assert Path(path).parent == tmp_path
    assert [one.id for one in asked] == [f"q{place}" for place in range(7)]
    assert asked[5].bare == asked[0].bare and len({one.bare for one in asked}) <= 5
