"""The wheel holds everything that runs: code, configuration, shipped weights."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("framework", "strategies", "conf", "experiments")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing of a build is left in the checkout."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    program = "import sys, setuptools.build_meta as backend; print(backend.build_wheel(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", program, target], cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return next(target.glob("*.whl"))


def test_nothing_is_left_out(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    kinds = (".py", ".yaml", ".safetensors", ".json", ".jinja", ".txt", ".typed")
    wanted = {
        str(file.relative_to(ROOT))
        for name in FOLDERS
        for file in (ROOT / name).rglob("*")
        if file.suffix in kinds and "__pycache__" not in file.parts
    }
    assert len(wanted) > 100 and "conf/config.yaml" in wanted
    assert not wanted - packed
    assert not any(name.startswith("tests") for name in packed)


def test_an_unpacked_wheel_runs_from_anywhere(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    program = (
        "import framework, framework.config.plugins; from framework.cli import main;"
        "print(framework.config.plugins.CONF); main(['eval', '--cfg', 'job', 'preset=adapttoken_agreement'])"
    )
    environment = {**os.environ, "PYTHONPATH": str(site)}
    words = [sys.executable, "-c", program]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(site / "conf"))
    assert "strategies.stopping.agreement.Agreement" in done.stdout


def test_what_is_imported_is_asked_for() -> None:
    """Every third-party package that the code imports at module level is a dependency or an extra."""
    import ast

    about = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = " ".join(
        [*about["dependencies"], *(word for extra in about["optional-dependencies"].values() for word in extra)]
    )
    names = {"yaml": "hydra-core", "hydra": "hydra-core", "omegaconf": "hydra-core", "PIL": "pillow"}
    ours = {*FOLDERS, "__future__", "lmms_eval"}  # lmms-eval imports our bridge to it, in an environment of its own
    for name in FOLDERS:
        for file in (ROOT / name).rglob("*.py"):
            for node in ast.parse(file.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.Import):
                    found = {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom):
                    found = {str(node.module).split(".")[0]}
                else:
                    continue
                for package in found - ours - set(sys.stdlib_module_names):
                    assert names.get(package, package) in asked, f"{file.relative_to(ROOT)} imports {package}"
