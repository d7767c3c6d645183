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
from framework.lab.model import SLIDING_WINDOW, build_model
from framework.lab.training.batches import LanguageBatch
from framework.lab.training.packing import TIME_STEP
from framework.lab.training.questions import Asker, QuestionSettings
from framework.lab.training.token_subsets import SubsetSettings, draw_subset, subset_batch
from framework.lab.world import CELLS, GRID

PLAIN = QuestionSettings({}, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
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
    asker = Asker(PLAIN, backbone.tokenizer.get_vocab())
    settings = replace(SETTINGS, size=(40, 40), needle_share=1.0, stretches=[1])
    batch = subset_batch(np.random.default_rng(0), wide, settings, asker, SLIDING_WINDOW)
    assert batch.kept.shape == (2, 40) and {question.split for question in batch.questions} == {"wide"}
    start = batch.packed.video_start
    places = batch.packed.positions[:, 0, start : start + 40] - start
    tick, row, column = places[0] // TIME_STEP, places[1], places[2]
    assert torch.equal(tick * 49 + row * 7 + column, batch.kept[0]) and int(row.max()) > 2
    assert batch.packed.positions[:, 0, start + 40].tolist() == [start + 7] * 3


@pytest.mark.parametrize("sequential", [0.0, 1.0])
def test_a_batch_belongs_together(features: NeedleFeatures, backbone: Qwen25VL, sequential: float) -> None:
    asker = Asker(PLAIN, backbone.tokenizer.get_vocab())
    settings = replace(SETTINGS, needle_share=0.5, sequential_share=sequential)
    stretched, sizes = set(), set()
    for seed in range(12):
        batch = subset_batch(np.random.default_rng(seed), features, settings, asker, SLIDING_WINDOW)
        (videos, size), start = batch.kept.shape, batch.packed.video_start
        sizes.add(size)
        assert 4 <= size <= 64 and videos == max(1, min(5, 96 // size)) and batch.features is not None
        for row, kept, time in zip(batch.features, batch.kept, batch.packed.positions[0], strict=True):
            assert any(
                torch.equal(row, torch.from_numpy(f.features[kept]).float())
                for f in map(features.__getitem__, range(3))
            )
            places = time[start : start + size] - start
            if sequential:
                assert places.tolist() == list(range(size))
            elif int(kept[-1]) >= CELLS:
                ticks = kept // CELLS * TIME_STEP
                stretched.add(int(places[-1] // ticks[-1]))
                assert torch.equal(places, ticks * (places[-1] // ticks[-1]))
        text = batch.packed.positions[0, 0, start + size]
        assert int(text) == start + (size if sequential else GRID) and (batch.packed.thirds == -1).all()
        assert torch.allclose(batch.packed.targets.sum(1), torch.ones(len(batch.questions)))
    assert len(sizes) > 3 and stretched == (set() if sequential else {1, 3})


def test_thirds_of_a_video_are_those_of_its_own_length(backbone: Qwen25VL, tmp_path: Path) -> None:
    kinds = [{"split": "when", "opacity": 1.0, "videos": 2}]
    timed = NeedleFeatures(NeedleSettings(kinds, 96, 2, 8, 0.05, 0.25, 0.0, seed=5), backbone.model, tmp_path)
    asker = Asker(PLAIN, backbone.tokenizer.get_vocab())
    asked = replace(SETTINGS, stretches=[3], size=(20, 20))
    batch = subset_batch(np.random.default_rng(0), timed, asked, asker, SLIDING_WINDOW)
    start = batch.packed.video_start
    places = batch.packed.positions[0, :, start : start + 20] - start
    assert torch.equal(places, batch.kept // CELLS * TIME_STEP)  # never stretched: start, middle and end would move
    with pytest.raises(ValueError, match=r"needles\.frames=96: .* from 160 frames on"):
        subset_batch(np.random.default_rng(0), timed, replace(asked, length_told=True), asker, SLIDING_WINDOW)


@pytest.fixture(scope="module")
def when(tmp_path_factory: pytest.TempPathFactory) -> tuple[NeedleFeatures, dict[str, int]]:
    """Films of 90 ticks, the last run of neighbours a short one of two: their questions ask when; and a vocabulary."""
    model, tokenizer = build_model(seed=0)
    kinds = [{"split": "when", "opacity": 1.0, "videos": 4}]
    made = NeedleSettings(kinds, 180, 3, 8, 0.05, 0.25, 0.0, seed=5)
    return NeedleFeatures(made, model, tmp_path_factory.mktemp("when")), tokenizer.get_vocab()


def shown(batch: LanguageBatch, vocabulary: dict[str, int], video: int) -> tuple[list[int], int]:
    """Read from a packed batch: the times of a film's tokens in ticks, and its length, told in five digits."""
    words, start = {index: word for word, index in vocabulary.items()}, batch.packed.video_start
    told = [words[int(index)] for index in batch.packed.ids[video, :start]]
    assert told[:2] == ["<|im_start|>", "user"] and told[7:] == ["seconds", "<|vision_start|>"]
    places = batch.packed.positions[0, video, start : start + batch.kept.shape[1]] - start
    assert not (places % TIME_STEP).any()
    return (places // TIME_STEP).tolist(), int("".join(told[2:7])) + 1


def videos_of(batch: LanguageBatch, features: NeedleFeatures) -> list[int]:
    """Which video each row of a batch shows, by its features."""
    assert batch.features is not None
    found = []
    for row, kept in zip(batch.features.numpy(), batch.kept.numpy(), strict=True):
        same = [i for i in range(len(features)) if np.array_equal(row, features[i].features[kept].astype(np.float32))]
        assert len(same) == 1
        found += same
    return found


ZONES = ("start", "middle", "end")


def test_a_needle_stays_in_its_third_when_the_told_film_is_longer(when: tuple[NeedleFeatures, dict[str, int]]) -> None:
    films, vocabulary = when
    asker = Asker(PLAIN, vocabulary)
    asked = replace(SETTINGS, stretches=[1, 2, 7, 39], size=(4, 200), needle_share=1.0, length_told=True)
    lengths, zones = set(), set()
    for seed in range(40):
        batch = subset_batch(np.random.default_rng(seed), films, asked, asker, SLIDING_WINDOW)
        for row, video in enumerate(videos_of(batch, films)):
            times, length = shown(batch, vocabulary, row)
            lengths.add(length)
            assert length % 90 == 0 and times == sorted(times) and times[-1] < length
            assert batch.packed.thirds[row].tolist() == [3 * time // length for time in times]
            for question in films[video].questions:
                zone = ZONES.index(question.options[question.right or 0])
                on = np.isin(batch.kept[row].numpy(), needle_tokens(question.evidence[0]))
                seen = [time for time, needle in zip(times, on, strict=True) if needle]
                assert all(zone * length <= 3 * time < (zone + 1) * length for time in seen)
                zones |= {zone} if seen else set()
            text = int(batch.packed.positions[0, row, batch.packed.video_start + len(times)])
            assert text == batch.packed.video_start + 2 * (length - 1) + 1
    assert lengths == {90 * stretch for stretch in (1, 2, 7, 39)} and zones == {0, 1, 2}


def test_neighbours_stay_neighbours_when_a_film_is_stretched(when: tuple[NeedleFeatures, dict[str, int]]) -> None:
    """All tokens are kept: four ticks together, somewhere in their own part of the film, not always at its start."""
    films, vocabulary = when
    asked = replace(SETTINGS, stretches=[5], size=(360, 360), length_told=True)
    batch = subset_batch(np.random.default_rng(0), films, asked, Asker(PLAIN, vocabulary), SLIDING_WINDOW)
    times, length = shown(batch, vocabulary, 0)
    runs = np.array(times)[::CELLS]
    assert length == 450 and len(runs) == 90
    starts = runs[::4]
    assert runs.tolist() == [start + i for start in starts for i in range(4)][:90]
    shifts = starts - 20 * np.arange(23)
    assert shifts.min() >= 0 and shifts.max() <= 16 and len(set(shifts.tolist())) > 5 and runs[-1] < 450


def test_groups_are_whole_ticks_at_compact_times(when: tuple[NeedleFeatures, dict[str, int]]) -> None:
    films, vocabulary = when
    asked = replace(SETTINGS, group_share=1.0, groups=(4, 16, 32, 128), batch_tokens=256, length_told=True)
    seen, sizes = [], set()
    for seed in range(80):
        batch = subset_batch(np.random.default_rng(seed), films, asked, Asker(PLAIN, vocabulary), SLIDING_WINDOW)
        for row, video in enumerate(videos_of(batch, films)):
            times, length = shown(batch, vocabulary, row)
            kept = batch.kept[row].numpy()
            ticks = kept[::CELLS] // CELLS
            sizes.add(length)
            assert kept.tolist() == [tick * CELLS + cell for tick in ticks for cell in range(CELLS)]
            assert times == [tick for tick in range(length) for _ in range(CELLS)] and len(ticks) == length
            stride = 90 // length  # of `when` a group strides over the whole film
            assert (np.diff(ticks) == stride).all() and ticks[0] < stride
            if length == 4:
                evidence = [needle_tokens(question.evidence[0]) for question in films[video].questions]
                seen.append(any(np.isin(tokens, kept).any() for tokens in evidence))
    assert sizes == {4, 16, 32}  # 128 ticks are more than there are
    # four ticks of 90 show one of three needles of four ticks in 1 - (1 - 4/22)^3 = 45 % by chance; in 60 % on purpose
    assert 0.65 < np.mean(seen) < 0.9 and len(seen) > 100


@pytest.mark.parametrize("told", [True, False])
def test_other_groups_are_neighbours_half_of_the_time(features: NeedleFeatures, backbone: Qwen25VL, told: bool) -> None:
    tokenizer = build_model(seed=0)[1]
    asked = replace(SETTINGS, group_share=1.0, groups=(8,), batch_tokens=64, length_told=told)
    near, total = 0, 0
    for seed in range(100):
        batch = subset_batch(
            np.random.default_rng(seed), features, asked, Asker(PLAIN, tokenizer.get_vocab()), SLIDING_WINDOW
        )
        start, size = batch.packed.video_start, batch.kept.shape[1]
        assert start == (9 if told else 3) and bool((batch.packed.thirds >= 0).all()) == told
        for kept in batch.kept.numpy():
            step = np.diff(kept[::CELLS] // CELLS)
            assert (step == step[0]).all() and step[0] in (1, 4)
            near, total = near + (step[0] == 1), total + 1
        text = int(batch.packed.positions[0, 0, start + size])
        assert text == start + (2 * 7 + 1 if told else GRID)
    assert 0.4 < near / total < 0.6
