"""Parallel work gives the results of serial work, in order, and errors reach the caller."""

import os

import pytest

from lumbar.compute.processes import in_parallel, keep_ahead, use_executor
from lumbar.core.errors import ScanError


def square(number):
    return number * number


def where(_):
    return os.getpid()


def fail_on_two(number):
    if number == 2:
        raise ScanError("no image", file="2.dcm", remedy="look again")
    return number


@pytest.mark.parametrize(("workers", "chunk"), [(1, 1), (2, 1), (2, 3)])
def test_results_come_in_the_order_of_the_items(workers, chunk):
    assert list(in_parallel(square, range(7), workers, chunk=chunk)) == [0, 1, 4, 9, 16, 25, 36]


def test_several_workers_are_other_processes_and_one_worker_is_this_process():
    assert os.getpid() not in set(in_parallel(where, range(4), 2))
    assert set(in_parallel(where, range(4), 1)) == {os.getpid()}


def test_no_items_give_no_results():
    assert list(in_parallel(square, [])) == []


def test_an_error_reaches_the_caller_with_all_its_parts():
    with pytest.raises(ScanError) as raised:
        list(in_parallel(fail_on_two, range(4), 2))
    assert (raised.value.file, raised.value.remedy) == ("2.dcm", "look again")


def test_few_items_are_done_in_this_process():
    assert set(in_parallel(where, range(4), 2, min_items=5)) == {os.getpid()}


def test_no_more_chunks_are_submitted_than_asked_for():
    submitted = []
    numbers = keep_ahead((submitted.append(number) or number for number in range(10)), 3)
    for number in numbers:
        assert len(submitted) == min(number + 3, 10)
    assert submitted == list(range(10))


def test_another_executor_can_do_the_work():
    def backwards(task, items, chunk):
        return iter([chunk, *items[::-1]])

    with use_executor(backwards):
        assert list(in_parallel(square, [1, 2], chunk=7)) == [7, 2, 1]
    assert list(in_parallel(square, [1, 2])) == [1, 4]
