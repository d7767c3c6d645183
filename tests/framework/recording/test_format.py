"""What is written is what is read: groups, scores, signals, logits, tokens, whatever their sizes."""

from __future__ import annotations

import errno
import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from framework.core.errors import UsageError
from framework.core.types import Group, Scores, Tokens
from framework.recording.file import RecordingFile
from framework.recording.format import Entry, Parked, Recording, checksum, fingerprint
from framework.recording.logits import CompactLogits
from framework.testing.toys import OPEN_QUESTION, QUESTION, timeline, tokens

MINUS = -torch.inf


def logits(rows: int, vocabulary: int, seed: int) -> torch.Tensor:
    return torch.randn(rows, vocabulary, generator=torch.Generator().manual_seed(seed))


def some_tokens(group: Group, places: list[int]) -> Tokens:
    """Of a group, as bfloat16 with something extra per token."""
    made = tokens(group.ticks, group.index)[torch.tensor(places, dtype=torch.long)]
    return replace(made, embeddings=made.embeddings.bfloat16(), extra={"deep": made.embeddings[:, :2]})


@pytest.fixture(params=[32, 700])
def recording(request: pytest.FixtureRequest) -> Recording:
    """Two questions, three groups of 3, 2 and 1 ticks (12 tokens each); the open question never came to the last."""
    vocabulary, option_ids = request.param, torch.tensor([4, 5, 6, 7])
    groups = [
        Group(0, torch.tensor([0, 2, 4]), 0.5),
        Group(1, torch.tensor([1, 5])),
        Group(2, torch.tensor([3]), 2.0),
    ]
    none = torch.zeros(0, dtype=torch.long)

    def entry(question: str, group: int, rows: int, options: torch.Tensor) -> Entry:
        scores = torch.arange(12.0 * len(groups[group])) - group
        scores[3] = MINUS
        said = tuple(range(10, 10 + rows - 1))
        compact = CompactLogits.of(logits(rows, vocabulary, group), torch.cat([options, torch.tensor(said).long()]))
        errors = torch.linspace(1.0, 0.1, 3 + group)
        signals = {"rho": 0.25} if group else {}
        return Entry(question, group, Scores(scores, signals, errors), compact, said, options)

    return Recording(
        timeline=timeline(6, "film.mp4"),
        groups=groups,
        questions=(QUESTION, OPEN_QUESTION),
        size=(24, 32),
        tokens_per_tick=12,
        most=5,
        vocabulary=vocabulary,
        entries=[
            *(entry("toy", group, 1, option_ids) for group in range(3)),
            *(entry("toy-open", group, 3 - group, none) for group in range(2)),
        ],
        parked={
            0: Parked(36, torch.tensor([1, 2, 35]), some_tokens(groups[0], [1, 2, 35])),
            1: Parked(24, none, some_tokens(groups[1], [])),
            2: Parked(12, torch.tensor([11]), some_tokens(groups[2], [11])),
        },
    )


@pytest.fixture
def read(recording: Recording, tmp_path: Path) -> RecordingFile:
    recording.write(tmp_path / "deep" / "film.safetensors")
    return RecordingFile(tmp_path / "deep" / "film.safetensors")


def test_the_video_comes_back(recording: Recording, read: RecordingFile) -> None:
    found = read.timeline("moved.mp4")
    assert found.path == "moved.mp4" and torch.equal(found.frames, recording.timeline.frames)
    assert torch.equal(found.seconds, recording.timeline.seconds)
    assert [(g.index, g.ticks.tolist(), g.hint) for g in read.groups] == [
        (0, [0, 2, 4], 0.5),
        (1, [1, 5], None),
        (2, [3], 2.0),
    ]
    assert read.encoded == [36, 24, 12]
    assert read.header["size"] == [24, 32] and read.header["most"] == 5 and read.header["tokens_per_tick"] == 12
    assert read.header["questions"] == {"toy": fingerprint(QUESTION), "toy-open": fingerprint(OPEN_QUESTION)}


def test_damage_comes_back_and_is_absent_from_recordings_of_healthy_videos(
    recording: Recording, read: RecordingFile, tmp_path: Path
) -> None:
    assert read.damaged == [0, 0, 0] and "groups.damaged" not in load_file(read.path)
    parked = {**recording.parked, 1: replace(recording.parked[1], damaged=2)}
    replace(recording, parked=parked).write(tmp_path / "damaged.safetensors")
    assert RecordingFile(tmp_path / "damaged.safetensors").damaged == [0, 2, 0]


def test_cells_come_back(recording: Recording, read: RecordingFile) -> None:
    for entry in recording.entries:
        found = read.entry(entry.question, entry.group)
        assert found is not None and found.logits is not None and entry.logits is not None
        assert torch.equal(found.scores.values, entry.scores.values) and found.scores.values.dtype == torch.float32
        assert found.scores.signals == entry.scores.signals and found.response == entry.response
        assert found.scores.errors is not None and torch.equal(found.scores.errors, entry.scores.errors)
        assert found.option_ids is not None and entry.option_ids is not None
        assert found.option_ids.tolist() == entry.option_ids.tolist()
        assert torch.equal(found.logits.full(recording.vocabulary), entry.logits.full(recording.vocabulary))
    assert read.entry("toy-open", 2) is None and read.entry("nobody", 0) is None


def test_tokens_come_back(recording: Recording, read: RecordingFile) -> None:
    for index, parked in recording.parked.items():
        places, rows = read.parked(index)
        assert torch.equal(places, parked.places)
        found, wanted = read.tokens(rows), parked.tokens
        assert wanted is not None and found.embeddings.dtype == torch.bfloat16
        for name in ("embeddings", "tick", "row", "column", "seconds"):
            assert torch.equal(getattr(found, name), getattr(wanted, name))
        assert torch.equal(found.extra["deep"], wanted.extra["deep"])


def test_without_logits_and_without_tokens(recording: Recording, tmp_path: Path) -> None:
    bare = {"logits": None, "option_ids": None, "response": ()}
    entries = [replace(entry, scores=replace(entry.scores, errors=None), **bare) for entry in recording.entries]
    parked = {0: Parked(0, torch.zeros(0, dtype=torch.long), None)}
    replace(recording, entries=entries[:1], parked=parked, vocabulary=0).write(tmp_path / "bare.safetensors")
    read = RecordingFile(tmp_path / "bare.safetensors")
    found = read.entry("toy", 0)
    assert found is not None and found.logits is None and found.scores.errors is None
    assert torch.equal(found.scores.values, entries[0].scores.values)
    assert len(read.parked(0)[0]) == 0 and read.encoded == [0, 0, 0]


def test_a_recording_of_every_usable_token_has_no_limit(recording: Recording, tmp_path: Path) -> None:
    everything = {
        group.index: Parked(12 * len(group), torch.arange(12 * len(group)), tokens(group.ticks, 0))
        for group in recording.groups
    }
    replace(recording, parked=everything).write(tmp_path / "all.safetensors")
    assert RecordingFile(tmp_path / "all.safetensors").header["most"] is None


def test_a_file_is_whole_or_absent(recording: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def torn(tensors: object, path: Path, metadata: object) -> None:
        path.write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr("framework.recording.format.save_file", torn)
    with pytest.raises(OSError, match="no space"):
        recording.write(tmp_path / "film.safetensors")
    assert list(tmp_path.iterdir()) == []


def everything(read: RecordingFile, questions: tuple[str, ...] = ("toy", "toy-open")) -> str:
    """All that can be read of a recording, as text."""
    told: list[object] = [read.header["questions"], read.timeline("x"), read.groups, read.encoded]
    for group in range(3):
        told += [read.entry(question, group) for question in questions]
        places, rows = read.parked(group)
        told += [places, *vars(read.tokens(rows)).values()]
    values = [one.tolist() if isinstance(one, torch.Tensor) else one for one in told]
    return repr([(value, vars(value) if isinstance(value, Entry) else "") for value in values])


def test_a_flipped_bit_is_found_wherever_it_is(read: RecordingFile, tmp_path: Path) -> None:
    whole, before = read.path.read_bytes(), everything(read)
    for place in range(8, len(whole), 97):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        (tmp_path / "damaged.safetensors").write_bytes(damaged)
        try:
            found = everything(RecordingFile(tmp_path / "damaged.safetensors"))
        except UsageError as error:
            assert "damaged.safetensors" in str(error) and "remove it, and the command that recorded it" in str(error)
        else:
            assert found == before, f"byte {place} was read without a word"


def test_a_checksum_is_of_bits_type_and_shape() -> None:
    zero, one = torch.zeros(4, dtype=torch.int64), torch.tensor([0, 0, 0, 1])
    others = [one, zero.double(), zero.view(2, 2), zero[:3], zero[:0]]
    assert len({checksum(tensor) for tensor in (zero, *others)}) == 6
    assert checksum(zero.clone()) == checksum(zero) and checksum("a") != checksum("b")


def test_recordings_without_checksums_are_read(read: RecordingFile, tmp_path: Path) -> None:
    with safe_open(read.path, "pt") as file:
        header = {key: value for key, value in json.loads(file.metadata()["probes"]).items() if key != "sums"}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 no mapping
    save_file(tensors, tmp_path / "before.safetensors", {"probes": json.dumps(header)})
    assert everything(RecordingFile(tmp_path / "before.safetensors")) == everything(read)


def test_a_full_disk_is_the_error_of_any_file(recording: Recording, tmp_path: Path, monkeypatch: Any) -> None:
    def full(tensors: object, path: Path, metadata: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("framework.recording.format.save_file", full)
    with pytest.raises(OSError, match="No space left") as caught:
        recording.write(tmp_path / "film.safetensors")
    assert caught.value.errno == errno.ENOSPC and list(tmp_path.iterdir()) == []


def test_others_may_read_it(read: RecordingFile) -> None:
    plain = read.path.parent / "plain"
    plain.touch()
    assert stat.S_IMODE(read.path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_another_format_is_refused(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "old.safetensors", {"probes": json.dumps({"format": 0})})
    with pytest.raises(UsageError, match="has format 0, expected 1"):
        RecordingFile(tmp_path / "old.safetensors")


def test_a_fingerprint_changes_with_every_word() -> None:
    changes = {"prompt": QUESTION.prompt + " ", "cue": "It is", "max_new_tokens": 2, "bare": "shown ?"}
    assert len({fingerprint(replace(QUESTION, **{key: value})) for key, value in changes.items()}) == 4
    assert fingerprint(replace(QUESTION, id="other")) == fingerprint(QUESTION)
