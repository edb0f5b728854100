"""The tests are shuffled by the seed, and a run tells which of them fell."""

import itertools
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conftest import SEED
from tests.stress import orders


def shuffled(seed: int, monkeypatch) -> list[tuple[str, int]]:
    monkeypatch.setenv(SEED, str(seed))
    items = [SimpleNamespace(path=Path(module), number=number) for module in "abc" for number in range(8)]
    orders.pytest_collection_modifyitems(items)
    return [(item.path.name, item.number) for item in items]


def test_each_seed_has_an_order_of_its_own_and_modules_stay_whole(monkeypatch):
    first = shuffled(1, monkeypatch)
    assert sorted(first) == [(module, number) for module in "abc" for number in range(8)]
    assert first == shuffled(1, monkeypatch)
    assert len({tuple(shuffled(seed, monkeypatch)) for seed in range(20)}) == 20
    modules = [module for module, _ in first]
    assert sum(one != other for one, other in itertools.pairwise(modules)) == 2
    assert len({shuffled(seed, monkeypatch)[0][0] for seed in range(20)}) == 3


@pytest.mark.slow
def test_a_test_that_needs_another_one_before_it_is_found(tmp_path):
    file = tmp_path / "test_pair.py"
    file.write_text("done = []\ndef test_first(): done.append(1)\ndef test_second(): assert done\n")
    # In one process, so that both tests share what they leave behind.
    found = [orders.run(seed, [str(file), "--numprocesses", "0"]) for seed in range(1, 9)]
    assert {len(failed) for _, failed in found} == {0, 1}
    assert any("test_second" in line for _, failed in found for line in failed)
    assert all("passed" in summary for summary, _ in found)
