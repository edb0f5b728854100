"""Compare trainings on one device, on two virtual devices and in two processes: ``python -m tests.stress.devices``.

The same small training runs on the JAX backend in each of the three ways, through ``train.py``. The last batch of an
epoch does not divide evenly between two devices. The command prints the losses of each epoch and the largest difference
from one device; its exit code is 1 if a difference exceeds the tolerance.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

from lumbar.compute.devices import ADDRESSES, PROCESS, PROCESSES, VIRTUAL
from lumbar.core import paths
from lumbar.phantom import PhantomSettings, write_dataset
from lumbar.runs.folder import read_history

TOLERANCE = 1e-3
"""Largest relative difference of losses and errors: sums in another order are rounded differently, and it adds up."""
MEASURED = ["loss", "mae_px", "val_loss", "val_mae_px"]


def _start(home: Path, name: str, *flags: object, **environment: str) -> subprocess.Popen:
    jax = {"KERAS_BACKEND": "jax", "LUMBAR_HOME": str(home), "JAX_PLATFORMS": "cpu"}
    return subprocess.Popen(
        [sys.executable, "train.py", *map(str, flags), "--name", name],
        cwd=paths.REPOSITORY,
        env=os.environ | jax | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def one_device(home: Path, name: str, *flags: object) -> list[subprocess.Popen]:
    """Start a training on one device as a process of its own, with its run below `home`."""
    return [_start(home, name, *flags)]


def two_devices(home: Path, name: str, *flags: object) -> list[subprocess.Popen]:
    """Start the same training on two virtual devices of the processor."""
    return [_start(home, name, "--devices", 2, *flags, **dict([VIRTUAL.split("=", 1)]))]


def two_processes(home: Path, name: str, *flags: object) -> list[subprocess.Popen]:
    """Start the same training in two processes, which connect on the loopback address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    job = {ADDRESSES: address, PROCESSES: "2"}
    return [_start(home, name, "--devices", 2, *flags, **job, **{PROCESS: number}) for number in ("0", "1")]


WAYS = (one_device, two_devices, two_processes)


def finish(processes: list[subprocess.Popen]) -> None:
    """Wait for processes to end.

    Raises:
        RuntimeError: If one has failed; the message quotes what it printed last.
    """
    printed = [process.communicate(timeout=600)[1] for process in processes]
    for process, complaint in zip(processes, printed, strict=True):
        if process.returncode:
            raise RuntimeError(f"{process.args} ended with {process.returncode}:\n{complaint[-3000:]}")


def histories(home: Path, *flags: object) -> dict[str, pd.DataFrame]:
    """Train in each of the ways, one after the other, and return the history of each."""
    for way in WAYS:
        finish(way(home, way.__name__, *flags))
    return {way.__name__: read_history(home / "runs" / way.__name__) for way in WAYS}


def difference(history: pd.DataFrame, reference: pd.DataFrame) -> float:
    """Return the largest relative difference of a loss or error from the reference."""
    return ((history[MEASURED] - reference[MEASURED]).abs() / reference[MEASURED].abs()).to_numpy().max()


def main() -> int:
    """Train in the three ways, and compare."""
    parser = argparse.ArgumentParser(prog="python -m tests.stress.devices", description=__doc__)
    parser.add_argument("--model", default="baseline", help="network (default: baseline)")
    parser.add_argument("--patients", type=int, default=48, help="synthetic patients (default: 48)")
    parser.add_argument("--epochs", type=int, default=6, help="epochs of each training (default: 6)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = PhantomSettings(patients=arguments.patients, seed=1, series=("sagittal-t2",))
        data = write_dataset(Path(folder) / "data", settings)
        flags = ["--data", data, "--model", arguments.model, "--epochs", arguments.epochs]
        flags += ["--batch-size", 4, "--width", 4, "--depth", 4, "--no-tensorboard"]
        found = histories(Path(folder), *flags)
    table = pd.concat({way: each.set_index("epoch")[MEASURED] for way, each in found.items()}, names=["way"])
    print(table.reorder_levels(["epoch", "way"]).sort_index().to_string(float_format="{:.7g}".format))
    reference = found.pop(one_device.__name__)
    largest = {way: difference(history, reference) for way, history in found.items()}
    for way, off in largest.items():
        print(f"{way}: differs from one device by at most {off:.1e} of the value (tolerance {TOLERANCE:.0e})")
    return int(not max(largest.values()) <= TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())
