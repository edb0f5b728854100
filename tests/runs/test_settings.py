"""Runs of the first release keep their names, and their config.json can still be read."""

from lumbar.core.schema import from_dict, to_dict
from lumbar.runs.settings import TrainingSettings, default_name


def test_a_run_keeps_the_name_that_the_first_release_gave_it():
    changed = TrainingSettings(resize="letterbox", contrast_remap=0.3, model="heatmap", seed=2)
    assert default_name(TrainingSettings()) == "baseline-sagittal-adada79d"
    assert default_name(changed) == "heatmap-sagittal-fddb0ec6"


def test_settings_of_the_first_release_are_read_under_their_new_names():
    now = to_dict(TrainingSettings(resize="letterbox", contrast_remap=0.3))
    names = {"resize": "fit", "contrast_remap": "tones"}
    then = {names.get(name, name): value for name, value in now.items()}
    assert from_dict(TrainingSettings, then) == TrainingSettings(resize="letterbox", contrast_remap=0.3)
