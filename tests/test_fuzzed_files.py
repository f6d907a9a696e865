"""Thousands of damaged files: each is read or refused, without code, crashes, or memory that it does not have.

Some are read: a few bytes of an archive mean nothing, and the other formats have no checksums for their numbers.
"""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import settings

import autodiff as ad
from tests.test_damaged_files import archive, legacy, little_memory, load, safetensors

Change = Callable[[bytearray, Random], None]


def truncate(data: bytearray, random: Random) -> None:
    del data[random.randrange(len(data)) :]


def flip_bits(data: bytearray, random: Random) -> None:
    for _ in range(random.choice([1, 1, 2, 8, 64])):
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def overwrite(data: bytearray, random: Random) -> None:
    place = random.randrange(len(data))
    data[place : place + 8] = random.choice(
        [b"\xff" * 8, bytes(8), b"\xff" * 4, b"\x7f", b"\x80\x02", b"R", b"cos\nsystem\n", random.randbytes(4)]
    )


def remove(data: bytearray, random: Random) -> None:
    place = random.randrange(len(data))
    del data[place : place + random.choice([1, 2, 10, 100])]


def repeat(data: bytearray, random: Random) -> None:
    place, other = random.randrange(len(data)), random.randrange(len(data))
    data[other:other] = data[place : place + random.choice([1, 8, 100, 1000])]


def change_the_pickle(data: bytearray, random: Random) -> None:
    """With checksums that fit, so that the machine sees the change; data that is no archive is only changed."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as made:
            entries = {entry.filename: made.read(entry) for entry in made.infolist()}
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError):
        return flip_bits(data, random)
    pickled = bytearray(entries.pop("archive/data.pkl", b"N."))
    for _ in range(random.choice([1, 2, 4])):
        random.choice([truncate, flip_bits, overwrite, remove, repeat])(pickled, random)
        pickled = pickled or bytearray(b".")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for path, content in {"archive/data.pkl": bytes(pickled), **entries}.items():
            made.writestr(path, content)
    data[:] = file.getvalue()


CHANGES: list[Change] = [truncate, flip_bits, overwrite, remove, repeat, change_the_pickle, change_the_pickle]


def touch(value: Any) -> None:
    """Read every number of what was loaded."""
    if isinstance(value, ad.Tensor):
        if value.numel() < 100_000:
            value.array.sum()
    elif isinstance(value, dict):
        for part in value.values():
            touch(part)
    elif isinstance(value, list | tuple):
        for part in value:
            touch(part)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy, about numbers that became infinite
@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")  # of zipfile
def test_ten_thousand_damaged_files_are_read_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    originals = [archive(), legacy(), safetensors(tmp_path)]
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    random = Random(0 if settings().derandomize else None)
    messages = []
    count = 100 * settings().max_examples  # 10,000 in `make test`, 200,000 in `make test-deep`
    with little_memory():
        for i in range(count):
            data = bytearray(originals[i % 3])
            random.choice(CHANGES)(data, random)
            try:
                touch(load(bytes(data)))
            except (ValueError, TypeError) as error:
                messages.append(str(error))
    assert all(message.startswith("load: ") for message in messages)
    assert count / 2 < len(messages) < count
    assert sorted(tmp_path.iterdir()) == before
