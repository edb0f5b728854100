"""Bad input gives a clear error or a reported repair, never a wrong point and never another exception."""

import re

import numpy as np
import pytest

from lumbar import inference
from lumbar.geometry import SIZE
from tests.stress.bad_input import AbsentError, every_case
from tests.support.prepared import answered, in_turn


@pytest.fixture(autouse=True)
def _quick(request, monkeypatch):
    """Replace the network by constant points, where its answer does not matter."""
    if request.node.callspec.params["case"].real:
        return

    def answer(part):
        return answered(np.full((len(part.images), len(part.channels), 2), (SIZE - 1) / 2))

    if request.node.callspec.params["case"].family != "network":
        monkeypatch.setattr(inference, "answers", in_turn(answer))


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[pytest.mark.slow] if case.real else [], id=str(case)) for case in every_case()]
)
def test_bad_input(case, tmp_path):
    try:
        code, printed = case.run(case.build(tmp_path), tmp_path)
    except AbsentError as reason:
        pytest.skip(str(reason))
    assert "Traceback" not in printed
    assert re.search(case.says, printed), printed
    assert code == case.code, printed
    if case.facts:
        case.facts(tmp_path)
