"""Images depend on what was picked up to their frame, whatever else is in the batch, and however they are computed."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from strategies.learned.autogaze.reconstructor.config import ReconstructorConfig
from strategies.learned.autogaze.reconstructor.model import Past, Reconstructor, places

CLOSE = 2e-5


def test_sizes() -> None:
    with torch.device("meta"):
        official, lab = Reconstructor(ReconstructorConfig.official()), Reconstructor(ReconstructorConfig.lab())
    assert sum(parameter.numel() for parameter in official.parameters()) == 329_941_248
    assert len(official.state_dict()) == 530
    assert sum(parameter.numel() for parameter in lab.parameters()) * 4 < 5 * 2**20  # bytes


def test_shapes_and_gradients(network: Reconstructor, pixels: Tensor, picked: Tensor) -> None:
    images = network(pixels, picked)
    assert images.shape == pixels.shape
    network.loss(pixels, images).mean().backward()
    still = [name for name, p in network.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)]
    assert sorted(still) == ["decoder_positions", "positions"]


def test_a_frame_sees_no_later_pick(network: Reconstructor, pixels: Tensor, picked: Tensor) -> None:
    before = network(pixels, picked, torch.tensor([1]))
    later = picked.clone()
    later[:, 2:] = ~later[:, 2:]
    changed = pixels.clone()
    changed[:, 2:] += 1
    assert torch.equal(before, network(changed, later, torch.tensor([1])))
    earlier = picked.clone()
    earlier[:, 0, 0] ^= True
    assert not torch.allclose(before, network(pixels, earlier, torch.tensor([1])))


def test_only_picked_patches_are_read(network: Reconstructor, pixels: Tensor, picked: Tensor) -> None:
    picked[..., : network.vocabulary.finest.start] = False  # coarser patches share pixels with them
    keep = picked[..., network.vocabulary.finest].unflatten(-1, (6, 6))
    seen = keep.repeat_interleave(4, 2).repeat_interleave(4, 3)[:, :, None]
    noise = torch.where(seen, pixels, torch.randn(pixels.shape, generator=torch.Generator().manual_seed(5)))
    assert torch.allclose(network(pixels, picked), network(noise, picked), atol=CLOSE)


def test_samples_do_not_depend_on_their_batch(network: Reconstructor, pixels: Tensor, picked: Tensor) -> None:
    together = network(pixels, picked)
    for row in range(len(pixels)):
        alone = network(pixels[row : row + 1], picked[row : row + 1])[0]
        assert torch.allclose(together[row], alone, atol=CLOSE)


def test_frames_may_be_chosen_per_sample(network: Reconstructor, pixels: Tensor, picked: Tensor) -> None:
    frames = torch.tensor([[0, 3], [1, 2], [2, 3]])
    images = network(pixels, picked, frames)
    for row in range(3):
        alone = network(pixels[row : row + 1], picked[row : row + 1], frames[row])[0]
        assert torch.allclose(images[row], alone, atol=CLOSE)


def test_a_lean_image_does_not_depend_on_the_others_asked_for(
    lab: Reconstructor, pixels: Tensor, picked: Tensor
) -> None:
    every = lab(pixels, picked)
    some = lab(pixels, picked, torch.tensor([3, 1]))
    assert torch.allclose(every[:, [3, 1]], some, atol=CLOSE)


def test_a_published_image_does_depend_on_them(official_network: Reconstructor, pixels: Tensor, picked: Tensor) -> None:
    apart = (official_network(pixels, picked)[:, 3:] - official_network(pixels, picked, torch.tensor([3]))).abs().max()
    assert apart > 1e-3


def test_the_past_is_reusable(network: Reconstructor, pixels: Tensor, picked: Tensor) -> None:
    """Frame by frame with the states kept, as the search does it, against a frame at a time from nothing."""
    past: Past = network.start(3)
    for frame in range(4):
        patches = network.cut(pixels[:, frame : frame + 1])
        tokens = network.gathered(patches, picked[:, frame : frame + 1], frame)
        rebuilt = network.rebuilt(past, tokens, frame)
        assert torch.allclose(rebuilt, network(pixels, picked, torch.tensor([frame]))[:, 0], atol=CLOSE)
        twice = past[torch.tensor([0, 1, 2, 2, 0])]
        assert len(twice.frame) == 5
        past = network.extended(past, tokens)
    assert past.frame.shape == past.valid.shape == past.encoder[0][0].shape[:3:2]


def test_nothing_picked(network: Reconstructor, pixels: Tensor) -> None:
    none = torch.zeros(3, 4, network.vocabulary.size, dtype=torch.bool)
    images = network(pixels, none, torch.tensor([0, 2]))
    assert images.isfinite().all()
    assert torch.allclose(images[0], images[1], atol=CLOSE)  # nothing was seen of them


def test_pixels_are_shown_as_they_were_last_seen(lab: Reconstructor, pixels: Tensor) -> None:
    picked = torch.zeros(3, 4, lab.vocabulary.size, dtype=torch.bool)
    picked[:, 1, lab.vocabulary.finest] = True
    picked[:, 2, lab.vocabulary.finest.start] = True
    images = lab(pixels, picked)
    assert torch.equal(images[:, 1], pixels[:, 1])
    assert torch.equal(images[:, 2, :, :4, :4], pixels[:, 2, :, :4, :4])
    assert torch.equal(images[:, 3], images[:, 2]) and torch.equal(images[:, 3, :, 4:], pixels[:, 1, :, 4:])


def test_the_rest_is_the_networks(lab: Reconstructor, pixels: Tensor) -> None:
    picked = torch.zeros(3, 4, lab.vocabulary.size, dtype=torch.bool)
    picked[:, 0, lab.vocabulary.finest.start] = True
    images = lab(pixels, picked, torch.tensor([0]))
    with torch.no_grad():
        lab.predict.bias.add_(1.0)
    moved = lab(pixels, picked, torch.tensor([0])) - images
    assert bool((moved[..., :4, :4] == 0).all())
    assert torch.allclose(moved[..., 4:, :], torch.tensor(1.0)) and torch.allclose(moved[..., 4:], torch.tensor(1.0))


def test_loss_by_hand(lab: Reconstructor) -> None:
    pixels = torch.zeros(1, 4, 3, 24, 24)
    images = torch.ones(1, 2, 3, 24, 24)
    images[0, 1, 0] = 4.0
    assert lab.loss(pixels, images, torch.tensor([0, 3])).tolist() == [[1.0, 2.0]]
    pixels[:, 3] = 1.0
    assert lab.loss(pixels, images, torch.tensor([[0, 3]])).tolist() == [[1.0, 1.0]]


def test_places() -> None:
    index, valid = places(torch.tensor([[0, 1, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]]).bool())
    assert index.tolist() == [[1, 3], [3, 0], [0, 0]]
    assert valid.tolist() == [[True, True], [True, False], [False, False]]


def test_wrong_shapes_are_refused(lab: Reconstructor, pixels: Tensor, picked: Tensor) -> None:
    with pytest.raises(ValueError, match=r"expected normalised frames \[B, T, 3, 24, 24\]"):
        lab(pixels[..., :20], picked)
    with pytest.raises(ValueError, match=r"expected picks \[3, 4, 56\]"):
        lab(pixels, picked[..., :-1])
    with pytest.raises(ValueError, match="up to 4 frames, got 5"):
        lab(pixels[:, [0, 1, 2, 3, 3]], picked[:, [0, 1, 2, 3, 3]])


@pytest.mark.parametrize(
    "change", [{"frames": 0}, {"scales": (48, 112)}, {"heads": 3}, {"scales": (8, 15)}, {"decoder_width": 6}]
)
def test_impossible_sizes_are_refused(change: dict[str, object]) -> None:
    told = ReconstructorConfig.lab().told() | change
    with pytest.raises(ValueError):
        ReconstructorConfig.of(told)
    with pytest.raises(ValueError, match="must hold"):
        ReconstructorConfig.of({"frames": 3})
