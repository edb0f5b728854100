"""The places that the mutants change are still there."""

import pytest

from tests.stress import mutants


@pytest.mark.parametrize("mutant", mutants.MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_changes_one_place(mutant):
    assert mutant.new in "\n".join(cell.source for cell in mutants.mutated(mutant).cells)
