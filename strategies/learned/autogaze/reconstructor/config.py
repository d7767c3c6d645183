"""The reconstructor's sizes, and the few choices in which the lab's differs from the published one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from strategies.learned.autogaze.gaze.vocabulary import Vocabulary


@dataclass(frozen=True)
class ReconstructorConfig:
    """Describes all that decides the shapes of a reconstructor, and what is computed with them.

    Raises ValueError where a size is not possible.
    """

    scales: tuple[int, ...]  # pixels, ascending; the last is the side of a frame
    patch: int
    frames: int  # that there are time embeddings for
    width: int
    layers: int
    heads: int
    hidden: int  # inner width of the encoder's feed-forward layers
    decoder_width: int
    decoder_layers: int
    decoder_heads: int
    decoder_hidden: int
    antialias: bool  # of the frames shrunk to the coarse scales
    lean: bool  # see the decoder; False: as published
    flat_positions: bool  # as published: the decoder's table is interpolated along the flattened grid
    canvas: bool = False  # pixels are shown as last seen, and rebuilt only where nothing ever was; published: False

    def __post_init__(self) -> None:
        object.__setattr__(self, "scales", tuple(self.scales))
        if self.frames < 1 or self.layers < 1 or self.decoder_layers < 1:
            raise ValueError(
                "frames, layers and decoder_layers must be at least 1, got "
                f"{self.frames}, {self.layers} and {self.decoder_layers}"
            )
        for width, heads in ((self.width, self.heads), (self.decoder_width, self.decoder_heads)):
            if heads < 1 or width % heads or width % 4:
                raise ValueError(f"a width must be a multiple of 4 and of its heads, got {width} and {heads} heads")
        Vocabulary(self.scales, self.patch)
        if self.canvas and any(self.side % (scale // self.patch) for scale in self.scales):
            raise ValueError(f"a canvas needs grids that divide {self.side} pixels, got scales {self.scales}")

    @property
    def vocabulary(self) -> Vocabulary:
        """Returns the patches that may be picked."""
        return Vocabulary(self.scales, self.patch)

    @property
    def side(self) -> int:
        """Returns the height and width of a frame in pixels."""
        return self.scales[-1]

    @classmethod
    def official(cls) -> ReconstructorConfig:
        """Returns the sizes of the published reconstructor: a ViT-MAE-L for 224 pixels, 329,941,248 parameters."""
        sizes = (1024, 24, 16, 4096, 512, 8, 16, 2048)
        return cls((32, 64, 112, 224), 16, 256, *sizes, antialias=False, lean=False, flat_positions=True)

    @classmethod
    def lab(cls) -> ReconstructorConfig:
        """Returns the sizes of one that a processor trains within the hour, for 112 pixels and 8 frames."""
        sizes = (128, 4, 4, 512, 96, 2, 3, 384)
        return cls((32, 64, 112), 16, 8, *sizes, antialias=True, lean=True, flat_positions=False, canvas=True)

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> ReconstructorConfig:
        """Builds a configuration from the header of a file. Raises ValueError where keys are missing or unknown."""
        known = {field.name for field in fields(cls)}
        if set(told) != known:
            raise ValueError(f"a reconstructor's configuration must hold {sorted(known)}, got {sorted(told)}")
        return cls(**told)

    def told(self) -> dict[str, Any]:
        """Returns its fields as plain values, for the header of a file."""
        return asdict(self)
