"""What is compared: one yaml per method in `methods/`, and the settings that tuning froze in `tuned/`.

    preset: flexselect               # of conf/preset
    published: [backbone.group_ticks=64]   # what its paper or code says, where the lab has that
    settings:                        # tuned over the product of these, at most MOST
      backbone.group_ticks: [8, 16, 32, 64]
    control: false                   # a control has one row, as `published` says, and nothing to tune

A new method is a new file there. Beside them stand `ideas/`, what was tried for a preset of our own, and `probers/`,
where a small model looks for the lab model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from framework.core.errors import UsageError

METHODS = Path(__file__).parent / "methods"
TUNED = Path(__file__).parent / "tuned"
MOST = 16  # settings that a method may try: the same effort for all


@dataclass(frozen=True)
class Method:
    """Describes one method. Raises UsageError for more settings than any method may try."""

    name: str
    preset: str
    published: tuple[str, ...] = ()
    settings: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    control: bool = False
    folder: Path = METHODS  # that its file is in

    def __post_init__(self) -> None:
        tries = len(self.candidates())
        if tries > MOST:
            raise UsageError(f"{METHODS / self.name}.yaml: settings make {tries} candidates, expected at most {MOST}")

    def candidates(self) -> list[tuple[str, ...]]:
        """Lists the settings that tuning tries, each as words; a method without any has one, the preset as it is."""
        keys = list(self.settings)
        return [
            tuple(f"{key}={value}" for key, value in zip(keys, values, strict=True))
            for values in product(*self.settings.values())
        ]

    def words(self, setting: Sequence[str]) -> list[str]:
        """Returns the words of `sieve eval` for one setting."""
        return [f"preset={self.preset}", *setting]


def methods(names: Sequence[str] = (), folder: Path = METHODS) -> list[Method]:
    """Reads the named methods of a folder, or all, in alphabetical order.

    Raises UsageError for a name without a file, and for a file that describes no method.
    """
    known = {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    if unknown := [name for name in names if name not in known]:
        raise UsageError(f"methods: got {unknown[0]!r}, expected names out of {', '.join(known)}")
    return [_read(known[name]) for name in (names or known)]


def _read(path: Path) -> Method:
    given: Any = OmegaConf.to_container(OmegaConf.load(path))
    keys = {"preset", "published", "settings", "control"}
    if not isinstance(given, dict) or "preset" not in given or (set(given) - keys):
        raise UsageError(
            f"{path}: got keys {', '.join(map(str, given))}, expected preset and some of {', '.join(keys)}"
        )
    return Method(path.stem, **{**given, "published": tuple(given.get("published", ())), "folder": path.parent})
