"""A wrong configuration is refused before anything heavy is loaded, with a message that names the key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    for cls in (Constant, Wrapped, Holder, Settings):
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


@dataclass(frozen=True)
class Settings:
    """A record inside a part."""

    width: int
    inner: TokenScorer | None = None


@dataclass(frozen=True)
class Holder(TokenScorer):
    """Takes parts and values of every kind of annotation."""

    maybe: TokenScorer | None = None
    either: str | TokenScorer | None = None
    anything: Any = None
    plain: str | None = None
    numbers: Sequence[float] = ()
    several: tuple[TokenScorer, ...] = ()
    named: Mapping[str, Settings] | None = None
    record: Settings | None = None
    free: Mapping[str, Any] | None = None

    def score(self, view: GroupView) -> Scores:
        return Scores(torch.zeros(len(view.layout)))


def held(**values: Any) -> Any:
    return build({"_target_": f"{__name__}.Holder", **values}, TokenScorer, "scorer")


def test_inherited_fields_are_read_in_the_words_of_their_own_module() -> None:
    """`inner` is annotated in the base class; the module of Smoothed knows no TokenScorer."""
    node = {"_target_": "strategies.scorers.smoothed.Smoothed", "width": 3, "inner": NODE}
    built = build(node, TokenScorer, "scorer")  # type: ignore[type-abstract]
    assert isinstance(built.inner, Constant)  # type: ignore[attr-defined]
    wrong = {**node, "inner": {"_target_": "strategies.stopping.share.Share", "share": 1.0}}
    with pytest.raises(ConfigError, match=r"scorer\.inner"):
        build(wrong, TokenScorer, "scorer")  # type: ignore[type-abstract]


def test_annotations_of_every_kind_are_built() -> None:
    part = Constant(1.0, (2, 3))
    assert held(maybe=NODE).maybe == held(either=NODE).either == part and held(either="x").either == "x"
    assert held(several=[NODE, NODE]).several == (part, part)
    assert held(named={"a": {"width": 3, "inner": NODE}}).named == {"a": Settings(3, part)}
    assert held(record={"width": 2}).record == Settings(2) and held(record=None).record is None
    assert held(free={"x": [1, {"y": 2}]}).free == {"x": [1, {"y": 2}]}


@pytest.mark.parametrize(
    "place",
    [
        *("maybe", "either", "anything", "plain", "several.0", "numbers.0", "record", "named.a", "free.x", "free.x.0"),
        *("record.inner", "named.a.inner", "anything.deep.0.er"),
    ],
)
def test_nothing_but_the_annotated_classes_is_made(place: str, tmp_path: Path) -> None:
    """A program named anywhere in a configuration does not run."""
    made = tmp_path / "made"
    value: Any = {"_target_": "subprocess.Popen", "args": ["touch", str(made)]}
    first, *inside = place.split(".")
    for step in reversed(inside):
        extra = {"width": 1} if step == "inner" else {}
        value = [value] if step.isdigit() else {**extra, step: value}
    with pytest.raises(ConfigError, match=rf"scorer\.{place}.*subprocess\.Popen"):
        held(**{first: value})
    assert not made.exists()


def test_names_what_is_missing() -> None:
    with pytest.raises(ConfigError, match=r"scorer\.layers is missing"):
        build({"_target_": NODE["_target_"], "level": 1}, TokenScorer, "scorer")


def test_a_nested_part_must_be_of_its_interface() -> None:
    with pytest.raises(ConfigError, match=r"refiner.*no TokenRefiner"):
        build(NODE, TokenRefiner, "refiner")
