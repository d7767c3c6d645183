"""Who may import whom: the table of docs/architecture.md, and no circle anywhere.

Imports inside functions and under `TYPE_CHECKING` count like any other.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = ("framework", "strategies", "experiments")
MODULES = {
    ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
    for folder in OURS
    for file in (ROOT / folder).rglob("*.py")
}
# who -> what of ours it may import; the first line that fits counts
MAY: dict[str, tuple[str, ...]] = {
    "framework.core": ("framework.core",),
    "framework.ops": ("framework.core", "framework.ops"),
    "framework": ("framework",),
    "strategies.learned.autogaze": ("framework", "strategies.learned.autogaze"),
    "strategies.learned.qtsplus": ("framework", "strategies.learned.qtsplus"),
    "strategies": ("framework.core", "framework.ops", "framework.video", "strategies.learned"),
    "experiments": ("framework", "strategies.learned", "experiments"),
}
THIN_MAY_NOT = {"hydra", "omegaconf", "wandb", "lightning", "decord", "av", "transformers"}


def _imported(file: Path) -> Iterator[str]:
    """Everything that a file imports, modules of ours by their full names."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in MODULES else node.module


GRAPH = {name: set(_imported(file)) for name, file in MODULES.items()}


def _within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_what_its_folder_may(name: str) -> None:
    who = next(package for package in MAY if _within(name, package))
    ours = {module for module in GRAPH[name] if module.split(".")[0] in OURS}
    wrong = {module for module in ours if not any(_within(module, package) for package in MAY[who])}
    assert not wrong, f"{name} imports {sorted(wrong)}; {who} may import {', '.join(MAY[who])}"
    if who == "strategies":
        wrong = {module for module in GRAPH[name] if module.split(".")[0] in THIN_MAY_NOT}
        assert not wrong, f"{name} imports {sorted(wrong)}"


def test_every_learned_method_has_a_line_in_the_table() -> None:
    there = {
        folder.name for folder in (ROOT / "strategies" / "learned").iterdir() if (folder / "__init__.py").is_file()
    }
    assert {f"strategies.learned.{name}" for name in there} <= set(MAY)


def test_imports_name_modules_that_exist() -> None:
    lost = {(n, m) for n, used in GRAPH.items() for m in used if m.split(".")[0] in OURS and m not in MODULES}
    assert not lost


def test_there_is_no_circle() -> None:
    """Depth-first: a module that is reached from itself."""
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        if name not in done:
            for module in sorted(GRAPH[name] & MODULES.keys()):
                visit(module, (*path, name))
            done.add(name)

    for name in MODULES:
        visit(name, ())


def test_importing_the_framework_loads_no_torch() -> None:
    code = "import sys, framework, framework.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60).returncode == 0
