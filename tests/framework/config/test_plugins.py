"""A stranger's package adds a scorer: one class, one yaml, one entry point, nothing of ours touched."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from framework.config import plugins

ROOT = Path(__file__).parents[3]
PACKAGE = {
    "pyproject.toml": """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "acme-scorers"
version = "1.0"
[project.entry-points."tokensieve.conf"]
acme = "acme_scorers.conf"
[tool.setuptools]
packages = ["acme_scorers", "acme_scorers.conf", "acme_scorers.conf.scorer", "acme_scorers.conf.preset"]
[tool.setuptools.package-data]
"*" = ["*.yaml"]
""",
    "acme_scorers/__init__.py": "",
    "acme_scorers/center.py": '''
"""Tokens near the middle of the picture first."""
from dataclasses import dataclass
from framework.core.interfaces import TokenScorer
from framework.core.types import Scores
from framework.core.view import GroupView

@dataclass(frozen=True)
class Center(TokenScorer):
    strength: float

    def score(self, view: GroupView) -> Scores:
        row, column = view.layout.row.float(), view.layout.column.float()
        return Scores(-self.strength * ((row - row.mean()).abs() + (column - column.mean()).abs()))
''',
    "acme_scorers/conf/__init__.py": "",
    "acme_scorers/conf/scorer/__init__.py": "",
    "acme_scorers/conf/preset/__init__.py": "",
    "acme_scorers/conf/scorer/acme_center.yaml": "_target_: acme_scorers.center.Center\nstrength: 1.0\n",
    "acme_scorers/conf/preset/acme.yaml": """# @package _global_
defaults: [adapttoken, override /scorer: acme_center]
""",
}
USE = """
from hydra import compose, initialize_config_dir
from framework import plugins
from framework.config.build import INTERFACES, build
from framework.testing.contracts import check_scorer
from framework.core.interfaces import TokenScorer

plugins.register()
assert "acme_center" in plugins.options("scorer") and "acme" in plugins.options("preset")
assert "attention" in plugins.options("scorer")
with initialize_config_dir(config_dir=str(plugins.CONF), version_base="1.3"):
    cfg = compose("config", ["preset=acme", "scorer.strength=2.5"])
    scorer = build(cfg.scorer, TokenScorer, "scorer")
    check_scorer(scorer)
    for group, interface in INTERFACES.items():
        build(cfg[group], interface, group)
print(type(scorer).__module__, scorer)
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, built and installed into a folder of its own."""
    source, site = tmp_path_factory.mktemp("acme"), tmp_path_factory.mktemp("site")
    for name, text in PACKAGE.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text)
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "--target",
        str(site),
        str(source),
    ]
    subprocess.run(install, check=True, capture_output=True, timeout=120)
    return site


def test_a_third_party_scorer_is_found_composed_and_checked(site: Path) -> None:
    paths = os.pathsep.join([str(ROOT), str(site)])
    done = subprocess.run(
        [sys.executable, "-c", USE],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "acme_scorers.center Center(strength=2.5)"


def test_a_broken_entry_point_is_reported_and_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from importlib.metadata import EntryPoint

    broken = EntryPoint(name="gone", value="no_such_package.conf", group=plugins.ENTRY_POINTS)
    monkeypatch.setattr(plugins, "entry_points", lambda group: [broken])
    assert plugins.plugin_folders() == {}
    assert "no_such_package.conf" in caplog.text
    assert "attention" in plugins.options("scorer")


@pytest.mark.parametrize(("ours", "theirs"), [("a", "b"), ("b", "a")])  # however the paths sort
def test_a_plug_in_cannot_shadow_a_built_in_option(
    ours: str, theirs: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for folder in (ours, theirs):
        (tmp_path / folder / "scorer").mkdir(parents=True)
        (tmp_path / folder / "scorer" / "attention.yaml").write_text("_target_: some.Scorer\n")
    monkeypatch.setattr(plugins, "CONF", tmp_path / ours)
    monkeypatch.setattr(plugins, "plugin_folders", lambda: {"evil": tmp_path / theirs})
    assert plugins.options("scorer") == {"attention": tmp_path / ours / "scorer" / "attention.yaml"}
