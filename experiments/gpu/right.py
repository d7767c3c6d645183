"""Is what the device computes right? The lab model's answers against the CPU's, and passes against other passes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from tempfile import TemporaryDirectory
from typing import cast

import torch
from transformers.utils import is_flash_attn_2_available

from experiments.gpu.kept import Found
from experiments.gpu.models import Asked, Shape, loaded
from framework.backbones.base import DecoderBackbone
from framework.config.build import build
from framework.config.compose import compose_root, words_of
from framework.config.parts import build_pipeline
from framework.core.backbone import Backbone
from framework.core.outcome import Outcome
from framework.core.types import Selection, Tokens
from framework.core.view import Needs, Probe
from framework.profiling.passes import Passes, eager
from framework.profiling.setting import VIDEO, lab_film, looked_at

OPACITY = 0.06  # of the lab's needles: some answers are sure, some are not
FORMATS, EXACT = 3, 1e-4  # times what the format changes; what float32 may differ
MISSING = {"note": "flash_attn is not installed"}


def lab(device: str, dtype: str, attention: str, frames: int, films: int) -> Found:
    """Answers the lab's questions on `device` and, in float32, on the CPU.

    Returns how many answers and kept tokens are the same, and the largest difference of an option's probability.
    """
    if attention == "flash_attention_2" and not is_flash_attn_2_available():
        return MISSING
    there = _lab_answers(device, dtype, attention, frames, films)
    here = _lab_answers("cpu", "float32", "sdpa", frames, films)
    pairs = [*zip(there, here, strict=True)]
    return {
        "questions": len(pairs),
        "same answers": sum(one.answer.choice == other.answer.choice for one, other in pairs),
        "kept alike": round(sum(_alike(one, other) for one, other in pairs) / len(pairs), 3),
        "largest difference": round(max(_far(*_probabilities(pair)) for pair in pairs), 5),
    }


def _lab_answers(device: str, dtype: str, attention: str, frames: int, films: int) -> list[Outcome]:
    keys = {"device": device, "dtype": dtype, "attention": attention}
    words = {f"backbone__adapter__{key}": value for key, value in keys.items()}
    base = {"preset": "adapttoken", "backbone": "lab", "benchmark": "needle", "benchmark__opacity": OPACITY}
    found: list[Outcome] = []
    with TemporaryDirectory(prefix="tokensieve-") as folder:
        for film in range(films):
            cfg = compose_root(words_of({**base, **words, "seed": film}))
            path, asked = lab_film(cfg, folder, frames, 5)
            found += build_pipeline(cfg).answer(path, asked)
    return found


def _probabilities(pair: tuple[Outcome, Outcome]) -> tuple[torch.Tensor, torch.Tensor]:
    one, other = (torch.tensor(outcome.answer.probabilities) for outcome in pair)
    return one, other


def _alike(one: Outcome, other: Outcome) -> float:
    """The share of kept tokens that both kept."""
    places = [_places(outcome.selection) for outcome in (one, other) if outcome.selection is not None]
    return len(places[0] & places[1]) / max(len(places[0] | places[1]), 1)


def _places(selection: Selection) -> set[tuple[int, int, int]]:
    tokens: Tokens = selection.tokens
    return {*zip(tokens.tick.tolist(), tokens.row.tolist(), tokens.column.tolist(), strict=True)}


@torch.inference_mode()
def passes(shape: Shape, device: str, dtype: str, attention: str, ticks: int, seed: int) -> Found:
    """Compares a group's passes with the whole prompt in one eager pass of the stock model, in the same format.

    Returns the largest differences of logits (`keep all`) and of captured attention (`rows`). `of the format` stands
    for what the format alone changes: the same eager pass in float32 against that in `dtype`. They are `right` where
    they are not much farther from the stock pass than that.
    """
    if attention == "flash_attention_2" and not is_flash_attn_2_available():
        return MISSING
    with loaded(replace(shape, dtype="float32"), device, ticks, 1, seed) as exact:
        logits, rows = _stock(exact)
        with _again(exact, dtype, attention) as asked:
            probe, kept = _probed(asked)
            stock_logits, stock_rows = _stock(asked)
    found = {
        "keep all": _far(kept, stock_logits),
        "of the format": _far(logits, stock_logits),
        "rows": _far(probe.attention[_layer(exact)], stock_rows),
        "rows, of the format": _far(rows, stock_rows),
    }
    far, room, rows_far, rows_room = found.values()
    right = far <= max(FORMATS * room, EXACT) and rows_far <= max(FORMATS * rows_room, EXACT)
    return {**{key: float(f"{value:.3g}") for key, value in found.items()}, "right": right}


@contextmanager
def _again(asked: Asked, dtype: str, attention: str) -> Iterator[Asked]:
    """The same weights in another format."""
    adapter = asked.cfg.backbone.adapter.copy()
    adapter.dtype, adapter.attention = dtype, attention
    found = build(adapter, Backbone, "backbone.adapter")  # type: ignore[type-abstract]
    yield replace(asked, backbone=cast(DecoderBackbone, found))


def _layer(asked: Asked) -> int:
    return int(asked.cfg.backbone.reference_layer)


def _probed(asked: Asked) -> tuple[Probe, torch.Tensor]:
    """A group's probe, and its logits f32 [V]."""
    (group, frames), *_ = looked_at(asked.groups(1))
    tokens = asked.backbone.encode(frames, asked.backbone.layout(group.ticks, *asked.pixels))
    (probe,) = asked.backbone.probe(tokens, asked.questions(1), Needs(attention=(_layer(asked),), logits=True))
    return probe, probe.logits[0].float().cpu()


def _stock(asked: Asked) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits f32 [V] and attention f32 [heads, L, N] of the whole prompt in one eager pass."""
    of = asked.groups(1)
    question = asked.questions(1)
    (outcome,) = of.answer(VIDEO, question)
    assert outcome.selection is not None
    plain = Passes(asked.backbone, looked_at(of), [(question[0], outcome.selection)], _layer(asked))
    with eager(asked.backbone):
        return plain.whole_group(0, 0)


def _far(one: torch.Tensor, other: torch.Tensor) -> float:
    """The largest difference."""
    return float((one.float().cpu() - other.float().cpu()).abs().max())
