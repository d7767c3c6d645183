"""Finds the selector that `qtsplus.checkpoint` means: trained by us, published, shipped, or random to compare with.

Headers are looked at first, so that a wrong checkpoint or mode is refused before anything heavy. Weights are read when
they are needed, and only those of the part that is.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from framework.core.errors import UsageError
from framework.core.model_files import locate
from framework.core.weight_files import random_weights
from strategies.learned.qtsplus import checkpoint as ours
from strategies.learned.qtsplus import official
from strategies.learned.qtsplus.checkpoint import About
from strategies.learned.qtsplus.selector import Part, Selector, Shape

KEY = "qtsplus.checkpoint"
MODES = {"compat": "sequential", "paper": "kept"}  # mode -> positions that the selector was trained with
DEPTH = 128  # of an attention head of random weights, where the width allows it


class Source:
    """Holds a selector that exists and was trained in the wanted mode. Weights are read when they are first needed.

    Raises ValueError that names the key to change, where there is none or it was trained in the other mode. Raises
    UsageError when weights are read and do not fit.
    """

    def __init__(self, checkpoint: str | None, mode: str) -> None:
        if mode not in MODES:
            raise ValueError(f"qtsplus.mode must be one of {', '.join(MODES)}; got {mode!r}")
        self.checkpoint = _given(checkpoint)
        self.about = describe(self.checkpoint)
        if self.about is not None and self.about.positions != MODES[mode]:
            fitting = next(name for name, positions in MODES.items() if positions == self.about.positions)
            raise ValueError(
                f"qtsplus.mode is {mode}, but {checkpoint} was trained with {self.about.positions} positions: set "
                f"qtsplus.mode={fitting} (answer_positions=... alone compares positions)"
            )
        self._read: dict[tuple[object, ...], Selector] = {}

    def shape(self, width: int) -> Shape:
        """Returns the selector's sizes; `width` is that of the tokens, which random weights adapt to."""
        return random_shape(width) if self.about is None else self.about.shape

    def scoring(self, like: Tensor) -> Selector:
        """Returns the scoring layers and the budget head in fp32, near `like` [N, D]: the tokens to score.

        Near is the same device, or the accelerator where the tokens lie in main memory.
        """
        return self._part("scoring", like, torch.float32)

    def reencoding(self, like: Tensor) -> Selector:
        """Returns the re-encoding layers and time, near `like` [N, D] and in its dtype."""
        return self._part("reencoding", like, like.dtype)

    def _part(self, part: Part, like: Tensor, dtype: torch.dtype) -> Selector:
        device = (torch.accelerator.current_accelerator(True) or like.device) if like.is_cpu else like.device
        key = (part, like.shape[1], device, dtype)  # tokens that were only parked in main memory go to the accelerator
        if key not in self._read:
            try:
                selector = _weights(self.checkpoint, self.about, part, like.shape[1])
            except ValueError as error:
                raise UsageError(f"{KEY}: {str(error).removeprefix(f'{KEY}: ')}") from error
            self._read = {key: selector.to(device, dtype).requires_grad_(False).eval()}
        return self._read[key]


def describe(checkpoint: str) -> About | None:
    """Returns what is known of the selector before its weights are read; None for `random:SEED`.

    Raises ValueError where there is no such checkpoint, or where it holds no usable selector.
    """
    if random_weights(checkpoint):
        return None
    place = locate(checkpoint)
    if not place.exists():
        raise ValueError(
            f"{KEY}: there is no {place}; expected a file or folder of `sieve train recipe=qtsplus`, a folder with a "
            "published checkpoint, asset:NAME or random:SEED"
        )
    try:
        return official.read(place) if official.is_official(place) else ours.read(place)
    except ValueError as error:
        raise ValueError(f"{KEY}: {error}") from error


def check_width(checkpoint: str, about: About, width: int, whose: str) -> None:
    """Checks that the selector reads tokens of `width`; `whose` they are is for the message.

    Raises ValueError where that is not so.
    """
    if about.shape.width != width:
        raise ValueError(
            f"{KEY}: the selector at {checkpoint} reads tokens of width {about.shape.width}, {whose} have {width}: "
            "choose the backbone that it was trained with, or another checkpoint"
        )


def published_folder(checkpoint: str | None) -> Path | None:
    """Returns the folder of a published checkpoint; None for any other checkpoint.

    The folder holds a language model and a vision tower too.
    """
    if checkpoint is None or random_weights(checkpoint):
        return None
    place = locate(checkpoint)
    return place if official.is_official(place) else None


def _given(checkpoint: str | None) -> str:
    if checkpoint is None:
        raise ValueError(
            f"{KEY} is not set: QTSplus is a trained selector. {KEY}=PATH takes one of `sieve train recipe=qtsplus` "
            f"or a published folder; {KEY}=random:0 has random weights, to compare with"
        )
    return checkpoint


def _weights(checkpoint: str, about: About | None, part: Part, width: int) -> Selector:
    """A part of the selector, read from disk or made up."""
    if made_up := random_weights(checkpoint):
        selector = random(made_up[0], width)
        selector.keep(part)
        return selector
    assert about is not None, "only random weights have no description"
    check_width(checkpoint, about, width, "these")
    place, selector = locate(checkpoint), about.selector()
    if official.is_official(place):
        stored = official.open_weights(place)
        ours.fill(selector, stored, official.selector_names(stored), checkpoint, part)
    else:
        stored = ours.open_weights(place)
        ours.fill(selector, stored, ours.names(stored), checkpoint, part)
    return selector


def random(seed: int, width: int) -> Selector:
    """Makes an untrained selector with random comparisons and a re-encoder that changes nothing.

    Its ratio is in the middle of 0.05..0.5.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        selector = Selector(random_shape(width), 0.05, 0.5, scaled=True, dropout=0.0, chunk=ours.CHUNK)
    for name, parameter in selector.reencode_layers.named_parameters():
        if ".o_proj." in name or ".ffn.net.2." in name:
            nn.init.zeros_(parameter)
    return selector


def random_shape(width: int) -> Shape:
    """Returns the sizes of random weights for tokens of `width`."""
    heads = width // DEPTH if width % DEPTH == 0 else 1
    return Shape(width, heads, 1, scoring_layers=1, reencode_layers=2, time=False, official=False)
