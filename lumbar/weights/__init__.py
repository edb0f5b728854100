"""Trained networks: those released with the package, and those of runs; each with what is known about it.

A released network is three files beside this one: ``NAME.keras``, ``NAME.json`` (what `Weights` holds) and ``NAME.md``,
its model card: data, licence, training, results, and what it must not be used for.
"""

from __future__ import annotations

import json
import math
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lumbar.errors import RunError
from lumbar.files import replacing, write_json

if TYPE_CHECKING:
    import numpy as np

HERE = Path(__file__).resolve().parent

DEFAULT = "phantom+mr"
"""The released network that answers if nobody chooses another."""

DOUBTFUL = 0.5
"""A picture of which a point has less confidence than this is flagged, unless the network has a limit of its own."""


@dataclass(frozen=True)
class Weights:
    """A trained network.

    Args:
        file: The .keras file.
        views: Planes it was trained on.
        fit: How pictures were made square, as in `lumbar.preprocess.PreprocessSettings`.
        synthetic: Whether it was trained on synthetic patients only.
        slope: With `offset` turns the maps' chance into a confidence that was calibrated on patients the network had
            not seen: the log odds are scaled and shifted (Platt, 1999).
        offset: See `slope`.
        doubtful: A picture of which a point has less confidence than this is flagged.
    """

    file: Path
    views: tuple[str, ...]
    fit: str
    synthetic: bool
    slope: float = 1.0
    offset: float = 0.0
    doubtful: float = DOUBTFUL

    def confidence(self, chance: np.ndarray) -> np.ndarray:
        """The calibrated confidence, from 0 to 1, for a chance as `lumbar.readout.read_out` has it; NaN stays NaN."""
        return confidence(chance, self.slope, self.offset)


def released() -> list[str]:
    """Names of the networks that come with the package."""
    return sorted(file.stem for file in HERE.glob("*.keras"))


def find(name: str | Path | None = None) -> Weights:
    """A trained network.

    Args:
        name: Of a released one, a run's folder, or a run's name under runs/; `DEFAULT` if left out.

    Raises:
        RunError: If there is no such network.
    """
    name = DEFAULT if name is None else name
    if str(name) in released():
        known = json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))
        known["views"] = tuple(known["views"])
        return Weights(file=HERE / f"{name}.keras", **known)
    return _of_run(name)


def _of_run(name: str | Path) -> Weights:
    from lumbar.run_files import load_config, run_folder
    from lumbar.training import load_settings

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
    # A run of an earlier version does not say; then the warning is shown.
    synthetic = load_config(run).get("synthetic", True)
    return Weights(run / "best.keras", settings.views, settings.fit, synthetic=bool(synthetic))


def confidence(chance: np.ndarray, slope: float, offset: float) -> np.ndarray:
    """Chances with their log odds scaled and shifted, from 0 to 1; NaN stays NaN."""
    import numpy as np

    return 1 / (1 + np.exp(-(slope * log_odds(chance) + offset)))


def log_odds(chance: np.ndarray) -> np.ndarray:
    """ln(p / (1 - p)); finite for chances of 0 and 1, too."""
    import numpy as np

    chance = np.clip(chance, 1e-6, 1 - 1e-6)
    return np.log(chance / (1 - chance))


def calibrated(chance: np.ndarray, right: np.ndarray) -> tuple[float, float]:
    """Slope and offset that make chances into the confidences of best fit (logistic regression on the log odds).

    Args:
        chance: (n,) from 0 to 1, as the maps have it.
        right: (n,) whether the point was right.
    """
    import numpy as np
    from scipy.optimize import minimize

    odds = log_odds(chance)
    # Platt's targets keep a few certain points from pulling the slope to infinity.
    yes, no = right.sum(), (~right).sum()
    target = np.where(right, (yes + 1) / (yes + 2), 1 / (no + 2))

    def surprise(numbers: np.ndarray) -> float:
        z = numbers[0] * odds + numbers[1]
        return float(np.mean(np.logaddexp(0, z) - target * z))

    slope, offset = minimize(surprise, (1.0, 0.0), method="Nelder-Mead").x
    return float(slope), float(offset)


def release(network: Weights, name: str, folder: Path = HERE) -> Path:
    """Write a network's file and what is known about it under a name; its model card is written by hand.

    The weights are rounded to half precision (a relative error of 0.0005) and compressed, and the optimizer's state is
    left out: a sixth of the run's checkpoint.

    Returns:
        The .keras file.
    """
    from lumbar.weights import loading

    file = folder / f"{name}.keras"
    known = {
        "views": network.views,
        "fit": network.fit,
        "synthetic": network.synthetic,
        "slope": round(network.slope, 4),
        "offset": round(network.offset, 4),
        "doubtful": math.floor(network.doubtful * 1e4) / 1e4,
    }
    model = loading.load(network.file)
    model.set_weights([weight.astype("float16").astype("float32") for weight in model.get_weights()])
    with tempfile.TemporaryDirectory() as scratch, replacing(file) as temporary:
        model.save(plain := Path(scratch) / file.name)
        with zipfile.ZipFile(plain) as before, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as after:
            for part in before.namelist():
                after.writestr(part, before.read(part))
    write_json(folder / f"{name}.json", known)
    return file
