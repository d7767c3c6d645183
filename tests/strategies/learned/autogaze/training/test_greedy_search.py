"""The greedy search against trying everything with the plain forward pass, and its bookkeeping."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from strategies.learned.autogaze.reconstructor.config import ReconstructorConfig
from strategies.learned.autogaze.reconstructor.model import Reconstructor
from strategies.learned.autogaze.training.greedy_search import search

SIZES = {"width": 16, "layers": 1, "heads": 2, "hidden": 16, "decoder_width": 8, "decoder_layers": 1,
         "decoder_heads": 1, "decoder_hidden": 16, "frames": 3, "scales": (8, 16), "patch": 4}  # fmt: skip
EVERYTHING = (4, 16)


def network(kind: str) -> Reconstructor:
    torch.manual_seed(0)
    config: ReconstructorConfig = getattr(ReconstructorConfig, kind)()
    found = Reconstructor(replace(config, **SIZES))  # type: ignore[arg-type]
    for name, parameter in found.named_parameters():
        if "norm" not in name and "positions" not in name:
            torch.nn.init.normal_(parameter, std=0.3)
    return found.eval()


PIXELS = torch.randn(2, 3, 3, 16, 16, generator=torch.Generator().manual_seed(3))
COUNTS = torch.tensor([[3, 1, 2], [1, 0, 4]])


def plain(reconstructor: Reconstructor, pixels: torch.Tensor, counts: list[int]) -> tuple[list[list[int]], list[float]]:
    """One clip, every patch tried for every pick, each time from nothing."""
    picked = torch.zeros(1, 3, 20, dtype=torch.bool)
    ids: list[list[int]] = []
    losses = []
    for frame, count in enumerate(counts):
        ids.append([])
        for _ in range(count):
            tried = {}
            for one in set(range(20)) - set(ids[frame]):
                picked[0, frame, one] = True
                images = reconstructor(pixels[None], picked, torch.tensor([frame]))
                tried[one] = float(reconstructor.loss(pixels[None], images, torch.tensor([frame])))
                picked[0, frame, one] = False
            best = min(tried, key=tried.__getitem__)
            picked[0, frame, best] = True
            ids[frame].append(best)
            losses.append(tried[best])
    return ids, losses


@pytest.mark.parametrize("kind", ["lab", "official"])
def test_with_everything_tried_it_is_the_plain_search(kind: str) -> None:
    reconstructor = network(kind)
    with torch.no_grad():
        found = search(reconstructor, PIXELS, COUNTS, EVERYTHING)
        for one, pixels, counts in zip(found, PIXELS, COUNTS.tolist(), strict=True):
            ids, losses = plain(reconstructor, pixels, counts)
            assert one.ids == ids
            assert [loss for row in one.losses for loss in row] == pytest.approx(losses, abs=1e-5)


def test_losses_are_those_of_the_picks() -> None:
    """A shortlist changes which are tried, not what their loss is; the loss before the first pick is given too."""
    reconstructor = network("lab")
    found = search(reconstructor, PIXELS, COUNTS, (1, 3))
    for one, pixels, counts in zip(found, PIXELS, COUNTS.tolist(), strict=True):
        assert [len(row) for row in one.ids] == counts == [len(row) for row in one.losses]
        picked = torch.zeros(1, 3, 20, dtype=torch.bool)
        for frame, (ids, losses) in enumerate(zip(one.ids, one.losses, strict=True)):
            assert len(set(ids)) == len(ids)
            for pick, wanted in zip([None, *ids], [one.before[frame], *losses], strict=True):
                if pick is not None:
                    picked[0, frame, pick] = True
                with torch.no_grad():
                    images = reconstructor(pixels[None], picked, torch.tensor([frame]))
                    loss = reconstructor.loss(pixels[None], images, torch.tensor([frame]))
                assert float(loss) == pytest.approx(wanted, abs=1e-5)


def test_a_clip_does_not_depend_on_those_beside_it() -> None:
    reconstructor = network("lab")
    together = search(reconstructor, PIXELS, COUNTS, (2, 4))
    for row in range(2):
        (alone,) = search(reconstructor, PIXELS[row : row + 1], COUNTS[row : row + 1], (2, 4))
        assert alone.ids == together[row].ids


def test_a_scale_may_run_out() -> None:
    (found,) = search(network("lab"), PIXELS[:1], torch.tensor([[20, 0, 0]]), (1, 1))
    assert sorted(found.ids[0]) == list(range(20))


def test_mistakes() -> None:
    reconstructor = network("lab")
    with pytest.raises(ValueError, match=r"recipe.search.shortlist: expected a number for each.* scales \(8, 16\)"):
        search(reconstructor, PIXELS, COUNTS, (1, 2, 3))
    with pytest.raises(ValueError, match=r"got 21 picks of a frame.*have 20 patches"):
        search(reconstructor, PIXELS, torch.tensor([[21, 0, 0]] * 2), (1, 1))
