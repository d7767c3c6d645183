"""Random picks: how many, spread how, and the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from strategies.learned.autogaze.gaze.vocabulary import Vocabulary
from strategies.learned.autogaze.training.random_masks import MaskSettings, even_picks, random_picks

VOCABULARY = Vocabulary((32, 64, 112))
SETTINGS = MaskSettings((0.02, 0.5), 1.0, 1.5, 0.1)


def draw(seed: int, settings: MaskSettings = SETTINGS, clips: int = 8) -> torch.Tensor:
    return random_picks(np.random.default_rng(seed), clips, 8, VOCABULARY, settings)


def test_ratios_spread_over_their_range() -> None:
    drawn = torch.stack([draw(seed).double().mean() for seed in range(200)])
    assert 0.01 < float(drawn.min()) < 0.03 and 0.3 < float(drawn.max()) < 0.5
    assert float(drawn.median()) == pytest.approx(0.09, abs=0.03)  # log-uniform: half lies below e^(mean of logs)


def test_frames_and_scales_get_uneven_shares() -> None:
    picked = draw(3, MaskSettings((0.2, 0.2), 1.0, 1.5, 0.0), 64)
    per_frame = picked.sum(2).double()
    assert float(per_frame.std(1).mean()) > 6  # of 13.8 on average
    level = draw(3, MaskSettings((0.2, 0.2), 1e6, 0.0, 0.0), 64)
    assert set(level.sum(2).flatten().tolist()) == {14}
    coarse = level[..., :20].double().mean() / level.double().mean()
    assert float(coarse) == pytest.approx(1.0, abs=0.05)
    shares = picked[..., :20].sum(2) / picked.sum(2).clamp_min(1)
    assert float(shares.std()) > 1.5 * float((level[..., :20].sum(2) / 14).std())


def test_some_frames_get_none() -> None:
    picked = draw(5, MaskSettings((0.5, 0.5), 1e6, 0.0, 0.25), 200)
    assert float((picked.sum(2) == 0).double().mean()) == pytest.approx(0.25, abs=0.04)


def test_the_same_seed_gives_the_same() -> None:
    assert torch.equal(draw(1), draw(1)) and not torch.equal(draw(1), draw(2))


@pytest.mark.parametrize("ratio", [0.0, 0.05, 0.1, 1.0])
def test_even_picks_are_as_many_as_asked_for(ratio: float) -> None:
    picked = even_picks(np.random.default_rng(0), 500, 8, VOCABULARY, ratio)
    assert set(picked.flatten(1).sum(1).tolist()) == {round(ratio * 552)}
    each = picked.double().mean(0)
    assert float((each - round(ratio * 552) / 552).abs().max()) < 0.06


@pytest.mark.parametrize("change", [{"ratio": (0.0, 0.5)}, {"ratio": (0.5, 0.2)}, {"frame_alpha": 0.0}, {"bare": 1.0}])
def test_mistakes(change: dict[str, object]) -> None:
    given = {"ratio": (0.1, 0.2), "frame_alpha": 1.0, "scale_spread": 0.0, "bare": 0.0} | change
    with pytest.raises(ValueError, match=r"recipe\.masks"):
        MaskSettings(**given)  # type: ignore[arg-type]
