"""Layers with attention, by a checkpoint's configuration alone."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from framework.backbones.attended import check_checkpoint, check_layers
from framework.backbones.families import ADAPTERS, TAKEN
from framework.core.errors import UsageError
from tests.framework.backbones.conformance.qwen import FAMILIES

BY_NAME = {family.name: family for family in FAMILIES}


def test_layers_that_are_there_are_named() -> None:
    check_layers((3, 7), (3, 7), 8)
    with pytest.raises(UsageError, match=r"at layers \(2, 3\), but this model has attention at layers 3, 7: set"):
        check_layers((2, 3), (3, 7), 8)
    with pytest.raises(UsageError, match=r"at layers \(4,\), but this model has layers 0..3: set"):
        check_layers((4,), range(4), 4)


@pytest.mark.parametrize(("name", "layers", "wrong"), [("qwen3_5", (3, 7), (0,)), ("qwen2_5_vl", (0, 3), (4,))])
def test_a_configuration_says_which(name: str, layers: tuple[int, ...], wrong: tuple[int, ...]) -> None:
    """As the loaded model does; sliding windows are attention."""
    family = BY_NAME[name]
    assert set(layers) <= set(family.adapter.attention_layers)
    adapter = type(family.adapter).__name__
    check_checkpoint(adapter, family.checkpoint, layers)
    check_checkpoint(adapter, family.checkpoint, ())
    check_checkpoint("InternVL", family.checkpoint, wrong)  # which does not take it, and says so itself
    with pytest.raises(UsageError, match="attention was asked at layers"):
        check_checkpoint(adapter, family.checkpoint, wrong)


def test_a_layer_before_the_last_that_features_are_added_to_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """Three levels of DeepStack are added after layers 0, 1 and 2."""
    with caplog.at_level(logging.WARNING):
        check_checkpoint("Qwen3VL", BY_NAME["qwen3_vl"].checkpoint, (3,))
        assert not caplog.records
        check_checkpoint("Qwen3VL", BY_NAME["qwen3_vl"].checkpoint, (2, 3))
    (record,) = caplog.records
    assert "asked at layer 2, but features of the tower are added until layer 2" in record.message


@pytest.mark.parametrize("config", ["{", json.dumps({"model_type": "acme"}), json.dumps({"model_type": "qwen3_vl"})])
def test_what_cannot_be_read_is_left_to_the_adapter(config: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(config)
    check_checkpoint("Qwen3VL", str(tmp_path), (2,))


def test_every_model_type_with_an_adapter_is_taken_by_one() -> None:
    assert sorted(ADAPTERS) == sorted(kind for kinds in TAKEN.values() for kind in kinds)
