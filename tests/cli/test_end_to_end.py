"""From a folder of images to a table of errors with the two documented commands, as a user would run them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lumbar.core import paths
from lumbar.landmarks import LEVELS
from tests.support.real_mri import ABSENT, REAL_MRI, write_kaggle_layout


def run(home: Path, *words: object) -> str:
    answer = subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=paths.REPOSITORY,
        env=os.environ | {"LUMBAR_HOME": str(home)},
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def assert_evaluated(folder: Path, test_patients: int) -> dict:
    """Check that the run has metrics with units and baselines, and a prediction for each point of each test image."""
    metrics = json.loads((folder / "metrics.json").read_text())
    predictions = pd.read_csv(folder / "predictions.csv")
    split = pd.read_csv(folder / "split.csv")
    tested = set(split.loc[split["part"] == "test", "patient"])
    assert len(tested) == test_patients
    assert set(predictions["patient"]) == tested
    assert np.isfinite(predictions[["predicted_x", "predicted_y"]]).all(axis=None)
    zero = metrics["baselines"]["always zero"]["mae_unit"]
    assert 0.4 < zero < 0.6, "always predicting zero gives an error of about half the image"
    assert metrics["network"]["mae_unit"] < zero
    return metrics


@pytest.mark.slow
def test_the_two_commands_on_synthetic_patients(tmp_path):
    run(tmp_path, "train.py", "--patients", 24, "--epochs", 2, "--width", 4, "--name", "first")
    printed = run(tmp_path, "evaluate.py")
    assert "synthetic patients" in printed
    metrics = assert_evaluated(tmp_path / "runs" / "first", test_patients=4)
    assert metrics["synthetic_share"] == 1
    assert metrics["network"]["mae_mm"] > 0


@pytest.mark.slow
@pytest.mark.skipif(not REAL_MRI.is_dir(), reason=ABSENT)
def test_a_network_trained_on_synthetic_patients_is_measured_on_real_ones(tmp_path):
    run(tmp_path, "train.py", "--patients", 16, "--epochs", 1, "--width", 4, "--name", "phantom")
    data = write_kaggle_layout(tmp_path / "kaggle", count=12)
    printed = run(tmp_path, "evaluate.py", "--data", data)
    assert "All of kaggle: 12 patients" in printed
    assert "Trained on synthetic patients, measured on others" in printed
    folder = tmp_path / "runs" / "phantom"
    assert json.loads((folder / "metrics_all_of_kaggle.json").read_text())["test_looks"] == []
    assert len(pd.read_csv(folder / "predictions_all_of_kaggle.csv")) == 12 * len(LEVELS)
    assert not (folder / "metrics.json").exists(), "the test patients of the run were not used"


@pytest.mark.slow
def test_all_three_views_in_one_network(tmp_path):
    flags = ["--patients", 16, "--epochs", 1, "--width", 4, "--model", "heatmap", "--name", "views"]
    run(tmp_path, "train.py", *flags, "--views", "sagittal", "coronal", "axial")
    run(tmp_path, "evaluate.py")
    predictions = pd.read_csv(tmp_path / "runs" / "views" / "predictions.csv", keep_default_na=False)
    assert set(predictions["view"]) == {"sagittal", "coronal", "axial"}
    axial = predictions[predictions["view"] == "axial"]
    assert set(axial["side"]) == {"left", "right"}
    assert set(predictions.loc[predictions["view"] != "axial", "side"]) == {""}


@pytest.mark.slow
@pytest.mark.skipif(not REAL_MRI.is_dir(), reason=ABSENT)
def test_real_images_in_the_public_layout(tmp_path):
    data = write_kaggle_layout(tmp_path / "kaggle", count=40)
    flags = ["--model", "heatmap", "--width", 8, "--epochs", 25, "--learning-rate", 0.01, "--augmentation", 0.5]
    run(tmp_path, "train.py", "--data", data, *flags, "--name", "real")
    printed = run(tmp_path, "evaluate.py", "--run", "real")
    assert "synthetic" not in printed
    metrics = assert_evaluated(tmp_path / "runs" / "real", test_patients=6)
    assert metrics["network"]["mae_px"] < metrics["baselines"]["mean point"]["mae_px"], (
        "it learned to distinguish the levels"
    )
    assert metrics["network"]["mae_mm"] is None, "the pixel spacing of this data set is unknown"
    assert set(pd.read_csv(tmp_path / "runs" / "real" / "predictions.csv")["level"]) == set(LEVELS)
