"""Work shared out gives the results of work done alone, in order, and errors come home."""

import os

import pytest

from lumbar.compute.processes import in_parallel, sent_to, under_way
from lumbar.core.errors import ScanError


def square(number):
    return number * number


def where(_):
    return os.getpid()


def refuse(number):
    if number == 2:
        raise ScanError("no picture", file="2.dcm", remedy="look again")
    return number


@pytest.mark.parametrize(("workers", "chunk"), [(1, 1), (2, 1), (2, 3)])
def test_results_come_in_the_order_of_the_items(workers, chunk):
    assert list(in_parallel(square, range(7), workers, chunk=chunk)) == [0, 1, 4, 9, 16, 25, 36]


def test_several_workers_are_other_processes_and_one_is_this():
    assert os.getpid() not in set(in_parallel(where, range(4), 2))
    assert set(in_parallel(where, range(4), 1)) == {os.getpid()}


def test_nothing_to_do_is_no_error():
    assert list(in_parallel(square, [])) == []


def test_an_error_comes_home_whole():
    with pytest.raises(ScanError) as raised:
        list(in_parallel(refuse, range(4), 2))
    assert (raised.value.file, raised.value.remedy) == ("2.dcm", "look again")


def test_few_items_are_not_worth_a_process():
    assert set(in_parallel(where, range(4), 2, worth=5)) == {os.getpid()}


def test_no_more_is_under_way_than_was_said():
    submitted = []
    numbers = under_way((submitted.append(number) or number for number in range(10)), 3)
    for number in numbers:
        assert len(submitted) == min(number + 3, 10)
    assert submitted == list(range(10))


def test_work_may_be_sent_elsewhere():
    def backwards(task, items, chunk):
        return iter([chunk, *items[::-1]])

    with sent_to(backwards):
        assert list(in_parallel(square, [1, 2], chunk=7)) == [7, 2, 1]
    assert list(in_parallel(square, [1, 2])) == [1, 4]
