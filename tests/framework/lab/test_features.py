"""Encoded needle videos: the same questions again, features found again, and honest targets about what is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from framework.lab.features import NeedleFeatures, NeedleSettings, needle_tokens, pose_again
from framework.lab.model import build_model
from framework.lab.render import render
from framework.lab.training.forward import encode
from framework.lab.world import CELLS

SETTINGS = NeedleSettings(
    kinds=[
        {"split": "attribute", "opacity": 0.5, "videos": 2},
        {"split": "two_evidence", "opacity": 1.0, "videos": 1},
        {"split": "order", "opacity": 1.0, "videos": 1},
        {"split": "direction", "opacity": 1.0, "videos": 1},
        {"split": "count", "opacity": 1.0, "videos": 3},
    ],
    frames=64,
    questions=2,
    span=8,
    noise=0.05,
    density=0.25,
    codec_share=0.0,
    seed=5,
)


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> NeedleFeatures:
    torch.set_num_threads(1)
    return NeedleFeatures(SETTINGS, build_model(0)[0], tmp_path_factory.mktemp("features"))


def test_features_are_what_the_tower_sees(features: NeedleFeatures) -> None:
    assert len(features) == 8 and features.shape == (8, 128, 128)
    scene, questions = features.draw(1)
    with torch.no_grad():
        seen = encode(build_model(0)[0], torch.from_numpy(render(scene, 0, 64))[None])[0]
    assert np.allclose(features[1].features, seen.numpy(), atol=2e-3)
    assert features[1].questions == questions
    for question in questions:
        assert features[1].busy[needle_tokens(question.evidence[0])].all()


def test_features_are_found_again_and_belong_to_settings_and_tower(features: NeedleFeatures) -> None:
    folder = features.file.parent
    changed = features.file.stat().st_mtime_ns
    again = NeedleFeatures(SETTINGS, build_model(0)[0], folder)
    assert again.file == features.file and again.file.stat().st_mtime_ns == changed
    small = replace(SETTINGS, kinds=[{"split": "attribute", "opacity": 1.0, "videos": 1}])
    files = {NeedleFeatures(small, build_model(seed)[0], folder).file for seed in (0, 1)}
    assert len(files | {features.file}) == 3
    assert not list(Path(folder).glob(".*"))  # nothing unfinished stays


def test_targets_are_honest(features: NeedleFeatures) -> None:
    generator = np.random.default_rng(0)
    attribute, pair, order = features[0].questions[0], features[2].questions[0], features[3].questions[0]
    everything = np.arange(features.tokens)
    assert pose_again(generator, attribute, everything, 4).right is not None
    without = np.setdiff1d(everything, needle_tokens(attribute.evidence[0]))
    assert pose_again(generator, attribute, without, 4).target == (0.25,) * 4
    half = np.setdiff1d(everything, needle_tokens(pair.evidence[1]))
    assert sorted(pose_again(generator, pair, half, 4).target) == [0.0, 0.0, 0.5, 0.5]
    first = needle_tokens(order.evidence[0])[:1]
    assert pose_again(generator, order, first, 4).target == (0.5, 0.5)
    both = np.sort(np.concatenate([first, needle_tokens(order.evidence[1])]))
    asked = pose_again(generator, order, both, 4)
    assert asked.options[asked.right or 0] == order.options[order.right or 0]


def test_what_is_not_shown_is_not_counted(features: NeedleFeatures) -> None:
    generator, counted = np.random.default_rng(0), set()
    for question in (q for video in (5, 6, 7) for q in features[video].questions):
        needles = [needle_tokens(needle) for needle in question.evidence]
        shown = np.arange(features.tokens)
        for left in range(len(needles), 0, -1):
            asked = pose_again(generator, question, shown, 4)
            assert asked.right is not None and asked.options[asked.right] == str(left)
            counted.add(left)
            shown = np.setdiff1d(shown, needles[left - 1])
        assert pose_again(generator, question, shown, 4).target == (0.25,) * 4
        assert pose_again(generator, question, needles[0][2:3], 4).target.count(1.0) == 1  # one tick of one is enough
    assert len(counted) > 2


def test_a_direction_needs_two_ticks_of_its_needle(features: NeedleFeatures) -> None:
    generator = np.random.default_rng(0)
    question = features[4].questions[0]
    tokens = needle_tokens(question.evidence[0])
    others = np.setdiff1d(np.arange(features.tokens), tokens)
    for shown in ([], tokens[:1], tokens[2:3]):
        kept = np.sort(np.concatenate([others, np.array(shown, np.int64)]))
        assert pose_again(generator, question, kept, 4).target == (0.25,) * 4
    for two in (tokens[:2], tokens[1:3], tokens[::3]):
        asked = pose_again(generator, question, two, 4)
        assert asked.options[asked.right or 0] == question.options[question.right or 0] and asked.right is not None


def test_wide_videos(tmp_path: Path) -> None:
    wide = replace(SETTINGS, kinds=[{"split": "wide", "opacity": 1.0, "videos": 1}], frames=16)
    found = NeedleFeatures(wide, build_model(0)[0], tmp_path)
    assert (found.grid, found.ticks, found.tokens, found.shape) == (7, 8, 392, (1, 392, 128))
    generator, question = np.random.default_rng(0), found[0].questions[0]
    (needle,) = question.evidence
    tokens = needle_tokens(needle, 49)
    assert tokens.tolist() == [(needle.start // 2 + i) * 49 + needle.cell for i in range(4)]
    assert found[0].busy[tokens].all() and not found[0].busy.all()
    assert pose_again(generator, question, tokens[2:3], 4).right is not None
    without = np.setdiff1d(np.arange(392), tokens)
    assert pose_again(generator, question, without, 4).target == (0.25,) * 4
    with pytest.raises(ValueError, match="phase of their own"):
        NeedleFeatures(replace(wide, kinds=[*wide.kinds, *SETTINGS.kinds]), build_model(0)[0], tmp_path)


def test_needle_tokens_by_hand(features: NeedleFeatures) -> None:
    needle = features[0].questions[0].evidence[0]
    assert needle_tokens(needle).tolist() == [(needle.start // 2 + i) * CELLS + needle.cell for i in range(4)]
