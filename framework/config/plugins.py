"""Installed packages add their strategies: one entry point that names a folder of configuration.

A package with `[project.entry-points."tokensieve.conf"]` and a line `its_name = "its_package.conf"` ships yaml files
under `its_package/conf/<group>/`; its options then stand beside ours. We append, so that nobody shadows a built-in
option.
"""

from __future__ import annotations

import importlib.util
import logging
from importlib.metadata import entry_points
from pathlib import Path

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin

ENTRY_POINTS = "tokensieve.conf"
PROBER = "prober"  # beside `none`, its options are those of `backbone`
CONF = Path(__file__).resolve().parents[2] / "conf"
_log = logging.getLogger(__name__)


def plugin_folders() -> dict[str, Path]:
    """Returns entry point name -> its folder of configuration. A broken entry point is reported and left out."""
    found: dict[str, Path] = {}
    for point in entry_points(group=ENTRY_POINTS):
        try:
            spec = importlib.util.find_spec(point.value)
        except ImportError:
            spec = None
        if spec is None or not spec.submodule_search_locations:
            _log.warning("plug-in %s names %s, which is no package: its options are left out", point.name, point.value)
            continue
        found[point.name] = Path(spec.submodule_search_locations[0])
    return found


def options(group: str) -> dict[str, Path]:
    """Returns option name -> yaml file of one configuration group: our options and those of the plug-ins.

    Of several options with one name, the first on Hydra's search path counts. Every backbone may be a prober.
    """
    found: dict[str, Path] = {}
    for place in (group, "backbone") if group == PROBER else (group,):
        for folder in (CONF, *plugin_folders().values()):
            for file in (folder / place).glob("*.yaml"):
                found.setdefault(file.stem, file)  # as on Hydra's search path: the first one wins
    return dict(sorted(found.items()))


def page(name: str) -> Path:
    """Returns the root configuration file NAME.yaml: ours, or the first plug-in's that has one."""
    places = [folder / f"{name}.yaml" for folder in (CONF, *plugin_folders().values())]
    return next((place for place in places if place.is_file()), places[0])


class PluginSearchPath(SearchPathPlugin):
    """Appends every plug-in's folder to Hydra's search path."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Appends the folders to `search_path`. Hydra calls this while it starts."""
        for name, folder in plugin_folders().items():
            search_path.append(provider=f"{ENTRY_POINTS}:{name}", path=f"file://{folder}")


def register() -> None:
    """Makes Hydra see the plug-ins, and every backbone as a prober. Call this before composing.

    Calling it again changes nothing.
    """
    store = ConfigStore.instance()
    for name in options("backbone"):  # the same option at another place
        store.store(group=PROBER, name=name, node={"defaults": [{"/backbone@_here_": name}, "_self_"]})
    plugins = Plugins.instance()
    if PluginSearchPath not in plugins.discover(SearchPathPlugin):
        plugins.register(PluginSearchPath)
