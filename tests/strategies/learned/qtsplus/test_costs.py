"""Operations of a selector: by hand, against what runs as torch counts it, and in a pipeline's ledger."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from strategies.learned.qtsplus import costs
from strategies.learned.qtsplus.selector import Selector, Shape

PUBLISHED_3B = Shape(2048, 16, 2, scoring_layers=1, reencode_layers=2, time=False, official=True)


def counted(run: Callable[[], object]) -> float:
    """Matrix products, whole attention included, as they are dispatched."""
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


@pytest.mark.parametrize("official", [True, False])
@pytest.mark.parametrize("scoring", [1, 3])
@pytest.mark.parametrize(("tokens", "words"), [(40, 6), (1, 1), (7, 9)])
def test_scoring_is_what_runs(selector, batch, official: bool, scoring: int, tokens: int, words: int) -> None:
    chooser, (video, mask, question, question_mask, _) = selector(scoring, official=official), batch(1, tokens, words)

    def run() -> None:
        log_scores = chooser.score(video, mask, question, question_mask)
        chooser.budget(log_scores, mask, question, question_mask)

    assert costs.scoring(chooser.shape, tokens, words) == counted(run)


@pytest.mark.parametrize("time", [True, False])
@pytest.mark.parametrize("layers", [0, 2])
def test_reencoding_is_what_runs(selector, batch, time: bool, layers: int) -> None:
    chooser, (video, mask, _, _, seconds) = selector(reencoding=layers, time=time), batch(1, 23, 1)
    assert costs.reencoding(chooser.shape, 23) == counted(lambda: chooser.reencode(video, mask, seconds))


def test_the_published_size_by_its_weights() -> None:
    """Two operations per weight of a matrix and position, plus attention: 43.0 M parameters a block."""
    with torch.device("meta"):
        selector = Selector(PUBLISHED_3B, 0.05, 0.5, scaled=False, dropout=0.0, chunk=8192)

    def matrices(module: torch.nn.Module) -> int:
        return sum(parameter.numel() for parameter in module.parameters() if parameter.ndim == 2)

    kept, tokens, text = 1_000, 10_000, 20
    by_weights = 2 * kept * matrices(selector.reencode_layers) + 2 * 4 * kept**2 * 2048
    assert costs.reencoding(PUBLISHED_3B, kept) == by_weights
    used = selector.scoring_layers[0]
    by_weights = 2 * (text * matrices(used.q_proj) + tokens * matrices(used.k_proj) + matrices(selector.budget))
    assert costs.scoring(PUBLISHED_3B, tokens, text) == by_weights + 2 * (2 * text * tokens * 2048)
