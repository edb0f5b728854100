"""``python -m lumbar doctor``: is this machine ready? One line for each requirement, with a remedy if it is not met."""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from lumbar.core import paths

INSTALL = "run `make course`, or `pip install -r requirements.txt` in the environment you use"
FREE_GIGABYTES = 2
"""Disk space that the course's data and runs may take, with room to spare."""


@dataclass(frozen=True)
class Finding:
    """One requirement: is it met, what was seen, and what to do if not."""

    what: str
    ok: bool
    seen: str
    remedy: str = ""

    def __str__(self) -> str:
        line = f"[{'OK' if self.ok else 'FAIL'}] {self.what}: {self.seen}"
        return line if self.ok else f"{line} -> {self.remedy}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add no flags."""


def run(arguments: argparse.Namespace) -> int:
    """Print one line for each requirement; return 1 if any is not met."""
    healthy = True
    for finding in examine():
        print(finding, flush=True)
        healthy &= finding.ok
    print("All is well." if healthy else "Something is missing: see the lines marked [FAIL].")
    return 0 if healthy else 1


def examine() -> Iterator[Finding]:
    """Yield the findings one by one, the quick ones first."""
    python, requirements = _stated()
    yield _python(python)
    for line in requirements:
        yield _requirement(Requirement(line))
    yield _folder_is_writable(paths.data())
    yield _folder_is_writable(paths.runs())
    yield _tried("disk space", _find_space, f"free {FREE_GIGABYTES} GB")
    yield _tried("Jupyter kernel python3", _find_kernel, "run `python -m ipykernel install --sys-prefix`")
    yield _tried("compressed DICOM (JPEG, JPEG-LS, JPEG 2000, RLE)", _find_decoders, INSTALL)
    yield _tried("TensorFlow trains a small network", _train_a_little, INSTALL)


def _stated() -> tuple[str, list[str]]:
    """Pythons that will do, and the requirements: as the checkout states them, else as the installed package does."""
    stated = paths.REPOSITORY / "pyproject.toml"
    if stated.is_file():
        project = tomllib.loads(stated.read_text(encoding="utf-8"))["project"]
        return project["requires-python"], project["dependencies"]
    package = importlib.metadata.metadata("lumbar")
    return package["Requires-Python"], [line for line in package.get_all("Requires-Dist", []) if "extra ==" not in line]


def _python(allowed: str) -> Finding:
    version = platform.python_version()
    return Finding(
        "Python",
        SpecifierSet(allowed).contains(version),
        f"{version} ({sys.executable})",
        f"install a Python that fits {allowed} and make the environment anew: `make clean course PYTHON=python3.12`",
    )


def _requirement(requirement: Requirement) -> Finding:
    name = requirement.name
    if requirement.marker and not requirement.marker.evaluate(default_environment()):
        return Finding(name, True, "not needed here")
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, False, "not installed", INSTALL)
    return Finding(name, requirement.specifier.contains(version), f"{version} (needs {requirement.specifier})", INSTALL)


def _folder_is_writable(folder: Path) -> Finding:
    remedy = "make it writable, or point LUMBAR_HOME to a folder that is"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return Finding(f"folder {folder.name}/", True, f"{folder} can be written")
    except OSError as error:
        return Finding(f"folder {folder.name}/", False, f"{folder}: {error.strerror}", remedy)


def _tried(what: str, attempt: Callable[[], str], remedy: str) -> Finding:
    try:
        return Finding(what, True, attempt())
    except Exception as error:  # whatever went wrong is the finding
        return Finding(what, False, f"{type(error).__name__}: {error}", remedy)


def _find_space() -> str:
    there = next(folder for folder in (paths.home(), *paths.home().parents) if folder.is_dir())
    free = shutil.disk_usage(there).free / 1e9
    if free < FREE_GIGABYTES:
        raise OSError(f"only {free:.1f} GB free in {there}")
    return f"{free:.0f} GB free"


def _find_kernel() -> str:
    from jupyter_client.kernelspec import KernelSpecManager

    return KernelSpecManager().get_kernel_spec("python3").display_name


def _find_decoders() -> str:
    from pydicom.pixels import get_decoder
    from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, JPEGLosslessSV1, JPEGLSLossless, RLELossless

    needed = (JPEGBaseline8Bit, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless, RLELossless)
    missing = [syntax.name for syntax in needed if not get_decoder(syntax).is_available]
    if missing:
        raise RuntimeError(f"no decoder for {', '.join(missing)}")
    return f"{len(needed)} kinds can be read"


def _train_a_little() -> str:
    import numpy as np

    from lumbar.core.backend import keras

    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3), keras.layers.GlobalMaxPool2D()])
    model.compile("adam", "mse")
    loss = model.fit(np.ones((4, 8, 8, 1)), np.zeros((4, 2)), verbose=0).history["loss"][0]
    return f"loss {loss:.2f} on the {keras.backend.backend()} backend"
