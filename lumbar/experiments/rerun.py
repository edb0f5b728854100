"""Train a run a second time, and report whether the result is the same."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lumbar import runs
from lumbar.core import paths
from lumbar.core.constants import PARTS
from lumbar.core.errors import RunError
from lumbar.core.schema import from_dict
from lumbar.evaluation import evaluate, metrics_file, read_metrics
from lumbar.runs import provenance
from lumbar.runs.settings import EvaluationSettings, TrainingSettings, validated
from lumbar.training.job import finished, train
from lumbar.weights import safe_loading


@dataclass(frozen=True)
class Comparison:
    """A comparison of two runs with the same settings; printed, it states whether they are the same.

    Args:
        run: Folder of the first run.
        again: Folder of the second run.
        findings: What was compared → how it differs; "" if it is identical to the bit.
        changed: Differences in the provenance of the two, see `lumbar.runs.provenance.differences`.
    """

    run: Path
    again: Path
    findings: dict[str, str]
    changed: list[str]

    @property
    def same(self) -> bool:
        """Whether the two runs are identical to the bit."""
        return not any(self.findings.values())

    def __str__(self) -> str:
        wide = max(map(len, self.findings))
        lines = [f"{self.again} compared with {self.run}:"]
        lines += [f"  {what:{wide}}  {how or 'identical'}" for what, how in self.findings.items()]
        if self.same:
            lines.append("The two runs are identical to the bit.")
        else:
            lines.append("The two runs differ. What has changed between them:")
            lines += [f"  {each}" for each in self.changed or [NOTHING]]
        return "\n".join(lines)


NOTHING = "nothing that is recorded; other causes are the host of a virtual machine, a driver, or faulty memory"
"""What is printed if two runs differ, and their provenance does not."""


def rerun(
    run: Path,
    *,
    name: str | None = None,
    data: Path | None = None,
    extra: tuple[Path, ...] | None = None,
    progress: bool = True,
) -> Comparison:
    """Train again with the settings in a run's folder, in a folder of its own, and compare the two.

    The run's evaluations are repeated, too. A repetition that was stopped resumes when it is called again.

    Args:
        run: The run's folder, or its name under runs/; nothing in it is changed.
        name: Name of the new folder under runs/; if left out, the run's name with ``-rerun`` and perhaps a number.
        data: Where the data set is now, if it has moved.
        extra: Where the further data sets are now, if they have moved.
        progress: Show progress bars.

    Returns:
        The comparison of the two runs.

    Raises:
        RunError: If there is no such run, it is unfinished, or the data or the network it started from have changed.
        LumbarError: If the data cannot be read.
    """
    run = runs.run_folder(run)
    settings = runs.load_settings(run)
    if (epochs := len(runs.read_history(run))) < settings.epochs:
        raise RunError(
            "the run is unfinished",
            file=run,
            found=f"{epochs} of {settings.epochs} epochs",
            remedy="finish its training first: the same train command resumes it",
        )
    moved = {key: value for key, value in (("data", data), ("extra", extra)) if value is not None}
    settings = replace(settings, **moved)
    again = train(replace(settings, name=name or free_name(run, settings)), repeats=run, progress=progress)
    for measured in _measured(run):
        how = from_dict(EvaluationSettings, measured["settings"])
        evaluate(replace(how, run=again), progress=progress)
    return compare(run, again)


def compare(run: Path, again: Path) -> Comparison:
    """Compare two finished runs: weights, optimizer, history, evaluations and provenance.

    Args:
        run: Folder of the first run.
        again: Folder of the second run; it must have every evaluation that the first one has.

    Raises:
        RunError: If a file of either run is damaged.
    """
    kept = [name for name in ("best.keras", "last.keras") if (run / name).is_file()]
    findings = {name: _network_difference(run / name, again / name) for name in kept}
    findings["history"] = _history_difference(run, again)
    for measured in _measured(run):
        part = measured["part"]
        findings[f"metrics, {part} part"] = _metrics_difference(measured, read_metrics(metrics_file(again, part)))
    starts = [runs.load_config(each).get("starts", []) for each in (run, again)]
    first, second = (each[-1]["record"] if each else {} for each in starts)
    changed = provenance.differences(first, second)
    for folder, several in zip((run, again), starts, strict=True):
        if len(several) > 1:
            changed.append(f"{folder.name} was resumed after something had changed: see starts in its config.json")
    return Comparison(run, again, findings, changed)


def free_name(run: Path, settings: TrainingSettings) -> str:
    """Return the name for a repetition of a run: that of a repetition which was stopped, or the first that is free.

    Args:
        run: The run's folder.
        settings: Settings of the repetition; their `name` does not matter.
    """
    below = run.resolve().is_relative_to(paths.runs())
    base = "-".join(run.resolve().relative_to(paths.runs()).parts) if below else run.name
    for number in itertools.count(1):
        name = f"{base}-rerun{'' if number == 1 else f'-{number}'}"
        folder, wanted = paths.runs() / name, validated(replace(settings, name=name))
        if not (folder / "config.json").is_file():
            return name
        if runs.load_settings(folder) == wanted and not finished(folder, wanted):
            return name
    raise AssertionError("there is always a free name")


def _measured(run: Path) -> Iterator[dict[str, Any]]:
    """Yield the evaluations of a run on the parts of its own split."""
    for part in PARTS:
        if metrics_file(run, part).is_file():
            yield read_metrics(metrics_file(run, part))


def _network_difference(file: Path, other: Path) -> str:
    """Return how two checkpoints differ; "" if they are identical."""
    (names, one), (_, two) = _arrays_of(file), _arrays_of(other)
    if [array.shape for array in one] != [array.shape for array in two]:
        return "the networks have different architectures"
    largest = [float(np.abs(before - after).max(initial=0)) for before, after in zip(one, two, strict=True)]
    if not any(largest):
        return ""
    worst = int(np.argmax(largest))
    return f"{np.count_nonzero(largest)} of {len(one)} arrays differ, by at most {largest[worst]:.2g} ({names[worst]})"


def _arrays_of(file: Path) -> tuple[list[str], list[np.ndarray]]:
    """Return the names and the values, as float64, of all weights and optimizer variables of a checkpoint."""
    from lumbar.core.backend import keras

    model = safe_loading.load(file, compile=True)
    variables = [*model.weights, *model.optimizer.variables]
    arrays = [keras.ops.convert_to_numpy(each).astype(float) for each in variables]
    return [each.path for each in variables], arrays


def _history_difference(run: Path, again: Path) -> str:
    """Return how the histories of two runs differ, apart from the seconds; "" if they are identical."""
    one, two = (runs.read_history(each).drop(columns="seconds") for each in (run, again))
    if one.equals(two):
        return ""
    if len(one) != len(two):
        return f"{len(one)} epochs, then {len(two)}"
    difference = (one - two).abs()
    first = int(one["epoch"][difference.gt(0).any(axis=1).idxmax()])
    return f"differs from epoch {first} on; validation MAE by at most {difference['val_mae_px'].max():.2g} px"


def _metrics_difference(one: dict[str, Any], two: dict[str, Any]) -> str:
    """Return how the results of two evaluations differ; "" if they are identical."""
    groups = ("network", "baselines", "groups")
    before, after = (dict(_values({name: each.get(name) for name in groups})) for each in (one, two))
    if str(before) == str(after):  # as text, NaN equals NaN
        return ""
    differing = [name for name in {**before, **after} if str(before.get(name)) != str(after.get(name))]
    name = differing[0]
    return f"{len(differing)} of {len(before)} numbers differ; {name} is {before.get(name)}, then {after.get(name)}"


def _values(content: Any, within: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the plain values of nested dictionaries and lists, each with the path to it."""
    if isinstance(content, dict):
        for name, each in content.items():
            yield from _values(each, f"{within} {name}".strip())
    elif isinstance(content, list):
        for number, each in enumerate(content):
            yield from _values(each, f"{within} {number}".strip())
    else:
        yield within, content
