"""Arguments read in a text are those of the imported class."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import pytest
from hydra.utils import get_class
from omegaconf import OmegaConf

from framework.config.build import constructor_hints
from framework.config.plugins import CONF
from framework.config.signature import read

ROOT = Path(__file__).resolve().parents[3]


def targets(node: Any) -> set[str]:
    """All classes that a yaml file names."""
    if isinstance(node, dict):
        own = {node["_target_"]} if isinstance(node.get("_target_"), str) else set()
        return own.union(*map(targets, node.values()))
    return set().union(*map(targets, node)) if isinstance(node, list) else set()


def named() -> list[str]:
    files = [file for file in CONF.rglob("*.yaml") if "hydra" not in file.parts and "launcher" not in file.parts]
    return sorted(set().union(*(targets(OmegaConf.to_container(OmegaConf.load(file))) for file in files)))


@pytest.mark.parametrize("target", named())
def test_every_class_in_conf_is_read_as_it_is(target: str) -> None:
    found, cls = read(target), get_class(target)
    if found is None:
        return
    parameters = {n: p for n, p in inspect.signature(cls).parameters.items() if p.kind is not p.VAR_KEYWORD}
    assert {name: one.required for name, one in found.items()} == {
        name: p.default is p.empty for name, p in parameters.items()
    }
    hints = constructor_hints(cls)
    for name, one in found.items():
        assert one.hint is None or one.hint == hints[name], name


def test_most_classes_are_read_and_none_is_imported() -> None:
    program = (
        "import sys; from framework.config.signature import read;"
        f"found = [read(target) for target in {named()!r}];"
        "assert 'torch' not in sys.modules, 'torch was loaded'; print(sum(one is not None for one in found))"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(ran.stdout) >= 0.9 * len(named())


TEXT = """
from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal
from elsewhere import Part, wrapped

class Plain(ABC):
    overshoot: float

@dataclass(frozen=True)
class Base(Plain):
    width: int
    kind: ClassVar[str] = "x"

@dataclass(kw_only=True)
class Child(Base):
    mode: Literal["a", "b"]
    steps: Sequence[int] | None = None
    part: Part | None = None
    pair: tuple[int, ...] = ()

class Own(Base):
    def __init__(self, first: str, /, second: Any, third: float = 1.0, *, fourth: bool, fifth: int = 0, **rest: int):
        pass

@dataclass
class WithField:
    many: list[int] = field(default_factory=list)

@wrapped
class Wrapped:
    pass

class Star:
    def __init__(self, *parts: int):
        pass

class Foreign(Part):
    pass
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "made_up_module.py").write_text(TEXT)
    monkeypatch.syspath_prepend(tmp_path)
    return "made_up_module"


def test_fields_and_constructors(module: str) -> None:
    child = read(f"{module}.Child")
    assert child is not None and {name: one.required for name, one in child.items()} == {
        "width": True, "mode": True, "steps": False, "part": False, "pair": False,
    }  # fmt: skip
    assert child["width"].hint is int and child["mode"].hint == Literal["a", "b"]
    assert child["part"].hint is None and child["pair"].hint == tuple[int, ...]
    own = read(f"{module}.Own")
    assert own is not None and {name: one.required for name, one in own.items()} == {
        "first": True, "second": True, "third": False, "fourth": True, "fifth": False,
    }  # fmt: skip
    assert read(f"{module}.Plain") == {}


@pytest.mark.parametrize("name", ["WithField", "Wrapped", "Star", "Foreign", "Nothing"])
def test_what_is_not_plain_is_left_to_the_class(module: str, name: str) -> None:
    assert read(f"{module}.{name}") is None


@pytest.mark.parametrize("target", ["nowhere.Thing", "Thing", "sys.exit", "math.pi", ""])
def test_what_is_no_text_is_left_to_the_class(target: str) -> None:
    assert read(target) is None
