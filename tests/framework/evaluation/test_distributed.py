"""Who is in the world, from what a launcher says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from framework.core.errors import UsageError
from framework.evaluation import distributed as world
from framework.evaluation.distributed import World, join

LAUNCHERS = (
    "SUBMITIT_EXECUTOR",
    "LOCAL_WORLD_SIZE",
    "WORLD_SIZE",
    "RANK",
    "SLURM_NTASKS",
    "SLURM_NNODES",
    "SLURM_PROCID",
)


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in LAUNCHERS:
        monkeypatch.delenv(name, raising=False)


def test_one_process_needs_nothing() -> None:
    assert join(1, 1, "auto").first and join(1, 1, "cpu").size == 1


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, None),
        ({"LOCAL_WORLD_SIZE": "4", "WORLD_SIZE": "8"}, (4, 2)),
        ({"LOCAL_WORLD_SIZE": "2", "WORLD_SIZE": "2"}, (2, 1)),
        ({"SLURM_NTASKS": "8", "SLURM_NNODES": "2", "SLURM_PROCID": "3"}, (4, 2)),
        ({"SLURM_NTASKS": "1", "SLURM_PROCID": "0"}, None),  # one task: nothing to join
        ({"SLURM_NTASKS": "8", "SLURM_NNODES": "2"}, None),  # an allocation, but not started by srun
    ],
)
def test_what_launchers_announce(said: dict[str, str], expected: tuple[int, int] | None) -> None:
    assert world._launched(said) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 1, "cpu"), "world.devices and world.num_nodes must be >= 1, got 0 and 1"),
        ((2, 3, "cpu"), "world.num_nodes=3 needs a launcher"),
        ((2, 1, "tpu"), "world.accelerator must be auto, cpu or gpu, got 'tpu'"),
        ((999, 1, "gpu"), "world.devices=999, but this machine has"),
    ],
)
def test_impossible_worlds(arguments: tuple[int, int, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        join(*arguments)


def test_a_local_submitit_job_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBMITIT_EXECUTOR", "local")
    with pytest.raises(UsageError, match=r"world\.devices=2 under launcher=submitit_local"):
        join(2, 1, "cpu")


def test_several_devices_start_again_under_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []

    def execv(program: str, words: list[str]) -> None:
        started.append(words)
        assert "HYDRA_FULL_ERROR" not in os.environ  # which the command sets for itself: the copies are not debugged
        raise SystemExit

    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    monkeypatch.setattr(world.os, "execv", execv)
    monkeypatch.setattr(world.sys, "orig_argv", ["python", "bin/sieve", "eval", "preset=uniform", "world.devices=2"])
    with pytest.raises(SystemExit):
        join(2, 1, "cpu")
    assert started[0][1:3] == ["-m", "torch.distributed.run"] and "2" in started[0]
    assert started[0][-5:] == ["-m", "framework.cli", "eval", "preset=uniform", "world.devices=2"]


def test_the_first_is_rank_zero() -> None:
    assert World().first and not World(rank=1, size=2).first


def test_a_folder_is_looked_at_before_the_launcher_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def taken() -> None:
        raise UsageError("another run writes there")

    monkeypatch.setattr(world.os, "execv", lambda program, words: pytest.fail("started"))
    with pytest.raises(UsageError, match="another run"):
        join(2, 1, "cpu", taken)


RANK = "from framework.evaluation.distributed import end_with_parent as e; e(); print('on', flush=True); input()"
LAUNCHER = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[1]]).wait()"


def test_a_process_ends_with_its_launcher() -> None:
    root = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    words = [sys.executable, "-c", LAUNCHER, RANK]
    launcher = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=root)
    assert launcher.stdout is not None and launcher.stdout.readline() == b"on\n"
    launcher.kill()
    launcher.wait()
    assert launcher.stdout.read() == b""  # comes to an end only when the rank has closed it
    assert launcher.stdin is not None
    launcher.stdin.close()
