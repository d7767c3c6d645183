"""Ctrl-C where Python drops the KeyboardInterrupt: it is raised again at the next boundary. A second one kills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from framework.core.interrupt import asked, heed, listening

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class Fragile:
    """Meets Ctrl-C while it is destroyed, where Python drops every exception."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


def test_a_swallowed_interruption_is_raised_again() -> None:
    with listening():
        heed()
        del (fragile := [Fragile()])[0]
        assert not fragile and asked()  # the KeyboardInterrupt is gone
        with pytest.raises(KeyboardInterrupt):
            heed()
    assert not asked() and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    heed()


def test_elsewhere_it_is_raised_at_once() -> None:
    with listening(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_what_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with listening():
            signal.raise_signal(signal.SIGINT)
            assert not asked()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_thread_leaves_signals_alone() -> None:
    seen = []

    def work() -> None:
        with listening():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]


TWICE = """
import signal
from framework.core.interrupt import listening
with listening():
    for _ in range({times}):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            print("first", flush=True)
"""


@pytest.mark.parametrize(("times", "status"), [(1, 0), (2, -signal.SIGINT)])
def test_a_second_one_kills(times: int, status: int) -> None:
    program = [sys.executable, "-c", TWICE.format(times=times)]
    ended = subprocess.run(program, capture_output=True, text=True, env={**os.environ}, check=False)
    assert (ended.returncode, ended.stdout) == (status, "first\n")
