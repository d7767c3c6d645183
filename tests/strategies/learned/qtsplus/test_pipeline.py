"""QTSplus in the whole loop: no probe, the counts that the selector itself would keep, other scorers beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig

from framework.benchmarks.base import VideoItem
from framework.config.build import ConfigError
from framework.config.parts import build_backbone, build_pipeline
from framework.core.outcome import Outcome
from strategies.learned.qtsplus import checkpoint, costs
from strategies.learned.qtsplus.selector import Selector, Shape

Compose = Callable[..., DictConfig]
WIDTH = 128  # of the lab model


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Selector]:
    """A small selector with time, as training would leave one."""
    torch.manual_seed(1)
    selector = Selector(Shape(WIDTH, 4, 2, 1, 1, True, False), 0.02, 0.2, scaled=True, dropout=0.0, chunk=7)
    for name, parameter in selector.named_parameters():
        torch.nn.init.normal_(parameter, mean=float("norm" in name), std=0.05)
    place = tmp_path_factory.mktemp("trained")
    checkpoint.save(selector, place, rho="learned", n_max=None, positions="kept", notes={})
    return str(place), selector


@pytest.fixture
def ask(composed: Compose, needle_video: VideoItem, saved: tuple[str, Selector]) -> Callable[..., list[Outcome]]:
    def outcomes(*overrides: str, questions: int = 1) -> list[Outcome]:
        cfg = composed(f"qtsplus.checkpoint={saved[0]}", *overrides)
        return build_pipeline(cfg).answer(needle_video.path, [i.question for i in needle_video.items[:questions]])

    return outcomes


def test_nothing_is_probed(ask: Callable[..., list[Outcome]]) -> None:
    trace = ask("preset=qtsplus")[0].trace
    assert "probe" not in trace.stages and "prior" not in trace.stages
    assert {name: cost.passes for name, cost in trace.stages.items() if name in ("score", "refine", "answer")} == {
        "score": 1,
        "refine": 1,
        "answer": 1,
    }


@pytest.mark.parametrize("refiner", ["reencode", "none"])
def test_the_ledger_counts_the_selectors_operations(
    ask: Callable[..., list[Outcome]],
    composed: Compose,
    needle_video: VideoItem,
    saved: tuple[str, Selector],
    refiner: str,
) -> None:
    """Of each question its own, although they share the stage; choosing without a network counts nothing."""
    outcomes = ask("preset=qtsplus", "budget=512", f"refiner={refiner}", questions=2)
    backbone, shape = build_backbone(composed()), saved[1].shape
    words = [len(backbone.query(item.question)) for item in needle_video.items[:2]]
    for outcome in outcomes:
        stages, kept = outcome.trace.stages, outcome.trace.tokens_kept
        assert stages["score"].flops == pytest.approx(sum(costs.scoring(shape, 512, count) for count in words) / 2)
        assert stages["refine"].flops == (costs.reencoding(shape, kept) if refiner == "reencode" else 0.0)
        assert (stages["score"].passes, stages["refine"].passes, stages["refine"].tokens) == (1, 1, kept)
    assert ask("preset=uniform")[0].trace.stages["score"].flops == 0.0


def test_the_pipeline_keeps_what_the_selector_keeps(
    ask: Callable[..., list[Outcome]], composed: Compose, needle_video: VideoItem, saved: tuple[str, Selector]
) -> None:
    """Places, embeddings, ratio and count, with the gate that training uses."""
    (outcome,) = ask("preset=qtsplus", "budget=512")
    (everything,) = ask("preset=qtsplus", "budget=512", "qtsplus.rho=1", "refiner=none")
    assert outcome.selection is not None and everything.selection is not None
    tokens, question = everything.selection.tokens, needle_video.items[0].question
    query = build_backbone(composed()).query(question)[None]
    masks = torch.ones(1, len(tokens), dtype=torch.bool), torch.ones(1, query.shape[1], dtype=torch.bool)
    given = (tokens.embeddings[None], masks[0], query, masks[1], tokens.seconds[None])
    with torch.no_grad():
        chosen = saved[1](*given, gate="straight_through")
    kept = outcome.selection.tokens
    assert len(kept) == int(chosen.count) == outcome.trace.tokens_kept < 110
    assert torch.equal(kept.tick, tokens.tick[chosen.index[0]])
    assert torch.equal(kept.column, tokens.column[chosen.index[0]])
    torch.testing.assert_close(kept.embeddings, chosen.tokens[0], atol=1e-4, rtol=1e-4)
    assert outcome.trace.groups[0].signals["rho"] == pytest.approx(float(chosen.rho), abs=1e-6)


def test_sharing_changes_nothing(ask: Callable[..., list[Outcome]]) -> None:
    shares = ("share=true", "share=false")
    together, alone = (ask("preset=qtsplus", "budget=512", share, questions=3) for share in shares)
    assert len({outcome.trace.tokens_kept for outcome in together}) > 1  # the questions differ in what they keep
    for one, other in zip(together, alone, strict=True):
        assert one.selection is not None and other.selection is not None
        assert torch.equal(one.selection.tokens.tick, other.selection.tokens.tick)
        assert one.answer.probabilities == pytest.approx(other.answer.probabilities, abs=1e-5)


def test_a_given_ratio_and_the_bounds_above_it(ask: Callable[..., list[Outcome]]) -> None:
    kept = {
        overrides: ask("preset=qtsplus", *overrides)[0].trace.tokens_kept
        for overrides in (
            ("budget=512", "qtsplus.rho=0.11"),
            ("budget=512", "qtsplus.rho=0.5"),
            ("budget=512", "qtsplus.rho=0.5", "qtsplus.n_max=40"),
            ("budget=32", "qtsplus.rho=0.5", "qtsplus.n_max=40"),
        )
    }
    assert list(kept.values()) == [57, 256, 40, 32]


def test_the_limit_of_a_checkpoint_is_kept(
    ask: Callable[..., list[Outcome]], saved: tuple[str, Selector], tmp_path: Path
) -> None:
    """256 of 512 tokens are worth keeping; the checkpoint was made with at most 40, and the key wins over that."""
    checkpoint.save(saved[1], tmp_path, rho="learned", n_max=40, positions="kept", notes={})
    words = ("preset=qtsplus", "budget=512", "qtsplus.rho=0.5", f"qtsplus.checkpoint={tmp_path}")
    assert [ask(*words, *more)[0].trace.tokens_kept for more in ((), ("qtsplus.n_max=50",))] == [40, 50]
    assert ask("preset=qtsplus", "budget=512", "qtsplus.rho=0.5")[0].trace.tokens_kept == 256


def test_in_adapttokens_loop_the_ratio_is_only_written_down(ask: Callable[..., list[Outcome]]) -> None:
    trace = ask("preset=qtsplus_groups", "budget=32")[0].trace
    assert trace.tokens_kept == 32 and trace.stages["probe"].passes == len(trace.groups)
    for group in trace.groups:
        assert group.signals is not None
        assert 0.02 <= group.signals["rho"] <= 0.2 and group.signals["entropy"] >= 0


def test_the_scorer_alone_works_in_any_preset(ask: Callable[..., list[Outcome]]) -> None:
    trace = ask("preset=flexselect", "scorer=qtsplus", "budget=32")[0].trace
    assert trace.tokens_kept == 32 and "probe" not in trace.stages


@pytest.mark.parametrize(("mode", "positions"), [("compat", "sequential"), ("paper", "original")])
def test_the_mode_decides_positions(composed: Compose, mode: str, positions: str) -> None:
    cfg = composed("preset=qtsplus", f"qtsplus.mode={mode}", "qtsplus.checkpoint=random:0")
    assert build_pipeline(cfg).backbone.answer_positions == positions  # type: ignore[attr-defined]
    cfg = composed("preset=qtsplus", f"qtsplus.mode={mode}", "answer_positions=compact")
    assert cfg.backbone.adapter.answer_positions == "compact"
    assert composed("preset=adapttoken", f"qtsplus.mode={mode}").backbone.adapter.answer_positions == "original"


def test_the_documented_command_composes(composed: Compose) -> None:
    cfg = composed("preset=qtsplus", "backbone=qwen2_5_vl_3b", "qtsplus.checkpoint=published")
    assert cfg.scorer.checkpoint == cfg.refiner.checkpoint == cfg.backbone.adapter.overlay.checkpoint == "published"
    assert cfg.scorer.mode == cfg.refiner.mode == "compat" and cfg.scorer.rho == "learned"
    assert cfg.backbone.adapter.answer_positions == "sequential"
    assert composed("preset=adapttoken", "backbone=qwen2_5_vl_3b").backbone.adapter.answer_positions == "original"


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (("qtsplus.checkpoint=null",), r"qtsplus\.checkpoint is not set.*`sieve train recipe=qtsplus`"),
        (("qtsplus.checkpoint=nowhere",), r"qtsplus\.checkpoint: there is no nowhere"),
        (("qtsplus.checkpoint=random:0", "qtsplus.rho=0"), r"qtsplus\.rho must be learned, or a number"),
        (("qtsplus.checkpoint=random:0", "qtsplus.rho=much"), r"scorer\.rho: got 'much'"),
        (("qtsplus.checkpoint=random:0", "qtsplus.n_max=0"), r"qtsplus\.n_max must be at least 1"),
        (("qtsplus.checkpoint=random:0", "qtsplus.mode=both"), r"qtsplus\.mode must be one of compat, paper"),
        (
            ("qtsplus.checkpoint=random:0", "answer_positions=some"),
            r"answer_positions must be one of original, compact",
        ),
    ],
)
def test_what_is_wrong_is_said_before_a_model_is_loaded(
    composed: Compose, monkeypatch: pytest.MonkeyPatch, overrides: tuple[str, ...], said: str
) -> None:
    monkeypatch.setattr("framework.backbones.loading.load_model", None)
    with pytest.raises(ConfigError, match=said):
        build_pipeline(composed("preset=qtsplus", "backbone.adapter.compact_step=3", *overrides))


def test_a_selector_of_another_width_is_refused_before_the_model_is_loaded(
    composed: Compose, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("framework.backbones.loading.load_model", None)
    wide = Selector(Shape(64, 4, 2, 1, 1, True, False), 0.02, 0.2, scaled=True, dropout=0.0, chunk=7)
    checkpoint.save(wide, tmp_path, rho="learned", n_max=None, positions="kept", notes={})
    with pytest.raises(ConfigError, match=r"reads tokens of width 64, those of .*lab have 128"):
        build_pipeline(composed("preset=qtsplus", f"qtsplus.checkpoint={tmp_path}"))
