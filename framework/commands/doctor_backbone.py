"""`sieve doctor backbone=NAME`: whether the weights of a backbone are on this machine.

Looks at folders and at the Hub's cache. Asks no network, and loads neither torch nor any weight.
"""

from __future__ import annotations

import sys

from omegaconf import DictConfig
from rich.text import Text

from framework.backbones.checkpoint import KEY, cached, in_cache, missing, on_disk
from framework.config.prober import check_prober
from framework.core.model_files import model_files, refuse_stand_in
from framework.report.console import console

MARKS = {True: ("✓", "green"), False: ("✗", "red")}


def run(cfg: DictConfig) -> None:
    """Prints where the weights are, or what is missing. The exit status is 1 where they are not all here.

    Raises ConfigError where they are, and prober and backbone cannot work together.
    """
    if not tell(cfg):
        sys.exit(1)
    check_prober(cfg)


def tell(cfg: DictConfig) -> bool:
    """Prints where the weights are, or what is missing. Returns whether they are all here."""
    found = [look(str(cfg[key].adapter.checkpoint), key) for key in ("backbone", "prober") if cfg.get(key)]
    for there, said in found:
        console().print(Text.assemble(MARKS[there], " ", said), soft_wrap=True)
    return all(there for there, _ in found)


def look(checkpoint: str, key: str = "backbone") -> tuple[bool, str]:
    """Returns whether a checkpoint is here as a whole, and the same in words. `key`: whose adapter names it."""
    there, said = _looked(checkpoint)
    return there, said.replace(KEY, KEY.replace("backbone", key))


def _looked(checkpoint: str) -> tuple[bool, str]:
    try:
        folder = on_disk(checkpoint) or cached(checkpoint)
        if folder is None:
            return False, (
                f"{checkpoint}: {in_cache(checkpoint)}; `hf download {checkpoint}` fetches it, {KEY}=FOLDER names a "
                "copy elsewhere"
            )
        if lost := missing(folder):
            return False, f"{KEY}: {folder} lacks {', '.join(lost)}"
        files = model_files(folder)
        for file in files:
            refuse_stand_in(file)
    except ValueError as error:
        return False, str(error)
    size = sum(file.stat().st_size for file in files)
    return True, f"{checkpoint}: all weights are here, {size / 2**30:.2f} GiB in {len(files)} files of {folder}"
