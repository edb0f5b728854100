"""The reader of PyTorch's legacy format: right arrays from a file written here, and nothing in it is called."""

import collections
import hashlib
import io
import pickle
import sys
from types import ModuleType

import numpy as np
import pytest

from lumbar.backbones import state_dict
from lumbar.core.errors import WeightsError

STORAGES = {
    "7": ("FloatStorage", np.arange(24, dtype="<f4") / 8),
    "8": ("LongStorage", np.array([5, 2**40], "<i8")),
}
TENSORS = {
    "conv.weight": ("7", 0, (2, 3, 2), (6, 2, 1)),
    "conv.weight, axes turned": ("7", 0, (2, 3, 4), (1, 2, 6)),
    "a part": ("7", 20, (2, 2), (2, 1)),
    "a number": ("8", 1, (), ()),
}
HEAD = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True, "protocol_version": 1001})


class Storage:
    """What a pickle refers to by a persistent id."""

    def __init__(self, key, count=None):
        self.key, self.count = key, count


class Call:
    """An object whose pickle is the call of a function."""

    def __init__(self, function, *arguments):
        self.called = function, arguments

    def __reduce__(self):
        return self.called


class Pickler(pickle.Pickler):
    def persistent_id(self, obj):
        if not isinstance(obj, Storage):
            return None
        kind, numbers = STORAGES[obj.key]
        return ("storage", getattr(sys.modules["torch"], kind), obj.key, "cpu", obj.count or len(numbers), None)


@pytest.fixture
def rebuild(monkeypatch):
    """PyTorch's function of that name, in place of which the pickle names one that does nothing."""

    def _rebuild_tensor_v2():
        raise AssertionError("called")

    torch, inside = ModuleType("torch"), ModuleType("torch._utils")
    for name in ("FloatStorage", "LongStorage", "HalfStorage"):
        setattr(torch, name, type(name, (), {"__module__": "torch"}))
    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = inside.__name__, "_rebuild_tensor_v2"
    inside._rebuild_tensor_v2 = _rebuild_tensor_v2
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", inside)
    return _rebuild_tensor_v2


def tensor(rebuild, key, offset, shape, strides, count=None):
    return Call(rebuild, Storage(key, count), offset, shape, strides, False, collections.OrderedDict())


def written(path, tensors, head=HEAD, keys=("7", "8")):
    """Write a file in the legacy format, and return it with its fingerprint."""
    stream = io.BytesIO()
    for part in (*head, tensors, list(keys)):
        Pickler(stream, protocol=2).dump(part)
    for key in keys:
        numbers = STORAGES[key][1]
        stream.write(len(numbers).to_bytes(8, "little") + numbers.tobytes())
    path.write_bytes(stream.getvalue())
    return path, hashlib.sha256(stream.getvalue()).hexdigest()


def state(rebuild):
    tensors = collections.OrderedDict((name, tensor(rebuild, *where)) for name, where in TENSORS.items())
    tensors._metadata = collections.OrderedDict(version=1)  # as PyTorch adds it
    return tensors


def test_the_tensors_are_those_that_were_written(rebuild, tmp_path):
    found = state_dict.read(*written(tmp_path / "net.pth", state(rebuild)))
    assert list(found) == list(TENSORS)
    numbers = STORAGES["7"][1]
    np.testing.assert_array_equal(found["conv.weight"], numbers[:12].reshape(2, 3, 2))
    np.testing.assert_array_equal(found["conv.weight, axes turned"], numbers.reshape(4, 3, 2).transpose())
    np.testing.assert_array_equal(found["a part"], numbers[20:].reshape(2, 2))
    assert found["a number"] == 2**40
    assert {name: each.dtype for name, each in found.items()} == dict.fromkeys(TENSORS, "f4") | {"a number": "i8"}


@pytest.mark.parametrize("what", [len, print, collections.Counter], ids=str)
def test_any_other_name_is_refused_before_it_is_called(what, rebuild, tmp_path, capsys):
    file = written(tmp_path / "net.pth", {"weight": Call(what, "harmless")}, keys=())
    with pytest.raises(WeightsError, match="a stranger's code") as refused:
        state_dict.read(*file)
    assert what.__name__ in refused.value.found
    assert capsys.readouterr().out == ""


def test_a_name_is_refused_in_every_part_of_the_file(rebuild, tmp_path):
    for place in range(3):
        head = [Call(len, "harmless") if place == order else part for order, part in enumerate(HEAD)]
        with pytest.raises(WeightsError, match="a stranger's code"):
            state_dict.read(*written(tmp_path / "net.pth", state(rebuild), head=head))


def test_a_file_other_than_the_published_one_is_refused(rebuild, tmp_path):
    file, digest = written(tmp_path / "net.pth", state(rebuild))
    with pytest.raises(WeightsError, match="not the published one") as refused:
        state_dict.read(file, digest[::-1])
    assert refused.value.found == digest
    with pytest.raises(WeightsError, match="cannot be read"):
        state_dict.read(tmp_path / "absent.pth", digest)


@pytest.mark.parametrize(
    "where",
    [
        pytest.param(("7", 0, (5, 5), (5, 1)), id="longer than its storage"),
        pytest.param(("7", 22, (2, 2), (2, 1)), id="begins too late"),
        pytest.param(("7", 4, (2,), (-8,)), id="backwards"),
        pytest.param(("7", -4, (2,), (1,)), id="before its storage"),
        pytest.param(("7", 0, (2,), (1,), 10**9), id="storage larger than the file"),
        pytest.param(("7", 0, (2,), (1,), 23), id="storage of another size"),
    ],
)
def test_a_tensor_that_its_storage_does_not_hold_is_damage(where, rebuild, tmp_path):
    with pytest.raises(WeightsError, match="damaged"):
        state_dict.read(*written(tmp_path / "net.pth", {"weight": tensor(rebuild, *where)}, keys=("7",)))


def test_a_file_that_ends_early_or_is_of_another_format_is_damaged(rebuild, tmp_path):
    whole = written(tmp_path / "net.pth", state(rebuild))[0].read_bytes()
    for content in (b"", b"PK\x03\x04", whole[:100], whole[:-4], b"\x80\x02K\x01." + whole):
        (tmp_path / "net.pth").write_bytes(content)
        with pytest.raises(WeightsError, match="damaged"):
            state_dict.read(tmp_path / "net.pth", hashlib.sha256(content).hexdigest())
