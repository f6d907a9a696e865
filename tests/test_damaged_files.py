"""Files that are damaged, or made to do harm: always a clear error, nothing executed, no memory that is not there.

PyTorch is not needed: the archive of `save` is its format, and the older one is put together here.
"""

import io
import os
import pickle
import resource
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autodiff as ad
from autodiff.serialization.torch_reading import _MAGIC, _VERSION
from autodiff.serialization.torch_writing import _Blocks, _Pickler, _tensors


def state() -> Any:
    matrix = ad.arange(12.0).reshape(3, 4)
    return OrderedDict(
        weight=matrix,
        row=matrix[1],
        flags=ad.tensor([True, False]),
        more={1: (ad.ones(2, dtype=ad.int64), None, True, -3, 0.5), "text": ["é", []], "dtype": ad.float32},
    )


def archive() -> bytes:
    file = io.BytesIO()
    ad.save(state(), file)
    return file.getvalue()


def legacy() -> bytes:
    """What ``torch.save(..., _use_new_zipfile_serialization=False)`` writes."""
    content = state()
    blocks = _Blocks(_tensors(content, "", 0))
    system = {"protocol_version": _VERSION, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    parts = [pickle.dumps(part, 2) for part in (_MAGIC, _VERSION, system)]
    parts += [
        _Pickler(blocks).pickled(content).replace(b"tQ", b"NtQ"),
        pickle.dumps([str(block.key) for block in blocks], 2),
    ]
    for block in blocks:
        parts += [struct.pack("<q", len(block)), block.numbers().tobytes()]
    return b"".join(parts)


def safetensors(tmp_path: Path) -> bytes:
    ad.save(state(), tmp_path / "x.safetensors")
    return (tmp_path / "x.safetensors").read_bytes()


def load(data: bytes) -> Any:
    return ad.load(io.BytesIO(data))


def zipped(pickled: bytes, **entries: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for name, content in {"x/data.pkl": pickled, **entries}.items():
            made.writestr(name, content)
    return file.getvalue()


@contextmanager
def little_memory(megabytes: int = 300) -> Iterator[None]:
    """No more memory than this on top of what is in use: MemoryError."""
    if not Path("/proc/self/statm").exists():
        pytest.skip("asks Linux how much memory is in use")
    limits = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + megabytes * 2**20, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


def test_the_three_formats_hold_the_same(tmp_path: Path) -> None:
    for data in (archive(), legacy(), safetensors(tmp_path)):
        found = load(data)
        assert repr(found) == repr(state())
    for data in (archive(), legacy()):
        found = load(data)
        found["weight"][1, 0] = 7.0
        assert found["row"][0].item() == 7.0


# Pickles that ask for more than they may.


def name(full: str) -> bytes:
    module, _, function = full.rpartition(".")
    return f"c{module}\n{function}\n".encode()


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


REBUILD = name("torch._utils._rebuild_tensor_v2")
HOSTILE = {
    "os.system": (name("os.system") + text("touch harm") + b"\x85R", r"asks for os\.system"),
    "posix.system by the stack": (text("posix") + text("system") + b"\x93" + text("touch harm") + b"\x85R", "posix"),
    "eval": (name("builtins.eval") + text("open('harm', 'w')") + b"\x85R", r"builtins\.eval"),
    "eval of Python 2": (name("__builtin__.eval") + text("1") + b"\x85R", r"builtins\.eval"),
    "exec": (name("builtins.exec") + text("open('harm', 'w')") + b"\x85R", r"builtins\.exec"),
    "getattr": (name("builtins.getattr") + REBUILD + text("__globals__") + b"\x86R", r"builtins\.getattr"),
    "an attribute of what is admitted": (b"ctorch._utils\n_rebuild_tensor_v2.__globals__\n", "__globals__"),
    "an attribute, by the stack": (text("collections") + text("OrderedDict.__init__") + b"\x93", "__init__"),
    "a relative name": (b"ccollections\n\n", r"asks for collections\.,"),
    "a module of this engine": (name("autodiff.serialization.rebuilding.rebuilt"), "asks for autodiff"),
    "INST": (b"(" + text("touch harm") + b"ios\nsystem\n", "opcode b'i'"),
    "OBJ": (b"(" + name("collections.OrderedDict") + b"o", "opcode b'o'"),
    "NEWOBJ": (name("collections.OrderedDict") + b")\x81", r"opcode b'\\x81'"),
    "EXT": (b"\x82\x01", r"opcode b'\\x82'"),
    "a number as text": (b"I1\n", "opcode b'I'"),
    "no opcode": (b"\xff", "opcode"),
    "attributes of a function": (REBUILD + b"}" + text("__code__") + b"Nsb", "attributes for a Admitted"),
    "attributes of a function, as slots": (REBUILD + b"N}" + text("__defaults__") + b"Ns\x86b", "attributes"),
    "attributes of a dictionary": (
        name("collections.OrderedDict") + b")R}" + text("items") + b"Nsb",
        "attributes for a OrderedDict",
    ),
    "a call of a list": (b"])R", r"a call of \[\]"),
    "a call of what is only a name": (name("torch.FloatStorage") + b")R", "no function"),
    "a call with a list": (name("torch.Size") + b"]R", "no function"),
    "a call with too many": (name("torch.Size") + b"NN\x86R", r"arguments that torch\.Size does not take"),
    "a codec": (name("_codecs.encode") + text("a") + text("zlib_codec") + b"\x86R", "bytes that are not"),
    "bytes of a length": (name("builtins.bytes") + b"J\xff\xff\xff\x7f\x85R", "bytes that are not"),
    "something else outside": (text("module") + b"Q", "no storage"),
    "a list as a key": (b"}]Ns", "a list as a key"),
    "a tensor as a key": (b"}" + name("torch.FloatStorage") + b"Ns", "a Admitted as a key"),
    "a key without a value": (b"}(Nu", "without a value"),
    "entries of a number": (b"K\x01Na", "entries for a int"),
    "a mark as a value": (b"(q\x00", "a mark"),
    "a mark in a tuple": (b"(\x85", "a mark"),
    "nothing on the stack": (b"", "IndexError"),
    "nothing in the memo": (b"h\x05", "KeyError"),
    "a string of 2**62 bytes": (b"\x8d" + struct.pack("<Q", 2**62), "bytes early"),
    "a string of less than none": (b"T\xff\xff\xff\xff", "early"),
    "an endless name": (b"cos" + b"x" * 5000, "no end"),
    "text that is none": (b"U\x01\xff", "decode"),
}


@pytest.mark.parametrize("form", ["archive", "legacy"])
@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_pickles_are_refused_by_name(
    case: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    body, message = HOSTILE[case]
    pickled = b"\x80\x02" + body + b"."
    data = zipped(pickled)
    if form == "legacy":
        data = b"".join(pickle.dumps(part, 2) for part in (_MAGIC, _VERSION, {"little_endian": True})) + pickled
    (tmp_path / "x.pt").write_bytes(data)
    with pytest.raises(ValueError, match=rf"(?s)load: x\.pt cannot be read: .*{message}"):
        ad.load("x.pt", weights_only=False)
    assert [path.name for path in tmp_path.iterdir()] == ["x.pt"]


@pytest.mark.parametrize(
    ("state", "place"),
    [
        ([Path("x")], "0"),
        ({"a": 1, "b": Path("x")}, "b"),
        ({"state": {0: {"step": [1, Path("x")]}, 1: 2}}, r"state\.0\.step\.1"),
        ({**dict.fromkeys(range(1500)), "last": Path("x")}, "last"),
    ],
)
def test_what_is_refused_is_found_by_its_place(state: Any, place: str, tmp_path: Path) -> None:
    (tmp_path / "x.pt").write_bytes(zipped(pickle.dumps(state, 2)))
    with pytest.raises(ValueError, match=rf"read: at {place}, it asks for pathlib.*, which is no tensor"):
        ad.load(tmp_path / "x.pt")


def tensor(count: int, offset: int, size: bytes, stride: bytes, key: str = "0", kind: str = "Float") -> bytes:
    """The opcodes of a tensor; `size` and `stride` are those of tuples."""
    number = b"\x8a\x08" + struct.pack("<q", count)
    storage = b"(" + text("storage") + name(f"torch.{kind}Storage") + text(key) + text("cpu") + number + b"tQ"
    return REBUILD + b"(" + storage + b"\x8a\x08" + struct.pack("<q", offset) + size + stride + b"\x89NtR"


def lengths(*values: int) -> bytes:
    return b"(" + b"".join(b"\x8a\x08" + struct.pack("<q", value) for value in values) + b"t"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (tensor(4, 1, lengths(4), lengths(1)), "5 numbers in a storage of 4"),
        (tensor(4, 0, lengths(2, 2), lengths(3, 1)), "5 numbers in a storage of 4"),
        (tensor(4, -1, lengths(2), lengths(1)), "-1 as offset"),
        (tensor(4, 3, lengths(2), lengths(-1)), "-1 as offset, length or stride"),
        (tensor(4, 0, lengths(2), lengths(1, 1)), "more dimensions than strides"),
        (tensor(4, 0, lengths(2**62), lengths(2**62)), "as offset, length or stride"),
        (tensor(4, 0, lengths(2**61, 2**61), lengths(0, 0)), "too big|too large|maximum"),
        (tensor(4, 0, b"K\x01", lengths(1)), "not as PyTorch writes"),
        (tensor(2**40, 0, lengths(1), lengths(1)), "storage 0 is missing or not as long"),
        (tensor(4, 0, lengths(1), lengths(1), key="../../secret"), "secret is missing"),
        (tensor(4, 0, lengths(1), lengths(1), key="9"), "storage 9 is missing"),
        (tensor(4, 0, lengths(1), lengths(1), kind="Double"), "not as long as 4 numbers"),
        (
            tensor(4, 0, lengths(1), lengths(1)) + tensor(4, 0, lengths(1), lengths(1), kind="Int"),
            "two kinds",
        ),
        (tensor(4, 0, lengths(*[1] * 33), lengths(*[1] * 33)), "dimensions"),
    ],
)
def test_tensors_stay_in_their_storage(body: bytes, message: str) -> None:
    with little_memory(), pytest.raises(ValueError, match=message):
        load(zipped(b"\x80\x02" + body + b".", **{"x/data/0": bytes(16)}))


def copies(count: int) -> bytes:
    """A text of 100 kB, encoded again and again."""
    once = text("x" * 100_000) + b"q\x00" + text("latin1") + b"q\x01" + name("_codecs.encode") + b"q\x02"
    return b"(" + once + b"h\x02h\x00h\x01\x86R" * count + b"t"


@pytest.mark.parametrize(
    "body",
    [
        copies(20_000),
        b"]" + b"N" * 0 + b"r\xff\xff\xff\xff",
        b"\x8e" + struct.pack("<Q", 2**40),
        b"(" + b"](" * 1000 + b"t",
        b"]q\x00(" + b"N" * 50_000 + b"e0(" + (name("torch.Size") + b"h\x00\x85R") * 5000 + b"t",
    ],
    ids=["copies", "memo", "length", "marks", "sizes"],
)
def test_no_memory_that_the_file_does_not_have(body: bytes) -> None:
    with little_memory(), suppress(ValueError):
        load(zipped(b"\x80\x02" + body + b"."))


def test_what_is_deep_is_read_and_freed() -> None:
    found = load(zipped(b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b"."))
    assert len(found) == 1
    del found
    with pytest.raises(ValueError, match="a tuple as a key"):
        load(zipped(b"\x80\x02}" + b")" + b"\x85" * 200_000 + b"Ns."))


def test_storages_of_the_older_format_are_compared_with_the_file() -> None:
    start = b"".join(pickle.dumps(part, 2) for part in (_MAGIC, _VERSION, {"little_endian": True}))
    keys = pickle.dumps(["0"], 2)
    huge = start + b"\x80\x02" + tensor(2**36, 0, lengths(1), lengths(1)) + b"." + keys + struct.pack("<q", 2**36)
    with little_memory(), pytest.raises(ValueError, match="longer than the file"):
        load(huge)
    with pytest.raises(ValueError, match="storage 2 is cut off"):
        load(legacy()[:-1])
    with pytest.raises(ValueError, match="the storages that it names"):
        load(start + b"\x80\x02N." + keys)
    with pytest.raises(ValueError, match=r"not one of torch\.save"):
        load(pickle.dumps({"x": 1}, 2))
    with pytest.raises(ValueError, match="highest byte first"):
        load(b"".join(pickle.dumps(part, 2) for part in (_MAGIC, _VERSION, {"little_endian": False})))


# Archives.


def test_archives_that_are_compressed_or_longer_than_their_file_are_refused() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("x/data.pkl", b"\x80\x02N.")
        made.writestr("x/data/0", bytes(200_000_000))
    with little_memory(100), pytest.raises(ValueError, match=r"x/data\.pkl is compressed"):
        load(file.getvalue())
    data = zipped(b"\x80\x02N.", **{f"x/data/{i}": bytes(10) for i in range(3)})
    bomb = data.replace(struct.pack("<II", 10, 10), struct.pack("<II", 2**31, 2**31))
    with little_memory(), pytest.raises(ValueError, match="longer than the file"):
        load(bomb)


def test_names_that_lead_elsewhere_lead_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = {"../../harm": b"1", "/tmp/harm": b"1", "x/../../harm": b"1"}
    assert load(zipped(b"\x80\x02K\x05.", **names)) == 5
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("entries", [{}, {"a/data.pkl": b"", "b/data.pkl": b""}])
def test_archives_of_something_else_are_refused(entries: dict[str, bytes]) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("readme", b"")
        for path, content in entries.items():
            made.writestr(path, content)
    with pytest.raises(ValueError, match=r"torch\.save did not write it"):
        load(file.getvalue())


def test_a_changed_number_in_an_archive_is_noticed() -> None:
    data = bytearray(archive())
    place = data.index(np.float32(5.0).tobytes())
    data[place] ^= 1
    with pytest.raises(ValueError, match="CRC"):
        load(bytes(data))


# Safetensors.


def header(content: bytes) -> bytes:
    return struct.pack("<Q", len(content)) + content


ENTRY = b'{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"__metadata__":{"autodiff.tree":%s}}'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 7,
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 2**40) + b"{}",
        struct.pack("<Q", 100) + b"{}",
        header(b"[]"),
        header(b"{" * 10_000),
        header(b'{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'),
        header(b'{"x":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4]}}') + bytes(4),
        header(b'{"x":{"dtype":"F32","shape":[4294967296,4294967296,0],"data_offsets":[0,0]}}'),
        header(b'{"x":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}') + bytes(4),
        header(b'{"x":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}') + bytes(4),
        header(
            b'{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"y":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
        )
        + bytes(4),
        *(
            header(ENTRY % tree) + bytes(4)
            for tree in (
                b'"{"',
                b'"{\\"tensor\\": \\"y\\"}"',
                b'"{\\"tensor\\": [1]}"',
                b'"{\\"os.system\\": []}"',
                b'"{}"',
                b'"{\\"dict\\": 1}"',
                b'"{\\"dict\\": [[[], 1]]}"',
                b'"{\\"dtype\\": \\"O\\"}"',
                b'"{\\"float\\": \\"1e5\\"}"',
                b'"{\\"tuple\\": 5}"',
                b'"' + b"[" * 100_000 + b'"',
                b'"1' + b"0" * 5000 + b'"',
                b"1",
            )
        ),
    ],
)
def test_damaged_safetensors_are_refused(data: bytes) -> None:
    with little_memory(), pytest.raises(ValueError, match=r"load: the file|load: the tree in the metadata"):
        load(data)
