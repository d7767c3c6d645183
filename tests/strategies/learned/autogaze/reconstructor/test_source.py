"""Which reconstructor is meant, and that it reads the patches of the gaze."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from framework.core.errors import UsageError
from strategies.learned.autogaze.gaze.vocabulary import Vocabulary
from strategies.learned.autogaze.reconstructor import checkpoint
from strategies.learned.autogaze.reconstructor.config import ReconstructorConfig
from strategies.learned.autogaze.reconstructor.model import Reconstructor
from strategies.learned.autogaze.reconstructor.source import Source

SMALL = ReconstructorConfig((16, 32), 8, 4, 16, 1, 2, 32, 16, 1, 2, 32, True, True, False)


def test_a_trained_one(tmp_path: Path) -> None:
    network = Reconstructor(SMALL)
    checkpoint.save(network, tmp_path, {})
    source = Source(str(tmp_path), SMALL.vocabulary)
    assert source.config == SMALL
    assert source.network.mask_token.equal(network.mask_token) and not source.network.mask_token.requires_grad
    with pytest.raises(ValueError, match=r"at scales \[16, 32\], the gaze picks patches of 16 at \[32, 64, 112\]"):
        Source(str(tmp_path), Vocabulary((32, 64, 112)))


def test_numbers_that_are_not_finite_are_named(tmp_path: Path) -> None:
    network = Reconstructor(SMALL)
    network.mask_token.data.view(-1)[1] = torch.nan
    checkpoint.save(network, tmp_path, {})
    source = Source(str(tmp_path), SMALL.vocabulary)
    with pytest.raises(
        UsageError, match=r"^reconstructor\.checkpoint: .*/reconstructor\.safetensors: mask_token .*finite"
    ):
        _ = source.network


def test_a_random_one_has_the_scales_of_the_gaze_and_its_seed() -> None:
    before = torch.random.get_rng_state()
    first, again, other = (Source(f"random:{seed}", Vocabulary((32, 64))).network for seed in (0, 0, 1))
    assert first.config.side == 64 and first.config.width == ReconstructorConfig.lab().width
    assert first.mask_token.equal(again.mask_token) and not first.mask_token.equal(other.mask_token)
    assert torch.random.get_rng_state().equal(before)


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    words = Vocabulary((32, 64, 112))
    with pytest.raises(ValueError, match=r"reconstructor\.checkpoint is not set"):
        Source(None, words)
    with pytest.raises(
        ValueError, match=r"reconstructor\.checkpoint: there are no shipped weights .*asset:reconstructor_lab"
    ):
        Source("asset:no_such_weights", words)
    published = Source(str(tmp_path / "videomae.pt"), Vocabulary((32, 64, 112, 224)))
    with pytest.raises(ValueError, match=r"reconstructor\.checkpoint: .*videomae.pt does not exist"):
        _ = published.network
