"""Parts that must fit each other are compared before a weight is read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from omegaconf import DictConfig, open_dict

from framework.backbones.overlay import LayOver, WeightOverlay
from framework.config.build import ConfigError
from framework.config.parts import build_backbone


@dataclass(frozen=True)
class Brought(WeightOverlay):
    """Brings weights, or none."""

    some: bool

    def prepare(self, base: str, local: bool) -> LayOver | None:
        return (lambda model: None) if self.some else None


@pytest.mark.parametrize("some", [True, False])
def test_weights_for_an_adapter_that_takes_none(
    composed: Callable[..., DictConfig], monkeypatch: pytest.MonkeyPatch, some: bool
) -> None:
    """A selector's own language model must not be left away in silence."""
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or type(sys)(__name__))
    monkeypatch.setattr(sys.modules[__name__], "Brought", Brought, raising=False)
    monkeypatch.setattr("framework.config.parts._backbones", {})
    cfg = composed("backbone=qwen3_vl_2b", "backbone.adapter.checkpoint=asset:lab")
    with open_dict(cfg):
        cfg.overlay = {"_target_": f"{__name__}.Brought", "some": some}
    said = (
        r"^overlay: Brought brings weights that Qwen3VL cannot be given: choose .* or set overlay=none$"
        if some
        else r"holds a model of type 'qwen2_5_vl'"  # the next thing that is looked at
    )
    with pytest.raises(ConfigError, match=said):
        build_backbone(cfg)
