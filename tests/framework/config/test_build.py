"""A wrong configuration is refused before anything heavy is loaded, with a message that names the key."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from omegaconf import OmegaConf

from framework.config.build import ConfigError, build
from framework.core.interfaces import TokenRefiner, TokenScorer
from framework.core.types import Scores
from framework.core.view import GroupView


@dataclass(frozen=True)
class Constant(TokenScorer):
    """Scores every token alike."""

    level: float
    layers: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.level < 0:
            raise ValueError(f"scorer.level must be >= 0, got {self.level}")
        if self.level == 7:
            raise ValueError("level of 7 is too high")
        if self.level == 8:
            raise ValueError("no such levels")

    def score(self, view: GroupView) -> Scores:
        return Scores(torch.full((len(view.layout),), self.level))


@dataclass(frozen=True)
class Wrapped(TokenScorer):
    """Holds another scorer, and several by name."""

    inner: TokenScorer
    parts: dict[str, TokenScorer]

    def score(self, view: GroupView) -> Scores:
        return self.inner.score(view)


NODE = {"_target_": f"{__name__}.Constant", "level": 1, "layers": [2, 3]}


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The classes above can be named by a dotted path."""
    import sys

    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or type(sys)(__name__))
    for cls in (Constant, Wrapped):
        monkeypatch.setattr(sys.modules[__name__], cls.__name__, cls, raising=False)


def test_builds_what_the_node_says() -> None:
    assert build(OmegaConf.create(NODE), TokenScorer, "scorer") == Constant(1.0, (2, 3))


def test_builds_nested_parts() -> None:
    built = build({"_target_": f"{__name__}.Wrapped", "inner": NODE, "parts": {"a": NODE}}, TokenScorer, "scorer")
    assert built == Wrapped(Constant(1.0, (2, 3)), {"a": Constant(1.0, (2, 3))})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"levle": 2}, r"scorer\.levle.*no such key.*level"),
        ({"level": "high"}, r"scorer\.level: got 'high', expected float"),
        ({"layers": [1.5]}, r"scorer\.layers"),
        ({"level": -1}, r"^scorer\.level must be >= 0, got -1"),
        ({"level": 7}, r"^scorer\.level of 7 is too high"),
        ({"level": 8}, r"^scorer: no such levels"),
        ({"_target_": "nowhere.Thing"}, r"nowhere\.Thing is no class"),
        ({"_target_": "pathlib.Path"}, r"is no TokenScorer"),
        ({"level": "${missing}"}, r"scorer: .*missing"),
    ],
)
def test_says_what_is_wrong(change: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        build({**NODE, **change}, TokenScorer, "scorer")


def test_names_what_is_missing() -> None:
    with pytest.raises(ConfigError, match=r"scorer\.layers is missing"):
        build({"_target_": NODE["_target_"], "level": 1}, TokenScorer, "scorer")


def test_a_nested_part_must_be_of_its_interface() -> None:
    with pytest.raises(ConfigError, match=r"refiner.*no TokenRefiner"):
        build(NODE, TokenRefiner, "refiner")
