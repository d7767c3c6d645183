"""The picture of what was last seen where, by hand: finer over coarser, later over earlier, and nothing unseen."""

from __future__ import annotations

import torch

from strategies.learned.autogaze.gaze.vocabulary import Vocabulary
from strategies.learned.autogaze.reconstructor.canvas import enlarge, paint
from strategies.learned.autogaze.reconstructor.patches import cut

VOCABULARY = Vocabulary((8, 24), 4)  # 4 patches of 12 x 12 pixels, 36 of 4 x 4


def shown(pixels: torch.Tensor) -> list[torch.Tensor]:
    return enlarge(cut(pixels, VOCABULARY.scales, 4, True), VOCABULARY)


def picks(*ids: int) -> torch.Tensor:
    found = torch.zeros(1, VOCABULARY.size, dtype=torch.bool)
    found[0, list(ids)] = True
    return found


def test_each_patch_is_blown_up_on_its_own() -> None:
    pixels = torch.zeros(1, 3, 24, 24)
    pixels[:, :, :12, 12:] = 1.0
    (coarse,), (fine,) = shown(pixels)
    assert torch.equal(fine, pixels[0])
    patches = cut(pixels, VOCABULARY.scales, 4, True)
    patches[:, 0] = 7.0
    again = enlarge(patches, VOCABULARY)[0][0]
    assert torch.allclose(again[:, :12, :12], torch.tensor(7.0), atol=1e-5)
    assert torch.equal(again[:, 12:], coarse[:, 12:]) and torch.equal(again[:, :12, 12:], coarse[:, :12, 12:])
    assert torch.equal(enlarge(patches, VOCABULARY, pixels)[1], pixels)


def test_finer_over_coarser_in_any_order() -> None:
    pixels = torch.randn(1, 3, 24, 24)
    canvas = paint(torch.zeros(1, 3, 24, 24), shown(pixels), picks(0, 4), VOCABULARY)
    assert torch.equal(canvas[:, :, :4, :4], pixels[:, :, :4, :4])  # id 4 is the first fine patch
    assert torch.equal(canvas[0, :, 4:12, :12], shown(pixels)[0][0, :, 4:12, :12])
    assert bool((canvas[:, :, 12:] == 0).all()) and bool((canvas[:, :, :, 12:] == 0).all())


def test_later_over_earlier() -> None:
    first, second = torch.randn(1, 3, 24, 24), torch.randn(1, 3, 24, 24)
    canvas = paint(torch.zeros(1, 3, 24, 24), shown(first), picks(4, 5), VOCABULARY)
    canvas = paint(canvas, shown(second), picks(5, 39), VOCABULARY)
    assert torch.equal(canvas[:, :, :4, :4], first[:, :, :4, :4])
    assert torch.equal(canvas[:, :, :4, 4:8], second[:, :, :4, 4:8])
    assert torch.equal(canvas[:, :, 20:, 20:], second[:, :, 20:, 20:])


def test_many_samples_of_few_frames() -> None:
    pixels = torch.randn(2, 3, 24, 24)
    rows = torch.tensor([1, 0, 1])
    picked = torch.cat([picks(0), picks(9), picks(1, 7)])
    together = paint(torch.zeros(3, 3, 24, 24), shown(pixels), picked, VOCABULARY, rows)
    for number, row in enumerate(rows.tolist()):
        alone = paint(torch.zeros(1, 3, 24, 24), shown(pixels[row : row + 1]), picked[number : number + 1], VOCABULARY)
        assert torch.equal(together[number], alone[0])
