"""Train a run a second time, and say whether it came out the same."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lumbar import places, run_files
from lumbar.errors import RunError
from lumbar.names import PARTS
from lumbar.settings import from_dict

if TYPE_CHECKING:
    from lumbar.training import TrainingSettings


@dataclass(frozen=True)
class Comparison:
    """Two runs of the same settings; printed, it says whether they are the same.

    Args:
        run: The first one's folder.
        again: The second one's.
        findings: What was compared → how they differ; "" if to no bit.
        changed: What their records do not share, see `lumbar.record.differences`.
    """

    run: Path
    again: Path
    findings: dict[str, str]
    changed: list[str]

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not any(self.findings.values())

    def __str__(self) -> str:
        wide = max(map(len, self.findings))
        lines = [f"{self.again} beside {self.run}:"]
        lines += [f"  {what:{wide}}  {how or 'identical'}" for what, how in self.findings.items()]
        if self.same:
            lines.append("The run was repeated to the bit.")
        else:
            lines.append("The run was not repeated to the bit. What their records do not share:")
            lines += [f"  {each}" for each in self.changed or [NOTHING]]
        return "\n".join(lines)


NOTHING = (
    "nothing; so the cause is none that is recorded (kind of processor in a virtual machine, driver, memory fault)"
)


def rerun(
    run: Path,
    *,
    name: str | None = None,
    data: Path | None = None,
    extra: tuple[Path, ...] | None = None,
    progress: bool = True,
) -> Comparison:
    """Train again with the settings in a run's folder, in a folder of its own, and compare the two.

    What was measured of the run on parts of its split is measured anew, too. A repetition that was stopped goes on when
    it is called again.

    Args:
        run: The run's folder, or its name under runs/; nothing in it is changed.
        name: Of the repetition's folder under runs/; the run's with ``-rerun`` added (and a number) if left out.
        data: Where the data lie now, if they were moved.
        extra: The same for the further data.
        progress: Show progress bars.

    Raises:
        RunError: If there is no such run, it is unfinished, or the data or the network it started from have changed.
        LumbarError: If the data cannot be read.
    """
    from lumbar import evaluation, training

    run = run_files.run_folder(run)
    settings = training.load_settings(run)
    if (epochs := len(run_files.read_history(run))) < settings.epochs:
        raise RunError(
            "the run is unfinished",
            file=run,
            found=f"{epochs} of {settings.epochs} epochs",
            remedy="finish its training first: the same train command goes on where it stopped",
        )
    moved = {key: value for key, value in (("data", data), ("extra", extra)) if value is not None}
    settings = replace(settings, **moved)
    _check_start(run, settings, progress)
    again = training.train(replace(settings, name=name or _free_name(run, settings)), progress=progress)
    for measured in _measured(run):
        how = from_dict(evaluation.EvaluationSettings, measured["settings"])
        evaluation.evaluate(replace(how, run=again), progress=progress)
    return compare(run, again)


def compare(run: Path, again: Path) -> Comparison:
    """What two finished runs do not share: weights, optimizer, history, what was measured, record."""
    from lumbar import record
    from lumbar.evaluation import metrics_file

    kept = [name for name in ("best.keras", "last.keras") if (run / name).is_file()]
    findings = {name: _network_difference(run / name, again / name) for name in kept}
    findings["history"] = _history_difference(run, again)
    for measured in _measured(run):
        part = measured["part"]
        findings[f"metrics, {part} part"] = _metrics_difference(measured, _json(metrics_file(again, part)))
    starts = [run_files.load_config(each).get("starts", []) for each in (run, again)]
    first, second = (each[-1]["record"] if each else {} for each in starts)
    changed = record.differences(first, second)
    for folder, several in zip((run, again), starts, strict=True):
        if len(several) > 1:
            changed.append(f"{folder.name} itself went on where something had changed: see starts in its config.json")
    return Comparison(run, again, findings, changed)


def _check_start(run: Path, settings: TrainingSettings, progress: bool) -> None:
    """Make sure that the repetition begins with what the run began with."""
    from lumbar import training
    from lumbar.weights import starting

    config = run_files.load_config(run)
    now = run_files.fingerprint(training.prepared_parts(settings, progress=progress))
    if now != config["data"]["fingerprint"]:
        raise RunError(
            "the data have changed since this run, so it cannot be repeated",
            file=run,
            field="fingerprint",
            found=now,
            expected=config["data"]["fingerprint"],
            remedy="bring the data back as they were; if they were moved, say where they are now with --data",
        )
    if settings.weights:
        starting.check_unchanged(settings.weights, config.get("started_from"), run)


def _free_name(run: Path, settings: TrainingSettings) -> str:
    """The first name for a repetition that is free, or whose repetition was stopped before its end."""
    from lumbar import training

    below = run.resolve().is_relative_to(places.runs())
    base = "-".join(run.resolve().relative_to(places.runs()).parts) if below else run.name
    for number in itertools.count(1):
        name = f"{base}-rerun{'' if number == 1 else f'-{number}'}"
        folder, wanted = places.runs() / name, training.checked(replace(settings, name=name))
        if not (folder / "config.json").is_file():
            return name
        if training.load_settings(folder) == wanted and not training.finished(folder, wanted):
            return name
    raise AssertionError("there is always a free name")


def _measured(run: Path) -> Iterator[dict[str, Any]]:
    """What stands in the run of the parts of its own split that it was measured on."""
    from lumbar.evaluation import metrics_file

    for part in PARTS:
        if metrics_file(run, part).is_file():
            yield _json(metrics_file(run, part))


def _json(file: Path) -> dict[str, Any]:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RunError(
            "a file of the run is damaged", file=file, found=error, remedy="evaluate the run again"
        ) from error


def _network_difference(file: Path, other: Path) -> str:
    (names, one), (_, two) = _numbers_of(file), _numbers_of(other)
    if [array.shape for array in one] != [array.shape for array in two]:
        return "the networks are made differently"
    apart = [float(np.abs(ours - theirs).max(initial=0)) for ours, theirs in zip(one, two, strict=True)]
    if not any(apart):
        return ""
    furthest = int(np.argmax(apart))
    differing = np.count_nonzero(apart)
    return f"{differing} of {len(one)} arrays differ, by {apart[furthest]:.2g} at most ({names[furthest]})"


def _numbers_of(file: Path) -> tuple[list[str], list[np.ndarray]]:
    """All that a checkpoint holds, weights and the optimizer's state: names, and arrays of float64."""
    from lumbar.backend import keras
    from lumbar.weights import loading

    model = loading.load(file, compile=True)
    variables = [*model.weights, *model.optimizer.variables]
    arrays = [keras.ops.convert_to_numpy(each).astype(float) for each in variables]
    return [each.path for each in variables], arrays


def _history_difference(run: Path, again: Path) -> str:
    one, two = (run_files.read_history(each).drop(columns="seconds") for each in (run, again))
    if one.equals(two):
        return ""
    if len(one) != len(two):
        return f"{len(one)} epochs, then {len(two)}"
    apart = (one - two).abs()
    first = int(one["epoch"][apart.gt(0).any(axis=1).idxmax()])
    return f"different from epoch {first} on; validation MAE by {apart['val_mae_px'].max():.2g} px at most"


def _metrics_difference(one: dict[str, Any], two: dict[str, Any]) -> str:
    groups = ("network", "baselines", "groups")
    before, after = (dict(_numbers({name: each.get(name) for name in groups})) for each in (one, two))
    if str(before) == str(after):  # NaN is NaN here
        return ""
    apart = [name for name in {**before, **after} if str(before.get(name)) != str(after.get(name))]
    name = apart[0]
    return f"{len(apart)} of {len(before)} numbers differ; {name} is {before.get(name)}, then {after.get(name)}"


def _numbers(content: Any, within: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(content, dict):
        for name, each in content.items():
            yield from _numbers(each, f"{within} {name}".strip())
    elif isinstance(content, list):
        for number, each in enumerate(content):
            yield from _numbers(each, f"{within} {number}".strip())
    else:
        yield within, content
