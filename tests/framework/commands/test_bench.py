"""`sieve bench`: the table on the terminal and on disk, one file per bench, and errors."""

from __future__ import annotations

import csv
import json
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import get_class
from omegaconf import OmegaConf

from framework.commands import bench
from framework.commands.bench import run
from framework.config import plugins
from framework.config.build import ConfigError
from framework.core.errors import UsageError
from framework.profiling.base import Bench, Row

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Counting(Bench):
    """Three rows; the last one fails if asked to."""

    fail: bool
    threads: list[int]

    def rows(self) -> Iterator[Row]:
        for number in range(3):
            if self.fail and number == 2:
                raise RuntimeError("out of memory")
            self.threads.append(torch.get_num_threads())
            yield {"name": f"n{number}", "seconds": number / 2}


def cfg(folder: Path, **changes: Any) -> Any:
    what = {"_target_": f"{__name__}.Counting", "fail": False, "threads": []}
    return OmegaConf.create({"what": what, "folder": str(folder), "threads": 1, "progress": True, **changes})


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Builds Counting, whatever the configuration says of it; the threads that each one saw."""
    seen: list[list[int]] = []

    def built(node: Any, *_: object) -> Counting:
        seen.append([])
        return Counting(node.fail, seen[-1])

    monkeypatch.setattr("framework.commands.bench.build", built)
    return seen


def test_the_table_is_printed_and_kept(counting, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = torch.get_num_threads()
    folder = run(cfg(tmp_path / "here", threads=2))
    assert counting == [[2, 2, 2]] and torch.get_num_threads() == before
    told = capsys.readouterr()
    assert "name n1  seconds 0.5" in told.err and "n2" in told.out and "2 threads" in told.out
    with (folder / "bench.csv").open() as file:
        assert list(csv.DictReader(file)) == [{"name": f"n{i}", "seconds": str(i / 2)} for i in range(3)]
    data = json.loads((folder / "bench.json").read_text())
    assert data["rows"][2] == {"name": "n2", "seconds": 1.0} and data["machine"]["threads"] == 2
    assert data["what"]["fail"] is False
    assert data["versions"]["torch"] == version("torch") and data["versions"]["python"]


def test_the_processor_has_a_name(counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(bench, "CPU", tmp_path / "cpuinfo")
    for told, name in (("processor : 0\nmodel name\t: Fast 9000\nmodel name : other\n", "Fast 9000"), ("", None)):
        (tmp_path / "cpuinfo").write_text(told)
        machine = json.loads((run(cfg(tmp_path)) / "bench.json").read_text())["machine"]
        assert machine["processor"] == (name or platform.processor() or platform.machine())
        assert machine["cores"] >= 1


def test_what_was_measured_before_a_failure_is_kept(counting, tmp_path: Path) -> None:
    what = {"fail": True}
    with pytest.raises(RuntimeError, match="out of memory"):
        run(cfg(tmp_path, what=what, progress=False))
    assert len((tmp_path / "bench.csv").read_text().splitlines()) == 3


def test_nothing_to_measure_and_wrong_threads(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"what: got nothing to measure, expected one of .*what=tower"):
        run(cfg(tmp_path, what=None))
    for wrong in (0, "many", 1.5):
        with pytest.raises(UsageError, match=r"threads: got .*, expected a whole number >= 1"):
            run(cfg(tmp_path, threads=wrong))
    node = OmegaConf.load(plugins.options("what")["tower"])
    with pytest.raises(ConfigError, match=r"what.sizes: siglip_base takes multiples of 224 pixels; got 100"):
        run(cfg(tmp_path, what={**node, "sizes": [100]}))
    with pytest.raises(ConfigError, match=r"what.share: TowerBench has no such key"):
        run(cfg(tmp_path, what={**node, "share": 1}))


@pytest.mark.parametrize("name", plugins.options("what"))
def test_every_option_is_a_profile_with_a_test(name: str) -> None:
    target = str(OmegaConf.load(plugins.options("what")[name])["_target_"])
    assert issubclass(get_class(target), Bench)
    *folder, stem, _ = target.split(".")
    assert (ROOT / "tests").joinpath(*folder, f"test_{stem}.py").is_file()
