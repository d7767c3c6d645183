"""One writer per run folder, and the lock ends with its holder."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from framework.core.errors import UsageError
from framework.evaluation.distributed import World
from framework.evaluation.lock import check_free, hold

HOLDER = (
    "import sys; from pathlib import Path; from framework.evaluation.lock import hold;"
    "folder = Path(sys.argv[1]);\nwith hold(folder): print('held', flush=True); sys.stdin.read()"
)


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds tmp_path/run until its standard input ends."""
    words = [sys.executable, "-c", HOLDER, str(tmp_path / "run")]
    root = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=root)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_writer_is_told_who_writes(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    said = rf"run is being written by another run: process {holder.pid} on {socket.gethostname()} since \d{{4}}-"
    with pytest.raises(UsageError, match=said), hold(tmp_path / "run"):
        pass
    with pytest.raises(UsageError, match=r"hydra\.run\.dir"):
        check_free(tmp_path / "run")
    check_free(tmp_path / "another")


def test_a_kill_frees_the_folder(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with hold(tmp_path / "run"):
        assert f"process {os.getpid()} on" in (tmp_path / "run" / ".lock").read_text()


def test_the_processes_of_a_run_share_the_lock_until_the_last_has_ended(tmp_path: Path) -> None:
    second = hold(tmp_path, World(1, 2))
    first = hold(tmp_path, World(0, 2, second.__enter__))  # the second comes in as soon as the first is at the barrier
    first.__enter__()
    first.__exit__(None, None, None)
    with pytest.raises(UsageError, match="another run"):
        check_free(tmp_path)  # an orphan is still there
    second.__exit__(None, None, None)
    check_free(tmp_path)


def test_where_files_cannot_be_locked_a_warning_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(file: object, kind: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with hold(tmp_path):
        assert "cannot be locked here" in caplog.text
