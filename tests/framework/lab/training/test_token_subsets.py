"""Random subsets of visual tokens: sizes, what is in them; features, places and targets belong together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.backbones.qwen2_5_vl import Qwen25VL
from framework.lab.features import NeedleFeatures, NeedleSettings, needle_tokens
from framework.lab.model import SLIDING_WINDOW
from framework.lab.training.packing import TIME_STEP, VIDEO_START
from framework.lab.training.questions import Asker, QuestionSettings
from framework.lab.training.token_subsets import SubsetSettings, draw_subset, subset_batch
from framework.lab.world import CELLS, GRID

SETTINGS = SubsetSettings(
    size=(4, 64),
    batch_tokens=96,
    most_videos=5,
    needle_share=0.0,
    busy_share=0.0,
    stretches=[1, 3],
    sequential_share=0.0,
)


@given(seed=st.integers(0, 99), size=st.integers(1, 128), needles=st.floats(0, 1), busy=st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_a_subset_is_ascending_without_duplicates(
    features: NeedleFeatures, seed: int, size: int, needles: float, busy: float
) -> None:
    asked = replace(SETTINGS, needle_share=needles, busy_share=busy)
    kept = draw_subset(np.random.default_rng(seed), features[seed % 3], size, asked)
    assert kept.shape == (size,) and bool((np.diff(kept) > 0).all()) and kept[0] >= 0 and kept[-1] < 128


def test_needles_and_busy_tokens_come_first_where_asked(features: NeedleFeatures) -> None:
    generator, video = np.random.default_rng(0), features[0]
    needles = [needle_tokens(needle) for question in video.questions for needle in question.evidence]
    most = sum(len(tokens) for tokens in needles)
    for _ in range(10):
        kept = draw_subset(generator, video, most, replace(SETTINGS, needle_share=1.0))
        assert all(np.isin(tokens, kept).any() for tokens in needles)
        kept = draw_subset(generator, video, int(video.busy.sum()), replace(SETTINGS, busy_share=1.0))
        assert video.busy[kept].all()
    plain = np.concatenate([draw_subset(generator, video, 32, SETTINGS) for _ in range(400)])
    share = np.bincount(plain, minlength=128) / 400
    assert abs(share - 0.25).max() < 0.1  # 4.6 standard deviations of a draw of 400


def test_wide_tokens_keep_their_places(backbone: Qwen25VL, tmp_path: Path) -> None:
    kinds = [{"split": "wide", "opacity": 1.0, "videos": 1}]
    wide = NeedleFeatures(NeedleSettings(kinds, 16, 2, 8, 0.01, 0.25, 0.0, seed=5), backbone.model, tmp_path)
    asker = Asker(QuestionSettings({}, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0), backbone.tokenizer.get_vocab())
    settings = replace(SETTINGS, size=(40, 40), needle_share=1.0, stretches=[1])
    batch = subset_batch(np.random.default_rng(0), wide, settings, asker, SLIDING_WINDOW)
    assert batch.kept.shape == (2, 40) and {question.split for question in batch.questions} == {"wide"}
    places = batch.packed.positions[:, 0, VIDEO_START : VIDEO_START + 40] - VIDEO_START
    tick, row, column = places[0] // TIME_STEP, places[1], places[2]
    assert torch.equal(tick * 49 + row * 7 + column, batch.kept[0]) and int(row.max()) > 2
    assert batch.packed.positions[:, 0, VIDEO_START + 40].tolist() == [VIDEO_START + 7] * 3


@pytest.mark.parametrize("sequential", [0.0, 1.0])
def test_a_batch_belongs_together(features: NeedleFeatures, backbone: Qwen25VL, sequential: float) -> None:
    plain = QuestionSettings({}, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    asker = Asker(plain, backbone.tokenizer.get_vocab())
    settings = replace(SETTINGS, needle_share=0.5, sequential_share=sequential)
    stretched, sizes = set(), set()
    for seed in range(12):
        batch = subset_batch(np.random.default_rng(seed), features, settings, asker, SLIDING_WINDOW)
        videos, size = batch.kept.shape
        sizes.add(size)
        assert 4 <= size <= 64 and videos == max(1, min(5, 96 // size)) and batch.features is not None
        for row, kept, time in zip(batch.features, batch.kept, batch.packed.positions[0], strict=True):
            assert any(
                torch.equal(row, torch.from_numpy(f.features[kept]).float())
                for f in map(features.__getitem__, range(3))
            )
            places = time[VIDEO_START : VIDEO_START + size] - VIDEO_START
            if sequential:
                assert places.tolist() == list(range(size))
            elif int(kept[-1]) >= CELLS:
                ticks = kept // CELLS * TIME_STEP
                stretched.add(int(places[-1] // ticks[-1]))
                assert torch.equal(places, ticks * (places[-1] // ticks[-1]))
        text = batch.packed.positions[0, 0, VIDEO_START + size]
        assert int(text) == VIDEO_START + (size if sequential else GRID)
        assert torch.allclose(batch.packed.targets.sum(1), torch.ones(len(batch.questions)))
    assert len(sizes) > 3 and stretched == (set() if sequential else {1, 3})


def test_thirds_of_a_video_are_those_of_its_own_length(backbone: Qwen25VL, tmp_path: Path) -> None:
    kinds = [{"split": "when", "opacity": 1.0, "videos": 2}]
    timed = NeedleFeatures(NeedleSettings(kinds, 96, 2, 8, 0.05, 0.25, 0.0, seed=5), backbone.model, tmp_path)
    asker = Asker(QuestionSettings({}, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0), backbone.tokenizer.get_vocab())
    batch = subset_batch(
        np.random.default_rng(0), timed, replace(SETTINGS, stretches=[3], size=(20, 20)), asker, SLIDING_WINDOW
    )
    places = batch.packed.positions[0, :, VIDEO_START : VIDEO_START + 20] - VIDEO_START
    assert torch.equal(places, batch.kept // CELLS * TIME_STEP)  # never stretched: start, middle and end would move
