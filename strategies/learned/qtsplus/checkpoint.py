"""A trained selector on disk: one safetensors file with the weights and, in its header, all that they do not say.

`save(selector, "runs/x", ...)` writes `runs/x/selector.safetensors`, beside whatever else the folder holds (a language
model that was trained with it, for instance). It knows neither the published layout nor who trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import torch

from framework.core.home import at_home
from framework.core.weight_files import Stored, header, refuse_non_finite, save_weights
from strategies.learned.qtsplus.selector import Part, Selector, Shape

FILE = "selector.safetensors"
HEADER = "qtsplus"  # key of the header
PREFIX = "selector."
CHUNK = 8192  # tokens scored at a time, outside training


@dataclass(frozen=True)
class About:
    """Describes what a selector's weights do not say."""

    shape: Shape
    rho_min: float
    rho_max: float
    scaled: bool  # features of the budget head
    rho: Literal["learned", "drawn"] | float  # where training took the ratio from; only `learned` trains the head
    n_max: int | None  # most tokens kept in training
    positions: Literal["kept", "sequential"]  # of the kept tokens, in training
    notes: Mapping[str, Any]  # for people: recipe, seed, steps

    def __post_init__(self) -> None:
        if not 0 < self.rho_min <= self.rho_max <= 1:
            raise ValueError(f"0 < rho_min <= rho_max <= 1 is needed, got {self.rho_min} and {self.rho_max}")
        if self.rho not in ("learned", "drawn") and not (isinstance(self.rho, float) and 0 < self.rho <= 1):
            raise ValueError(f"rho must be learned, drawn or a number within (0, 1], got {self.rho!r}")
        if self.n_max is not None and self.n_max < 1:
            raise ValueError(f"n_max must be at least 1, got {self.n_max}")
        if self.positions not in ("kept", "sequential"):
            raise ValueError(f"positions must be kept or sequential, got {self.positions!r}")

    def selector(self, dropout: float = 0.0, chunk: int = CHUNK) -> Selector:
        """Returns a selector of this shape on the meta device: its weights are still to come."""
        with torch.device("meta"):
            return Selector(self.shape, self.rho_min, self.rho_max, self.scaled, dropout, chunk)


def save(
    selector: Selector,
    path: str | Path,
    *,
    rho: Literal["learned", "drawn"] | float,
    n_max: int | None,
    positions: Literal["kept", "sequential"],
    notes: Mapping[str, Any],
) -> Path:
    """Writes to the folder or .safetensors file at `path`, and returns the file. The keywords are fields of `About`."""
    head = selector.budget
    about = About(selector.shape, head.low, head.high, head.scaled, rho, n_max, positions, notes)
    tensors = {PREFIX + name: value for name, value in selector.state_dict().items()}
    return save_weights(tensors, file_at(path), HEADER, asdict(about))


def load(path: str | Path, dropout: float = 0.0, chunk: int = CHUNK) -> tuple[Selector, About]:
    """Loads the selector saved at `path`, as it was: in evaluation mode, on the CPU, in the dtype of the file."""
    stored, about = open_weights(path), read(path)
    selector = about.selector(dropout, chunk)
    fill(selector, stored, names(stored), str(path))
    return selector.eval(), about


def read(path: str | Path) -> About:
    """Reads the header alone. Raises ValueError where there is none, or where its fields are not those of `About`."""
    file = file_at(path)
    found = header(file, HEADER, "sieve train")
    known = {field.name for field in fields(About)}
    if set(found) != known:
        raise ValueError(f"the header of {file} must hold {sorted(known)}, got {sorted(found)}")
    return About(**{**found, "shape": Shape(**found["shape"])})


def open_weights(path: str | Path) -> Stored:
    """Opens the tensors of a saved selector, by their names in the file."""
    return Stored([file_at(path)])


def names(stored: Stored) -> dict[str, str]:
    """Maps our name of each parameter to its name in the file."""
    return {name.removeprefix(PREFIX): name for name in stored}


def file_at(path: str | Path) -> Path:
    """Returns the .safetensors file that is meant by a folder or a file."""
    place = at_home(path, "checkpoint")
    return place if place.suffix == ".safetensors" else place / FILE


def fill(selector: Selector, stored: Stored, at: Mapping[str, str], source: str, part: Part = "all") -> None:
    """Fills the selector with the tensors `at` (parameter -> name in `stored`), and drops all but `part` of it.

    Raises ValueError unless they are exactly its own in number and shape, and finite.
    """
    own = {name: parameter.shape for name, parameter in selector.named_parameters()}
    missing, unexpected = sorted(own.keys() - at.keys()), sorted(at.keys() - own.keys())
    if missing or unexpected:
        raise ValueError(
            f"{source} does not fit the selector that it describes: missing {', '.join(missing) or 'nothing'}; "
            f"unexpected {', '.join(unexpected) or 'nothing'}"
        )
    selector.keep(part)
    tensors = {name: stored[at[name]] for name in selector.state_dict()}
    for name, tensor in tensors.items():
        if tensor.shape != own[name]:
            raise ValueError(
                f"{source}: {name} is {list(tensor.shape)}, {list(own[name])} is needed "
                f"(width {selector.shape.width}, {selector.shape.heads} heads, {selector.shape.kv_heads} of keys)"
            )
    refuse_non_finite(tensors.items(), source)
    selector.load_state_dict(tensors, assign=True)
