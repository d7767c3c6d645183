"""What a session makes of a strategy's mistakes: a sentence that names the strategy and the key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from omegaconf import DictConfig

from framework.benchmarks.base import VideoItem
from framework.config.parts import build_pipeline
from framework.core.interfaces import RelevanceEstimator, TokenScorer
from framework.core.types import Relevance
from framework.core.view import GroupView, MissingNeed
from framework.engine.session import best


@dataclass(frozen=True)
class Careless(TokenScorer):
    """Reads what it did not ask for, or returns what is no score."""

    reads: bool

    def score(self, view: GroupView) -> Any:
        return view.probe if self.reads else torch.zeros(len(view.layout) - 1)


class Hopeful(RelevanceEstimator):
    """Reads the prior without asking for it."""

    def relevance(self, view: GroupView) -> Relevance:
        return Relevance(float(view.prior.logits.max()), 0.0, "")


@pytest.mark.parametrize(
    ("part", "error", "said"),
    [
        ({"scorer": Careless(True)}, MissingNeed, r"Careless: view\.probe was not asked for.*attention=\(layer,\)"),
        ({"relevance": Hopeful()}, MissingNeed, r"Hopeful: view\.prior was not asked for.*prior=True"),
        ({"scorer": Careless(False)}, ValueError, r"Careless\.score returned Tensor, expected framework\.Scores"),
    ],
)
def test_mistakes_name_the_strategy(
    part: dict[str, Any], error: type, said: str, composed: Callable[..., DictConfig], needle_video: VideoItem
) -> None:
    pipeline = replace(build_pipeline(composed("preset=uniform", "frames=64")), **part)
    with pytest.raises(error, match=said):
        pipeline.answer(needle_video.path, [needle_video.items[0].question])


def test_the_best_are_ascending_and_never_refused() -> None:
    scores = torch.tensor([1.0, 3.0, -torch.inf, 3.0, 2.0])
    assert best(scores, 2).tolist() == [1, 3]
    assert best(scores, 1).tolist() == [1]  # ties to the earlier token
    assert best(scores, 9).tolist() == [0, 1, 3, 4]
