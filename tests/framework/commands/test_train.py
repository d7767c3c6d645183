"""`sieve train` trains one thing: none and two are errors that name the keys."""

from __future__ import annotations

from itertools import combinations

import pytest
from omegaconf import OmegaConf

from framework.commands.train import KINDS, run
from framework.core.errors import UsageError


def test_nothing_to_train() -> None:
    with pytest.raises(
        UsageError, match=r"model or selector or gaze: got nothing to train.*model=lab.*selector=qtsplus"
    ):
        run(OmegaConf.create(dict.fromkeys(KINDS)))


@pytest.mark.parametrize("two", combinations(("model", "selector", "gaze"), 2))
def test_two_are_one_too_many(two: tuple[str, str]) -> None:
    with pytest.raises(UsageError, match=f"^{two[0]} and {two[1]}: one run trains one thing"):
        run(OmegaConf.create({kind: {"name": kind} for kind in two}))
