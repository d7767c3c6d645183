"""Who a run is and where its results go: a hash of its configuration, the versions behind it, files, then trackers.

A tracker mirrors what is already on disk. It may fail at any moment without taking the run along. Knows no benchmark
and no strategy; wandb is imported only when it is chosen.
"""

from __future__ import annotations

import hashlib
import json
import logging
import platform
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from framework.errors import UsageError

NOT_IDENTITY = ("hydra", "tracker", "progress")  # root keys that change no result
LOCATIONS = ("root", "cache", "folder")  # keys, anywhere, that say where files lie and not what is in them
PACKAGES = ("tokensieve", "torch", "transformers", "hydra-core", "numpy", "scipy", "decord", "av")
_log = logging.getLogger(__name__)


def identity(cfg: DictConfig) -> str:
    """Ten characters that name a resolved configuration; tracker and paths do not count, nor does the order of keys."""
    wanted = [str(key) for key in cfg if key not in NOT_IDENTITY]
    plain = {key: OmegaConf.to_container(cfg[key], resolve=True) if _nested(cfg[key]) else cfg[key] for key in wanted}
    return hashlib.sha256(json.dumps(_without_locations(plain), sort_keys=True).encode()).hexdigest()[:10]


def _nested(value: Any) -> bool:
    return isinstance(value, (DictConfig, ListConfig))


def _without_locations(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _without_locations(value) for key, value in node.items() if key not in LOCATIONS}
    if isinstance(node, list):
        return [_without_locations(value) for value in node]
    return node


def register_resolvers() -> None:
    """Let configuration say `${run_id:}`; call before composing."""
    OmegaConf.register_new_resolver("run_id", lambda *, _root_: identity(_root_), replace=True)


def versions() -> dict[str, str]:
    """Python, the packages that matter, the commit of the checkout where there is one."""
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
    root = Path(__file__).resolve().parent.parent
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


def claim(folder: Path, cfg: DictConfig) -> None:
    """Make `folder` the run folder of this configuration, or go on in it; results of another one are refused."""
    mine, now = identity(cfg), versions()
    folder.mkdir(parents=True, exist_ok=True)
    about = folder / "run.json"
    if about.exists():
        before = json.loads(about.read_text(encoding="utf-8"))
        if before["id"] != mine:
            raise UsageError(
                f"{folder} holds the results of another configuration ({before['id']}, this one is {mine}); "
                "choose another folder (key: hydra.run.dir) or leave that key out"
            )
        if before["versions"] != now:
            _log.warning(
                "%s was begun with other versions of code or packages (run.json); its answers are kept", folder
            )
        return
    about.write_text(json.dumps({"id": mine, "versions": now}, indent=1) + "\n", encoding="utf-8")
    OmegaConf.save(cfg, folder / "config.yaml", resolve=True)


class Tracker(ABC):
    """Mirrors a run elsewhere. Disk comes first: a tracker gets only what is already written."""

    @abstractmethod
    def start(self, folder: Path, name: str, config: Mapping[str, Any]) -> None:
        """A run called `name` begins; `config` is resolved and plain."""

    @abstractmethod
    def log(self, values: Mapping[str, float]) -> None:
        """Running figures."""

    @abstractmethod
    def finish(self, summary: Mapping[str, Any]) -> None:
        """The run is over."""


class NoTracker(Tracker):
    """Results on disk, nothing else."""

    def start(self, folder: Path, name: str, config: Mapping[str, Any]) -> None:
        """Nothing."""

    def log(self, values: Mapping[str, float]) -> None:
        """Nothing."""

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Nothing."""


class WandbTracker(Tracker):
    """Weights & Biases. Without a key, without a network or after any failure: offline, or a warning and silence."""

    def __init__(self, project: str, entity: str | None, mode: str, tags: list[str], seconds_to_connect: float) -> None:
        if mode not in ("online", "offline"):
            raise UsageError(f"tracker.mode must be online or offline, got {mode!r}")
        self.project, self.entity, self.mode, self.tags = project, entity, mode, tags
        self.seconds_to_connect = seconds_to_connect
        self._run: Any = None

    def start(self, folder: Path, name: str, config: Mapping[str, Any]) -> None:
        """Begin online, else offline in the run folder, else not at all."""
        import wandb

        if self.mode == "online" and not wandb.api.api_key:
            _log.warning("W&B has no key here (wandb login, or WANDB_API_KEY): this run is kept offline in %s", folder)
            self.mode = "offline"
        attempts = [(self.mode, name), ("offline", f"{name}-offline")]  # a failed attempt may still hold its id
        for mode, run_id in attempts:
            try:
                self._run = wandb.init(
                    project=self.project,
                    entity=self.entity,
                    mode=mode,  # type: ignore[arg-type]
                    name=name,
                    id=run_id,
                    resume="allow" if mode == "online" else None,
                    dir=str(folder),
                    tags=self.tags,
                    job_type=str(config.get("preset_name", "")) or None,
                    config=dict(config),
                    settings=wandb.Settings(init_timeout=self.seconds_to_connect, silent=True),
                )
                return
            except Exception as error:  # anything: W&B must never stop a run
                _log.warning("W&B %s did not start (%s): results are in %s", mode, error, folder)

    def log(self, values: Mapping[str, float]) -> None:
        """Running figures; the first failure ends the mirroring."""
        if self._run is None:
            return
        try:
            self._run.log(dict(values))
        except Exception as error:  # anything: W&B must never stop a run
            _log.warning("W&B stopped listening (%s): the run goes on, results are on disk", error)
            self._run = None

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Hand over the summary and close."""
        if self._run is None:
            return
        try:
            self._run.summary.update(dict(summary))
            self._run.finish()
        except Exception as error:  # anything: W&B must never stop a run
            _log.warning("W&B did not take the summary (%s): it is on disk", error)
        self._run = None
