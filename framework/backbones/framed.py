"""What families share that read a video as single pictures: one frame per tick, squares of one size, ids of one axis.

The tower sees whole frames, so tokens that a scorer refuses before it are dropped after it. Text may stand around every
frame, and rows after its rows (`weave.py`). A frame without a kept token loses its text, a row of cells without one the
row after it. Ids (`probe_positions`, `answer_positions`):

    compact   0, 1, 2, ... over what is there, frames numbered as if they made up a short video
    original  where it stands in the prompt of the whole video, frames numbered as in that; text follows the whole video
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache

from framework.backbones import beside, loading, operations
from framework.backbones.base import Prefix, end_tokens
from framework.backbones.devices import home
from framework.backbones.frame_text import FrameText
from framework.backbones.grid import VideoGrid
from framework.backbones.overlay import WeightOverlay
from framework.backbones.weave import ticks_of, weave
from framework.core.errors import UsageError
from framework.core.types import Tokens
from framework.video.preprocess import normalise

POSITIONS = ("compact", "original")
TEXT_MODELS = ("qwen2", "qwen3", "llama")  # whose attention has been compared with what is captured of it
_log = logging.getLogger(__name__)


class Framed(VideoGrid):
    """Defines an adapter whose tower encodes one square frame after the other.

    A family says how frames become rows of cells (`_features`), and what stands around them.
    """

    frames_per_tick = 1
    side: int  # height and width of a frame in pixels
    grid: tuple[int, int]  # rows and columns of its cells
    patches: int  # of a frame
    class_tokens = 0  # which the tower reads beside them
    text: FrameText  # what stands around frames

    @abstractmethod
    def _features(self, pixels: Tensor) -> Tensor:
        """Encodes normalised frames [Tg, 3, side, side] to [Tg, rows * columns, D], row by row."""

    @property
    def row_end(self) -> Tensor | None:
        """Returns the embedding [1, D] that follows each row of cells; None: none does."""
        return None

    def ending(self, seconds: Tensor, end: float) -> list[Tensor]:
        """Returns what follows the last frame: text ids i64 [n] or rows [n, D].

        `seconds` f64 [Tk] are the times of the frames that are there, `end` that of the last frame of the video.
        """
        return []

    # Opening.

    def _open(self, wanted: str, checkpoint: str, probe_positions: str, answer_positions: str) -> loading.Opened:
        """The checkpoint, before any weight is read. ValueError that names the key for whatever cannot be."""
        loading.one_of("probe_positions", probe_positions, POSITIONS)
        loading.one_of("answer_positions", answer_positions, POSITIONS)
        self.probe_positions, self.answer_positions = probe_positions, answer_positions
        opened = loading.open_checkpoint(checkpoint, wanted)
        text = opened.config.get_text_config().model_type
        if text not in TEXT_MODELS:
            raise ValueError(
                f"{loading.KEY}.checkpoint: the text model of {opened.place} is of type {text!r}, expected "
                f"{', '.join(TEXT_MODELS)}: attention of others has not been compared with what is captured of it"
            )
        self.mean, self.std = beside.statistics(opened.place)
        return opened

    def _set_frames(self, side: int, patch: int, pooled: int) -> None:
        """Frames of `side` pixels in patches of `patch`; `pooled` x `pooled` of these, or what is left, are a cell."""
        self.side, self.patches = side, (side // patch) ** 2
        rows = -(-(side // patch) // pooled)
        self.grid, self.cell, self.patches_per_cell = (rows, rows), 2 * (side // rows,), pooled**2

    def _check_fixed(
        self, min_pixels: int, max_pixels: int, total_pixels: int | None, second_per_grid: float | None
    ) -> None:
        """ValueError where a key that other families have is set to what frames of one size and plain ids cannot do."""
        area = self.side**2
        given = {"min_pixels": min_pixels, "max_pixels": max_pixels, "total_pixels": total_pixels}
        for key, only in (("min_pixels", area), ("max_pixels", area), ("total_pixels", None)):
            if given[key] != only:
                raise ValueError(
                    f"{loading.KEY}.{key}: frames of this checkpoint are {self.side} x {self.side} pixels, got "
                    f"{given[key]}: set {loading.KEY}.{key}={only or 'null'}"
                )
        if second_per_grid is not None:
            raise ValueError(
                f"{loading.KEY}.second_per_grid: ids of this family follow no clock, got {second_per_grid}: set "
                f"{loading.KEY}.second_per_grid=null"
            )

    def _load(
        self,
        model_class: Any,
        opened: loading.Opened,
        overlay: WeightOverlay | None,
        dtype: str,
        device: torch.device,
        device_map: Any,
        attention: str,
    ) -> None:
        """Reads the weights. What the family says of frames is known by then."""
        self.tokenizer = opened.tokenizer
        self.model = loading.load_under(
            *(overlay, model_class, opened, dtype, device, device_map, attention, self.tensor_parallel)
        )
        self.decoder = self.model.model.language_model
        self.tower = self.model.model.vision_tower
        self.end_ids = end_tokens(self.model, self.tokenizer)
        self._drops = self._far = False  # what has been said once

    # Frames.

    def frame_size(self, height: int, width: int) -> tuple[int, int]:
        """Returns the height and width in pixels after resizing: a square, whatever the aspect of the frame."""
        return self.side, self.side

    def cells(self, height: int, width: int) -> tuple[int, int]:
        """Returns the rows and columns of cells in a frame. Raises ValueError for frames of another size."""
        if (height, width) != (self.side, self.side):
            raise ValueError(f"frames must be {self.side} x {self.side} pixels, got {height} x {width}")
        return self.grid

    def _tower(self, pixels: Tensor, keep: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Encodes whole frames, then takes the kept tokens."""
        if not len(pixels):
            width = self.decoder.config.hidden_size
            return torch.empty(0, width, dtype=self.model.dtype, device=home(self.tower)), {}
        frames = normalise(pixels[:, 0].to(home(self.tower)), self.mean, self.std)
        if not self._drops and bool((keep.any(1) & ~keep.all(1)).any()):
            self._drops = True
            _log.warning("the tower of this model sees whole frames: tokens that are refused before it go after it")
        encoded = self._features(frames.to(self.model.dtype))
        return encoded[keep.to(encoded.device)], {}

    def _passes(self, keep: Tensor) -> list[Tensor]:
        return super()._passes(keep.any(1, keepdim=True).expand_as(keep))

    # The prefix.

    def before(self, tokens: Tokens, positions: str, clock: Tensor | None = None) -> Tensor:
        """Returns the text ids before N visual tokens, i64 [P - N], the label of their first frame included."""
        if not len(tokens):
            return self.chat.before(False, 0.0)
        return self.text.beginning(int(tokens.tick[0]) if positions == "original" else 0)

    def prefix(self, tokens: Tokens, before: Tensor, positions: str, clock: Tensor | None = None) -> Prefix:
        """Returns the prefix: the start of the chat, then frame by frame its text and its kept tokens."""
        if not len(tokens):
            none = torch.empty(0, dtype=torch.long)
            return Prefix(self._embedded(before), torch.arange(len(before))[None], none, len(before))
        ticks, seconds = ticks_of(tokens)[0].tolist(), tokens.seconds.cpu().unique_consecutive()
        frames, total = [*range(len(ticks))], len(ticks)
        if positions == "original":
            frames, total = ticks, ticks[-1] + 1 if clock is None else len(clock)
        starts = self.text.starts(total)
        placed, end = [*self.text.pieces(tokens, before, frames, starts, self.row_end)], starts[-1]
        for piece in self.ending(seconds, float(seconds[-1] if clock is None else clock[-1])):
            placed.append((piece, torch.arange(end, end + len(piece))))
            end += len(piece)
        embeddings, columns = weave([piece for piece, _ in placed], tokens, self._embedded)
        if positions == "original":
            return Prefix(embeddings, torch.cat([ids for _, ids in placed])[None], columns, end)
        return Prefix(embeddings, torch.arange(len(embeddings))[None], columns, len(embeddings))

    def _run(self, embeddings: Tensor, positions: Tensor, cache: Cache | None, **more: Any) -> Tensor:
        """As in the base, after a look at how far the ids go."""
        config, longest = self.decoder.config, int(positions.max()) + 1
        if longest > config.max_position_embeddings and not self._far:
            reached = (
                f"position ids go to {longest}, this model was made for {config.max_position_embeddings}: "
                "set backbone.answer_positions=compact, or fewer frames or group_ticks"
            )
            if (
                config.rope_parameters.get("rope_type") == "dynamic"
            ):  # the longest prompt would turn those after it, too
                raise UsageError(reached)
            _log.warning("%s", reached)
            self._far = True
        return super()._run(embeddings, positions, cache, **more)

    # What it costs.

    def tick_text(self, seconds: Tensor) -> int:
        """Counts the text tokens and rows around visual tokens that are shown at `seconds`, f64 [N].

        The label of the first frame is left out: it belongs to the text ids before the tokens.
        """
        times = seconds.unique()
        if not len(times):
            return 0
        return self.text.count(len(times), len(seconds)) + sum(map(len, self.ending(times, float(times[-1]))))

    def encode_flops(self, tokens: int, per_tick: int) -> float:
        """Estimates the operations of the vision tower: whole frames, as few as can hold `tokens` tokens.

        Where tokens are refused before the tower, these may lie in more frames.
        """
        frames, config = -(-tokens // per_tick), self.model.config.vision_config
        seen, cut = self.patches + self.class_tokens, operations.weights(self.tower.embeddings)
        rows, merged = self._projected()
        met = config.num_hidden_layers * seen
        layers = operations.weights(self.tower) - cut
        total = operations.tower(frames * seen, layers, frames * rows, merged, met, config.hidden_size)
        return total + 2.0 * frames * self.patches * cut

    @abstractmethod
    def _projected(self) -> tuple[int, int]:
        """Rows of a frame that the projector reads, and its weights."""
