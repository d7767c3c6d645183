"""Who a run is and where its results go: a hash of its configuration, the versions behind it, a folder of its own.

Knows no benchmark and no strategy.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from framework.config.groups import STRATEGIES
from framework.core.errors import UsageError

# What a run is built from, and what it reads beside that; keys that a command does not have are passed over. A part
# takes no more than its own node, so that nothing else can change a result.
KEYS = (
    *STRATEGIES,
    *("backbone.adapter", "backbone.sampling", "backbone.prompt", "prober.adapter", "reader", "benchmark"),
    *("budget", "share", "seed"),
    *("recording.id", "probed"),
)
LOCATIONS = ("root", "cache", "folder")  # keys, anywhere, that say where files lie and not what is in them
LIMITS = ("max_picture_pixels", "allow_playlists")  # keys, anywhere, that refuse a file and change no answer
# Keys, anywhere, that came later, each with the value for what was done before: a run keeps the id that it had.
LATER = {
    **{"overshoot_of": "quota", "second_per_grid": None, "total_pixels": None, "told": "", "at": "ends"},
    "tensor_parallel": False,
    "empty_ticks": "drop",
}
PACKAGES = ("tokensieve", "torch", "transformers", "hydra-core", "numpy", "scipy", "decord", "av")
ABOUT = "run.json"  # of a run folder: who the run is
_log = logging.getLogger(__name__)


def identity(cfg: DictConfig) -> str:
    """Returns ten characters that name what a resolved configuration builds.

    Trackers, paths, limits, the order of keys and every node that the run does not use do not count.
    """
    parts = {key: OmegaConf.select(cfg, key) for key in KEYS}
    plain = {key: OmegaConf.to_container(part, resolve=True) if _nested(part) else part for key, part in parts.items()}
    there = {key: value for key, value in plain.items() if value is not None}
    return hashlib.sha256(json.dumps(_that_count(there), sort_keys=True).encode()).hexdigest()[:10]


def _nested(value: Any) -> bool:
    return isinstance(value, (DictConfig, ListConfig))


def _that_count(node: Any) -> Any:
    if isinstance(node, dict):
        counting = {key: value for key, value in node.items() if key not in (*LOCATIONS, *LIMITS)}
        return {key: _that_count(value) for key, value in counting.items() if not _as_before(key, value)}
    if isinstance(node, list):
        return [_that_count(value) for value in node]
    return node


def _as_before(key: str, value: Any) -> bool:
    return key in LATER and value == LATER[key]


def register_resolvers() -> None:
    """Lets a configuration say `${run_id:}` for its own `identity`. Call this before composing."""
    OmegaConf.register_new_resolver("run_id", lambda *, _root_: identity(_root_), replace=True)


def versions() -> dict[str, str]:
    """Returns name -> version of Python, the platform and the packages that matter.

    The commit of the checkout is added where there is one.
    """
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    if commit := _commit():
        found["commit"] = commit
    return found


def _commit() -> str:
    """The commit of our own checkout, with `+` when files differ from it; empty outside of one."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return ""
    try:
        head, changed = (
            subprocess.run(
                ["git", *words], cwd=root, capture_output=True, text=True, timeout=10, check=True
            ).stdout.strip()
            for words in (["rev-parse", "--short=12", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return head + ("+" if changed else "")


def claim(folder: Path, cfg: DictConfig, preset: str = "", overrides: Sequence[str] = ()) -> None:
    """Makes `folder` the run folder of this configuration, or goes on in it.

    Raises UsageError where the folder holds results of another configuration. `preset` and `overrides` are what was
    chosen and typed: names for people, written beside the configuration.
    """
    mine, now = identity(cfg), versions()
    folder.mkdir(parents=True, exist_ok=True)
    about = folder / ABOUT
    if about.exists() and (before := _before(folder, mine)):
        if before["id"] != mine:
            raise UsageError(
                f"{folder} holds the results of another configuration ({before['id']}, this one is {mine}); "
                "choose another folder (key: hydra.run.dir) or leave that key out"
            )
        if before.get("versions") != now:
            _log.warning(
                "%s was begun with other versions of code or packages (run.json); its answers are kept", folder
            )
        return
    OmegaConf.save(cfg, folder / "config.yaml", resolve=True)
    described = {"id": mine, "preset": preset, "overrides": list(overrides), "versions": now}
    whole(about, json.dumps(described, indent=1) + "\n")


def describe(folder: Path) -> dict[str, Any]:
    """Reads what `claim` wrote about the run in a folder. Raises UsageError where it is damaged."""
    file = folder / ABOUT
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(found, dict) or not isinstance(found.get("id"), str):
            raise ValueError("expected a mapping with an id")
    except ValueError as error:
        raise UsageError(
            f"{file} is damaged ({error}); the command that made the run writes it again where config.yaml beside it "
            "is whole"
        ) from error
    return found


def _before(folder: Path, mine: str) -> dict[str, Any] | None:
    """What is known of the run in the folder. None: it is damaged, but config.yaml says that it is this run."""
    try:
        return describe(folder)
    except UsageError:
        if _saved(folder / "config.yaml") != mine:
            raise
        _log.warning("%s was damaged and is written again; config.yaml says that the run is this one", folder / ABOUT)
        return None


def _saved(file: Path) -> str:
    """The id of a saved configuration; empty where it cannot be read."""
    try:
        saved = OmegaConf.load(file)
        return identity(saved) if isinstance(saved, DictConfig) else ""
    except Exception:  # of other libraries, for whatever is wrong with the file
        return ""


def whole(path: Path, text: str) -> None:
    """Writes a file so that its readers find the old text or the new one, even after a kill."""
    part = path.with_name(f".{path.name}.part")
    try:
        with open(part, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
