"""The highest use of memory: read again and again, and in a process of its own."""

from __future__ import annotations

import mmap
import subprocess
import threading

import pytest

from framework.benchmarks.base import VideoItem
from framework.profiling import peak
from framework.profiling.peak import Peak
from framework.testing import toys


def test_the_peak_is_kept_for_each_kind() -> None:
    readings, done = [Peak(5, 6), Peak(9, 9), Peak(2, 11), Peak(3, 4)], threading.Event()

    def read() -> Peak:
        if len(readings) == 1:
            done.set()
        return readings.pop(0) if len(readings) > 1 else readings[0]

    with peak.watching(read) as found:
        assert done.wait(10)
    assert found == [Peak(9, 11)]


@pytest.mark.skipif(not peak.STATUS.is_file(), reason="only Linux says what a process uses")
def test_shared_memory_is_the_spools() -> None:
    size = 2**25
    before = peak.used()
    own = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)  # not from a heap that has room left
    own.write(bytes(size))
    after = peak.used()
    assert after.anonymous - before.anonymous >= 0.9 * size
    shared = mmap.mmap(-1, size)
    shared.write(bytes(size))
    grown = peak.used()
    assert (grown.with_spool - grown.anonymous) - (after.with_spool - after.anonymous) >= 0.9 * size
    own.close()
    shared.close()


@pytest.mark.skipif(not peak.STATUS.is_file(), reason="only Linux says what a process uses")
def test_a_process_of_its_own(needle_video: VideoItem) -> None:
    found = peak.of_process("adapttoken", needle_video.path, [needle_video.items[0].question], 64)
    assert 2**26 < found.anonymous <= found.with_spool  # an interpreter with torch has more than 64 MB


@pytest.mark.parametrize(
    ("said", "last"), [("Traceback\nOSError: no disk\n", "OSError: no disk"), ("", "it was killed")]
)
def test_a_process_that_fails(said: str, last: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 9, "", said))
    with pytest.raises(RuntimeError, match=rf"^the process that answered about 64 frames failed \(9\): {last}$"):
        peak.of_process("adapttoken", "film.mp4", [toys.QUESTION], 64)
