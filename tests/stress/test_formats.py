"""The table of layouts and commands (`python -m tests.stress.formats`) covers every layout; it is run for one here."""

import pytest

from lumbar import datasets
from lumbar.datasets import rsna
from lumbar.phantom.study import PhantomSettings, write_dataset
from tests.stress.formats import FORMATS, PATIENTS, STEPS, try_out


def test_the_table_has_a_row_for_each_layout():
    assert set(FORMATS) == set(datasets.READERS)


@pytest.mark.slow
def test_a_row_of_the_table(tmp_path, monkeypatch):
    monkeypatch.setenv("LUMBAR_HOME", str(tmp_path))
    settings = PhantomSettings(patients=PATIENTS, series=("sagittal-t2",))
    made = write_dataset(tmp_path / "made", settings, workers=1, progress=False)
    row = try_out(rsna.READER, made, tmp_path / "format")
    assert {step: cell for step, cell in row.items() if step in STEPS and not cell.startswith("ok ")} == {}
