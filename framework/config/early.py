"""What can be said of a configuration before any class of it is imported, so without torch: keys, plain types, files.

Whatever cannot be said here is said by `build.py`, later and by the same rules.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from omegaconf import DictConfig, OmegaConf

from framework.backbones import checkpoint
from framework.backbones.told import TEXTS, check_text
from framework.benchmarks.places import existing_file, existing_folder
from framework.config.build import ConfigError, check_keys, checked_value, plain_node
from framework.config.groups import STRATEGIES
from framework.config.prober import check_prober, has_prober
from framework.config.root import check_root, typed_key
from framework.config.signature import read
from framework.core.errors import UsageError
from framework.core.model_files import SHIPPED, locate

PARTS = {  # node -> its group
    **{group: group for group in (*STRATEGIES, "reader", "benchmark", "tracker")},
    **{f"backbone.{part}": "backbone" for part in ("sampling", "prompt", "adapter")},
    "prober.adapter": "prober",
}
CLASSES = {  # of the nodes that name none
    "backbone.sampling": "framework.video.sampling.Sampling",
    "backbone.prompt": "framework.core.prompts.PromptTemplate",
}


def check(cfg: DictConfig, groups: Collection[str]) -> None:
    """Checks the root keys and the parts of these configuration groups.

    Raises UsageError that names the key for a value of the wrong type, for a key that is unknown or missing, for
    shipped weights that there are not, for a checkpoint or a benchmark that is not there, for a text of the
    adapter that cannot be filled in.
    """
    check_root(cfg)
    if has_prober(cfg) and "prober" not in groups:
        raise ConfigError("prober: this command looks with one model, the backbone; leave prober out")
    nodes = [key for key, group in PARTS.items() if group in groups and OmegaConf.select(cfg, key) is not None]
    for key in nodes:
        node = plain_node(OmegaConf.select(cfg, key), key)
        _check_part(cfg, {"_target_": CLASSES.get(key), **node}, key)
        _check_assets(cfg, node, key)
    if "benchmark" in nodes and _ours(cfg.benchmark, "framework.benchmarks."):
        _check_benchmark(cfg.benchmark)
    if "backbone.adapter" in nodes and _ours(cfg.backbone.adapter, "framework.backbones."):
        checkpoint.find(str(cfg.backbone.adapter.checkpoint))
        for key in TEXTS:
            check_text(key, str(cfg.backbone.adapter.get(key, "")))
    if "backbone" in groups:
        check_prober(cfg)


def _ours(node: DictConfig, home: str) -> bool:
    """Whether the class of a node is one of ours, whose keys are known here."""
    return str(node.get("_target_")).startswith(home)


def _check_part(cfg: DictConfig, node: dict[str, Any], key: str) -> None:
    """ConfigError where keys or plain values do not fit the class of a node, or of a node inside."""
    target = node.get("_target_")
    taken = read(target) if isinstance(target, str) else None
    if taken is None:
        return
    given = {name: value for name, value in node.items() if name != "_target_"}
    check_keys(given, {name: one.required for name, one in taken.items()}, str(target).rpartition(".")[2], key)
    for name, value in given.items():
        place = f"{key}.{name}"
        if taken[name].hint is None:
            for inside, part in _parts(value, place):
                _check_part(cfg, part, inside)
        else:
            checked_value(value, taken[name].hint, typed_key(cfg, place))


def _parts(value: Any, key: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(key, node) of the outermost nodes with a class inside a value."""
    if isinstance(value, dict) and "_target_" in value:
        yield key, value
    elif isinstance(value, (dict, list)):
        for name, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _parts(part, f"{key}.{name}")


def _check_assets(cfg: DictConfig, value: Any, key: str) -> None:
    """ConfigError where a text names shipped weights that there are not."""
    if isinstance(value, (dict, list)):
        for name, part in value.items() if isinstance(value, dict) else enumerate(value):
            _check_assets(cfg, part, f"{key}.{name}")
    elif isinstance(value, str) and value.startswith(SHIPPED):
        try:
            locate(value)
        except UsageError as error:
            raise ConfigError(f"{typed_key(cfg, key)}: {error}") from error


def _check_benchmark(node: DictConfig) -> None:
    """UsageError where a benchmark is read from files that are not named, or not there."""
    if "file" in node:
        existing_file(node.file, "benchmark.file", node.name)
    elif "root" in node:
        existing_folder(node.root, "benchmark.root", node.name)
