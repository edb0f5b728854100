"""Keras runs with the settings of this project, whatever the user has set for others."""

import json
import os
import subprocess
import sys

import pytest

ELSEWHERE = {"floatx": "float16", "epsilon": 0.1, "backend": "torch", "image_data_format": "channels_first"}


def python(code: str, home, **environment) -> subprocess.CompletedProcess:
    """Run Python code with settings of Keras; a variable that is None is unset."""
    variables = os.environ | {"KERAS_HOME": str(home), "KERAS_BACKEND": None} | environment
    variables = {name: value for name, value in variables.items() if value is not None}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=variables)


def test_a_keras_json_for_other_projects_changes_nothing(tmp_path):
    (tmp_path / "keras.json").write_text(json.dumps(ELSEWHERE))
    code = (
        "from lumbar.core.backend import keras\nimport numpy as np\n"
        "layer = keras.layers.Conv2D(2, 3)\nshape = layer(np.zeros((1, 8, 8, 1))).shape\n"
        "model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])\nmodel.compile('sgd', 'mse')\n"
        "epochs = len(model.fit(np.ones((6, 4)), np.ones((6, 1)), epochs=3, verbose=0).epoch)\n"
        "print(keras.backend.backend(), layer.kernel.dtype, tuple(shape), keras.config.epsilon(), epochs)"
    )
    answer = python(code, tmp_path, KERAS_MAX_EPOCHS="1", KERAS_MAX_STEPS_PER_EPOCH="1")
    assert answer.stdout.strip() == "tensorflow float32 (1, 6, 6, 2) 1e-07 3", answer.stderr


@pytest.mark.parametrize(
    ("backend", "says"), [("theano", "theano"), ("numpy", "numpy"), ("torch", "torch, which is not installed")]
)
def test_a_backend_that_cannot_be_used_is_an_error_that_names_the_variable(tmp_path, backend, says):
    code = (
        "import importlib.util as util, sys\nfound = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'torch' else found(name, *rest)\n"
        "from lumbar.cli.main import main\nfrom lumbar.cli import doctor\n"
        "print(doctor._check('training', doctor._train_a_little, 'install everything'))\n"
        "import lumbar.core.backend"
    )
    answer = python(code, tmp_path, KERAS_BACKEND=backend)
    assert f"KERAS_BACKEND: {says} -> unset the variable" in answer.stdout, answer.stderr
    assert "lumbar.core.errors.SettingsError: Keras cannot use this backend" in answer.stderr
    assert "tensorflow" in answer.stderr.split("expected:")[1]


@pytest.mark.parametrize(
    ("content", "variables", "names"),
    [
        ('{"floatx": "float12"}', {}, "keras.json"),
        ('["not a mapping"]', {}, "keras.json"),
        ("{}", {"KERAS_MAX_EPOCHS": "many"}, "KERAS_MAX_EPOCHS"),
    ],
)
def test_settings_that_keras_refuses_are_named(tmp_path, content, variables, names):
    (tmp_path / "keras.json").write_text(content)
    answer = python("import lumbar.core.backend", tmp_path, **variables)
    error = answer.stderr.split("lumbar.core.errors.SettingsError:")[1]
    assert "Keras does not start" in error
    assert names in error
