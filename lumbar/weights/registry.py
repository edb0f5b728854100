"""Find a trained network by its name or run, and release one with the package."""

from __future__ import annotations

import json
import math
import tempfile
import zipfile
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from lumbar import landmarks
from lumbar.core.constants import DEFAULT_WEIGHTS, ENGINES, RESIZE, VIEWS
from lumbar.core.digests import digest_of_file
from lumbar.core.errors import RunError, WeightsError
from lumbar.imaging.modality import kind_of
from lumbar.runs.folder import load_config, load_settings, run_folder
from lumbar.storage.files import atomic_write, write_json
from lumbar.weights import onnx_file, safe_loading

HERE = Path(__file__).resolve().parent
"""The folder of the released networks."""

DEFAULT = DEFAULT_WEIGHTS
"""The released network that answers unless another is chosen."""

DOUBTFUL = 0.5
"""An image is flagged if a point has less confidence than this, unless the network has a limit of its own."""

_ARCHITECTURE = ("model", "depth", "width", "activation", "batch_norm", "backbone", "absent")
"""Settings of a training that make the network's architecture, beside its views."""


@dataclass(frozen=True)
class Weights:
    """A trained network.

    Args:
        file: The .keras file, or an .onnx file, which only answers.
        views: Planes it was trained on.
        resize: How images were made square, as in `lumbar.preprocess.PreprocessSettings`.
        synthetic: Whether it was trained on synthetic patients only.
        slope: With `offset` turns the heatmaps' probability into a confidence that was calibrated on patients the
            network had not seen: the log odds are scaled and shifted (Platt, 1999).
        offset: See `slope`.
        doubtful: An image is flagged if a point has less confidence than this.
        count_slope: With `count_offset` calibrates the probability that an image is miscounted, see `miscounted`; None
            if that was not calibrated.
        count_offset: See `count_slope`.
        trained_on: Sources of the real patients that it was trained on, as in the table of landmarks.
        modalities: Kinds of imaging that it was trained on, see `lumbar.imaging.modality`; empty if not known.
        engine: What runs it, one of `lumbar.core.constants.ENGINES`.
    """

    file: Path
    views: tuple[str, ...]
    resize: str
    synthetic: bool
    slope: float = 1.0
    offset: float = 0.0
    doubtful: float = DOUBTFUL
    count_slope: float | None = None
    count_offset: float | None = None
    trained_on: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()
    engine: str = ENGINES[0]

    def unfamiliar(self, modality: str) -> tuple[str, ...]:
        """Return a sentence if an image is of another kind of imaging than the network was trained on.

        Args:
            modality: Modality as a DICOM file states it; "" if it is not known.
        """
        kind = kind_of(modality)
        if not kind or not self.modalities or kind in self.modalities:
            return ()
        return (f"{kind}, and the network was trained on {' and '.join(self.modalities)} only",)

    def confidence(self, probability: Any) -> Any:
        """Return the calibrated confidence, from 0 to 1.

        Args:
            probability: Probabilities as `lumbar.decoding.decode` returns them, any shape; NaN stays NaN.
        """
        from lumbar.weights import calibration

        return calibration.confidence(probability, self.slope, self.offset)

    def miscounted(self, probability: Any) -> Any:
        """Return the calibrated probabilities that all levels lie one disc higher, and one lower, (N, 2).

        NaN from a network whose count was not calibrated: the probabilities in its heatmaps are too small.

        Args:
            probability: (N, 2), as `lumbar.decoding.decode` returns them; NaN stays NaN.
        """
        from lumbar.weights import calibration

        if self.count_slope is None or self.count_offset is None:
            return probability * np.nan
        return calibration.count_probability(probability, self.count_slope, self.count_offset)


def released() -> list[str]:
    """Return the names of the networks that come with the package."""
    return sorted(file.stem for file in HERE.glob("*.keras"))


def find(name: str | Path | None = None, engine: str = ENGINES[0]) -> Weights:
    """Find a trained network.

    Args:
        name: Name of a released one, a run's folder, a run's name under runs/, or an .onnx file that lumbar has
            written; `DEFAULT` if left out.
        engine: What is to run it, one of `lumbar.core.constants.ENGINES`.

    Raises:
        RunError: If there is no such network.
        WeightsError: If the .onnx file is not a network of ours.
    """
    name = DEFAULT if name is None else name
    if str(name) in released():
        known = {key: value for key, value in _read_json(str(name)).items() if key != "architecture"}
        network = Weights(HERE / f"{name}.keras", **_from_json(known))
    elif Path(name).suffix == ".onnx":
        network = _of_file(Path(name))
    else:
        network = _of_run(name)
    return replace(network, engine=engine)


def _read_json(name: str) -> dict[str, Any]:
    """Return what the JSON file beside a released network holds."""
    return json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))


def _from_json(known: dict[str, Any]) -> dict[str, Any]:
    """Return fields of `Weights` from what JSON holds: its lists become tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in known.items()}


def architecture(name: str | Path) -> dict[str, Any]:
    """Return the settings that a training shares with the network that it starts from: setting → value.

    They are settings of `lumbar.runs.settings.TrainingSettings`. An .onnx file has none: no training starts from it.

    Raises:
        RunError: If there is no such network.
    """
    if Path(name).suffix == ".onnx":
        return {}
    network = find(name)
    if str(name) in released():
        known = _read_json(network.file.stem)
        return _from_json(known["architecture"]) | {"views": network.views, "resize": network.resize}
    settings = load_settings(network.file.parent)
    return {each: getattr(settings, each) for each in (*_ARCHITECTURE, "views", "resize")}


def _of_file(file: Path) -> Weights:
    if not file.is_file():
        raise RunError("there is no such network", field="weights", found=str(file))
    about = onnx_file.check(file)
    names = {field.name for field in fields(Weights)} - {"file", "engine"}
    found = Weights(file, **({"views": (), "resize": ""} | _from_json({n: about[n] for n in names & set(about)})))
    numbers = (found.slope, found.offset, found.doubtful, found.count_slope or 0.0, found.count_offset or 0.0)
    lists = all(isinstance(each, tuple) for each in (found.views, found.trained_on, found.modalities))
    known = lists and found.views and set(found.views) <= set(VIEWS) and found.resize in RESIZE
    if not (known and all(isinstance(each, float) and math.isfinite(each) for each in numbers)):
        raise WeightsError(
            "the file does not say for which images its network was trained",
            file=file,
            remedy="write it with `python -m lumbar export RUN`",
        )
    return found


def _of_run(name: str | Path) -> Weights:
    try:
        run = run_folder(Path(name))
    except RunError as error:
        if Path(name).is_dir():
            raise
        raise RunError(
            "there is no such network",
            field="weights",
            found=str(name),
            expected=f"{' or '.join(released())}, or the folder or name of a run",
        ) from error
    settings = load_settings(run)
    # Runs of early versions do not state it; then the warning is shown.
    config = load_config(run)
    known = {"synthetic": bool(config.get("synthetic", True))}
    data = config.get("data", {})
    known["trained_on"] = tuple(source for source in data.get("sources", ()) if source != "phantom")
    known["modalities"] = tuple(data.get("modalities", ()))
    return Weights(run / "best.keras", settings.views, settings.resize, **known)


def release(network: Weights, name: str, folder: Path = HERE) -> Path:
    """Write the network of a run and what is known about it under a name; its model card is written by hand.

    The weights are rounded to half precision (a relative error of 0.0005) and compressed, and the optimizer's state is
    left out: a sixth of the run's checkpoint.

    Returns:
        The .keras file.
    """
    file = folder / f"{name}.keras"
    model = safe_loading.load(network.file)
    model.set_weights([weight.astype("float16").astype("float32") for weight in model.get_weights()])
    with tempfile.TemporaryDirectory() as scratch, atomic_write(file) as temporary:
        model.save(plain := Path(scratch) / file.name)
        with zipfile.ZipFile(plain) as before, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as after:
            for part in before.namelist():
                after.writestr(part, before.read(part))
    settings = load_settings(network.file.parent).resolved()
    built = {each: getattr(settings, each) for each in _ARCHITECTURE}
    write_json(folder / f"{name}.json", known_about(network) | {"architecture": built})
    write_onnx(file, known_about(network), file.with_suffix(".onnx"))
    return file


def known_about(network: Weights) -> dict[str, Any]:
    """Return what is known about a network, but for its file, as values that JSON can hold."""
    return {
        "views": network.views,
        "resize": network.resize,
        "synthetic": network.synthetic,
        "slope": round(network.slope, 4),
        "offset": round(network.offset, 4),
        "doubtful": math.floor(network.doubtful * 1e4) / 1e4,
        "count_slope": _rounded(network.count_slope),
        "count_offset": _rounded(network.count_offset),
        "trained_on": network.trained_on,
        "modalities": network.modalities,
    }


def write_onnx(network: Path, known: dict[str, Any], file: Path) -> Path:
    """Write a network as an ONNX file, see `lumbar.weights.onnx_graph`.

    Args:
        network: The .keras file.
        known: What is known about it, see `known_about`; empty if nothing is.
        file: The file to write.

    Returns:
        That file.
    """
    from lumbar import models
    from lumbar.weights import onnx_graph

    model = safe_loading.load(network)
    points = models.point_names(model) or (landmarks.channels(known["views"]) if known else ())
    onnx_graph.write(model, points, known | {"made_from": digest_of_file(network)}, file)
    return file


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
