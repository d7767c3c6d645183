"""A prober is a backbone at another place; what cannot work together is refused before a weight is read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from framework.backbones import loading
from framework.config.early import check
from framework.config.identity import identity
from framework.config.parts import build_models, build_pipeline
from framework.config.plugins import CONF, options
from framework.config.root import typed_key
from framework.core.errors import UsageError

Compose = Callable[..., DictConfig]
GROUPS = ("scorer", "backbone", "prober")


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: Any, **named: Any) -> None:
        raise AssertionError("a model is loaded")

    monkeypatch.setattr(loading, "load_model", refuse)


@pytest.fixture
def single(tmp_path: Path) -> str:
    """The folder of a checkpoint whose tower takes one frame at a time."""
    shown = {"model_type": "internvl", "vision_config": {"image_size": 448}}
    (tmp_path / "config.json").write_text(json.dumps(shown))
    return str(tmp_path)


def test_every_backbone_may_probe(composed: Compose) -> None:
    assert set(options("prober")) == {"none", *options("backbone")}
    for name in ("lab_wide", "qwen2_5_vl_3b", "internvl3_1b"):
        cfg = composed(f"prober={name}")
        alone = composed(f"backbone={name}")
        assert cfg.prober.adapter.checkpoint == alone.backbone.adapter.checkpoint
        assert cfg.backbone.adapter.checkpoint == "asset:lab"


def test_values_of_the_model_that_probes_are_the_probers(composed: Compose) -> None:
    cfg = composed("stopping=certain", "backbone=qwen2_5_vl_72b", "prober=qwen2_5_vl_3b", "prober.stop.groups=5")
    assert OmegaConf.to_container(cfg.scorer.layers, resolve=True) == [cfg.prober.reference_layer] == [25]
    assert cfg.backbone.reference_layer == 58 and cfg.budget == cfg.backbone.budget
    assert cfg.stopping.groups == 5 != cfg.backbone.stop.groups
    assert cfg.allocator.temperature == cfg.prober.temperature
    assert typed_key(cfg, "allocator.temperature") == "prober.temperature"
    assert typed_key(composed("preset=adapttoken"), "allocator.temperature") == "backbone.temperature"


def test_every_value_of_a_model_in_a_strategy_asks_the_prober_first() -> None:
    """But those of the vote, which a prober cannot have."""
    for group in ("splitter", "scheduler", "scorer", "relevance", "allocator", "refiner", "stopping", "learned"):
        for file in (CONF / group).glob("*.yaml"):
            text = file.read_text(encoding="utf-8")
            for key in re.findall(r"\$\{backbone\.([\w.]+)\}", text):
                assert f"${{oc.select:prober.{key},${{backbone.{key}}}}}" in text, f"{file}: {key}"


def test_an_id_knows_the_prober_and_not_how_it_takes_turns(composed: Compose) -> None:
    alone, none = composed("preset=adapttoken"), composed("preset=adapttoken", "prober=none")
    lab, wide = composed("preset=adapttoken", "prober=lab"), composed("preset=adapttoken", "prober=lab_wide")
    assert identity(alone) == identity(none)
    assert len({identity(cfg) for cfg in (alone, lab, wide)}) == 3
    assert identity(lab) == identity(composed("preset=adapttoken", "prober=lab", "offload=true"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["offload=true"], r"^offload=true lets prober and backbone take turns, and there is no prober"),
        (["offload=2"], r"^offload must be true or false, got 2"),
        (["prober=lab", "+record=true"], r"^record=true keeps what one model saw"),
        (["prober=lab", "+recording.id=x"], r"^prober: a recording holds the probes of"),
        (["prober=lab", "overlay=qtsplus"], r"^overlay lays .*; set overlay=none$"),
        (["prober=lab", "offload=true", "prober.adapter.device_map=auto"], r"prober\.adapter\.device_map=auto spreads"),
        (["prober=lab", "offload=true", "backbone.adapter.device_map=auto"], r"backbone\.adapter\.device_map=auto"),
        (["prober=lab", "prober.adapter.checkpoint=/nowhere"], r"^prober\.adapter\.checkpoint: no folder '/nowhere'"),
        (
            ["prober=lab", "scorer.heads=${backbone.attention.heads}"],
            r"^scorer: \$\{backbone\.attention\.heads\} is a value of the model that answers, .*"
            r"write \$\{oc\.select:prober\.attention\.heads,\$\{backbone\.attention\.heads\}\} there$",
        ),
        (["+prober.other=1"], r"^prober: got .*, expected an option of conf/backbone"),
    ],
)
def test_what_cannot_work_is_refused_early(words: list[str], said: str, composed: Compose, no_weights: None) -> None:
    cfg = composed("preset=adapttoken", *words)
    with pytest.raises(UsageError, match=said):
        check(cfg, GROUPS)
    with pytest.raises(UsageError, match=said):
        build_pipeline(cfg)


def test_ticks_of_another_length_are_refused_before_weights(composed: Compose, no_weights: None, single: str) -> None:
    words = ("prober=internvl3_1b", f"prober.adapter.checkpoint={single}")
    said = "a tick of it has 1 frame, one of the backbone has 2"
    with pytest.raises(UsageError, match=f"^prober: {said}"):
        check(composed(*words), GROUPS)
    with pytest.raises(UsageError, match=said):
        build_pipeline(composed("preset=adapttoken", *words))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["preset=vote"], r"^answerer: Vote answers from the probes of groups"),
        (["answerer=best_group"], r"^answerer: BestGroup answers from"),
        (["answerer=blend"], r"^answerer: Blend answers from"),
        (["refiner=reencode", "overlay=none", "qtsplus.checkpoint=random:0"], r"^refiner: Reencode remakes embeddings"),
        (["refiner.operation=merge"], r"^refiner: LocationAware remakes embeddings"),
        (["refiner=chain", "refiner.parts.location_aware.operation=merge"], r"^refiner: Chain remakes embeddings"),
        (["preset=uniform"], r"^prober: no strategy of this run looks at a group"),
    ],
)
def test_strategies_of_no_use_to_another_model_are_refused(
    words: list[str], said: str, composed: Compose, no_weights: None
) -> None:
    with pytest.raises(UsageError, match=said):
        build_pipeline(composed("preset=adapttoken", *words, "prober=lab"))


def test_what_an_adapter_says_names_the_prober(composed: Compose) -> None:
    with pytest.raises(UsageError, match=r"^prober\.adapter\.probe_tokens must be a whole number >= 1; got 0"):
        build_pipeline(composed("preset=adapttoken", "prober=lab", "prober.adapter.probe_tokens=0"))


def test_a_command_that_looks_with_one_model_refuses_a_prober(composed: Compose) -> None:
    with pytest.raises(UsageError, match=r"^prober: this command looks with one model"):
        check(composed("prober=lab"), ("backbone",))


def test_equal_models_are_one_and_different_ones_are_kept(composed: Compose) -> None:
    one = build_models(composed("prober=lab"))
    assert one["prober"] is one["backbone"]
    two = build_models(composed("prober=lab", "prober.adapter.probe_tokens=3"))
    assert two["backbone"] is one["backbone"] and two["prober"] is not one["prober"]
    again = build_models(composed("prober=lab", "prober.adapter.probe_tokens=3", "offload=true"))
    assert again["prober"] is two["prober"]
