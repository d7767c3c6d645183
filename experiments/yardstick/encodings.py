"""The visual tokens of a video, encoded once for all methods that do not look at pixels.

A tick's tokens depend on its own frames alone, so they are the same in every group. Methods that look at pixels get the
video itself. Costs are never measured on remembered tokens (`cost.py`).
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from copy import copy
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from framework.backbones.base import DecoderBackbone
from framework.core.types import Frames, Group, Layout, Question, Timeline, Tokens
from framework.engine.ledger import Ledger
from framework.engine.session import OpenSession, Session, Setup
from framework.training.complete import complete_file
from framework.training.running import features_name
from framework.video.readers.base import Reader
from framework.video.stream import FrameSource
from framework.video.timeline import timeline

TICKS = 256  # encoded at a time


@dataclass(frozen=True)
class Encodings:
    """Keeps the tokens of videos in `folder`, named after file, size and the vision tower's weights."""

    folder: Path

    def around(self, open_session: OpenSession) -> OpenSession:
        """Returns `open_session`, but with tokens that are encoded at most once, where pixels are not looked at."""

        def opened(setup: Setup, path: str, questions: Sequence[Question], ledger: Ledger) -> Session:
            if setup.needs.pixels:
                return open_session(setup, path, questions, ledger)
            whole = self.tokens(setup, path)
            backbone = copy(setup.backbone)
            backbone.encode = partial(_remembered, whole)  # type: ignore[method-assign]
            return open_session(replace(setup, backbone=backbone, reader=_Blank(setup.reader)), path, questions, ledger)

        return opened

    def tokens(self, setup: Setup, path: str) -> Tokens:
        """Returns all tokens of the video at `path`, in order; encodes them where they are not kept yet."""
        backbone, info = setup.backbone, setup.reader.info(path)
        assert isinstance(backbone, DecoderBackbone)
        seen = timeline(path, setup.sampling, backbone.frames_per_tick, setup.reader, backbone.tick_time)
        size = backbone.video_frame_size(info.height, info.width, len(seen) * backbone.frames_per_tick)
        name = features_name(repr((Path(path).stem, len(seen), size)), backbone.tower.state_dict())
        file = self.folder / f"{name}.safetensors"
        if not file.exists():
            whole = _encoded(setup, seen, size)
            with complete_file(file) as part:
                save_file({**whole.extra, **{n: v for n, v in vars(whole).items() if n != "extra"}}, part)
        kept = load_file(file)
        own = {field.name: kept.pop(field.name) for field in fields(Tokens) if field.name != "extra"}
        return Tokens(**own, extra=kept)


def _encoded(setup: Setup, seen: Timeline, size: tuple[int, int]) -> Tokens:
    """All tokens of a video, some ticks at a time."""
    groups = [Group(number, ticks) for number, ticks in enumerate(torch.arange(len(seen)).split(TICKS))]
    with FrameSource(seen, setup.reader, size, groups) as source:
        parts = [
            setup.backbone.encode(source.frames(group), setup.backbone.layout(group.ticks, *size)).to("cpu")
            for group in groups
        ]
    return Tokens.cat(parts)


def _remembered(whole: Tokens, frames: Frames, layout: Layout, keep: Tensor | None = None) -> Tokens:
    """What a backbone's `encode` returns, out of the tokens of the whole video."""
    if keep is not None:
        raise ValueError("tokens that see only some of their tick must be encoded anew")
    return whole[torch.isin(whole.tick, layout.tick).nonzero()[:, 0]]


@dataclass
class _Blank(Reader):
    """Gives empty pictures: their tokens are known."""

    inner: Reader

    def __post_init__(self) -> None:
        """Takes the settings of the reader that it stands for."""
        self.threads, self.max_picture_pixels = self.inner.threads, self.inner.max_picture_pixels
        self.allow_playlists = self.inner.allow_playlists

    def decode(
        self, path: str, frames: Sequence[int], damaged: set[int] | None = None
    ) -> Generator[tuple[int, Tensor], None, None]:
        """Yields one empty picture per frame."""
        info = self.checked(path, frames)
        empty = torch.zeros(3, info.height, info.width, dtype=torch.uint8)
        for number in frames:
            yield number, empty
