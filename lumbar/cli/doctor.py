"""``python -m lumbar doctor``: check each requirement of the course on this machine, with a remedy if it is not met."""

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
from importlib.util import find_spec
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from lumbar.core import extras, paths
from lumbar.core.errors import LumbarError

INSTALL = "run `make course`, or `pip install -r requirements.txt` in your environment"
PURPOSES = {"train": "train networks, or answer with Keras", "course": "run the notebooks"}
"""Extras that are checked if they are installed, and what for one needs them."""

FREE_GIGABYTES = 2
"""Free disk space that the data and runs of the course need, with a margin."""


@dataclass(frozen=True)
class Finding:
    """One requirement, and whether this machine meets it.

    Args:
        requirement: What is needed.
        met: Whether this machine has it; None if it is optional and missing.
        found: What was found, such as a version.
        remedy: What to do if the requirement is not met.
    """

    requirement: str
    met: bool | None
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        line = f"[{ {True: 'OK', False: 'FAIL', None: '--'}[self.met] }] {self.requirement}: {self.found}"
        return line if self.met else f"{line} -> {self.remedy}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add no arguments: this command has none."""


def run(arguments: argparse.Namespace) -> int:
    """Print one line for each requirement; return 1 if one is not met, else 0."""
    healthy = True
    for finding in examine():
        print(finding, flush=True)
        healthy &= finding.met is not False
    print("All requirements are met." if healthy else "Some requirements are not met: see the lines marked [FAIL].")
    return 0 if healthy else 1


def examine() -> Iterator[Finding]:
    """Yield the findings one by one, the quick checks first."""
    python, requirements = _requirements()
    yield _python(python)
    installed = []
    for extra, lines in requirements.items():
        if extra and find_spec(extras.PACKAGES[extra][0]) is None:
            remedy = f"to {PURPOSES[extra]}, {extras.how_to_install(extra)}"
            yield Finding(f"extra {extra}", None, "not installed", remedy)
            continue
        installed.append(extra)
        for line in lines:
            if not line.startswith("lumbar["):
                yield _requirement(Requirement(line), extra)
    yield _folder_is_writable(paths.data())
    yield _folder_is_writable(paths.runs())
    yield _check("disk space", _find_space, f"free {FREE_GIGABYTES} GB")
    yield _check("compressed DICOM (JPEG, JPEG-LS, JPEG 2000, RLE)", _find_decoders, INSTALL)
    if "course" in installed:
        yield _check("Jupyter kernel python3", _find_kernel, "run `python -m ipykernel install --sys-prefix`")
    if "train" in installed:
        yield _check("Keras trains a small network", _train_a_little, INSTALL)


def _requirements() -> tuple[str, dict[str, list[str]]]:
    """Return what the checkout requires, or the installed package if there is none.

    Returns:
        The Python versions; and for each extra of `PURPOSES`, and "" for what is always needed, the packages.
    """
    file = paths.REPOSITORY / "pyproject.toml"
    if file.is_file():
        project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
        optional = project["optional-dependencies"]
        return project["requires-python"], {"": project["dependencies"], **{name: optional[name] for name in PURPOSES}}
    package = importlib.metadata.metadata("lumbar")
    lines = package.get_all("Requires-Dist", [])
    always = [line for line in lines if "extra ==" not in line]
    of_extras = {name: [line for line in lines if f'extra == "{name}"' in line] for name in PURPOSES}
    return package["Requires-Python"], {"": always, **of_extras}


def _python(allowed: str) -> Finding:
    version = platform.python_version()
    return Finding(
        "Python",
        SpecifierSet(allowed).contains(version),
        f"{version} ({sys.executable})",
        f"install Python {allowed} and create the environment again: `make clean course PYTHON=python3.12`",
    )


def _requirement(requirement: Requirement, extra: str) -> Finding:
    name = requirement.name
    here = {"extra": extra} | default_environment()
    if requirement.marker and not requirement.marker.evaluate(here):
        return Finding(name, True, "not needed here")
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, False, "not installed", INSTALL)
    return Finding(name, requirement.specifier.contains(version), f"{version} (needs {requirement.specifier})", INSTALL)


def _folder_is_writable(folder: Path) -> Finding:
    remedy = "make it writable, or set LUMBAR_HOME to a folder that is"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return Finding(f"folder {folder.name}/", True, f"{folder} can be written")
    except OSError as error:
        return Finding(f"folder {folder.name}/", False, f"{folder}: {error.strerror}", remedy)


def _check(requirement: str, attempt: Callable[[], str], remedy: str) -> Finding:
    """Return the finding of a check: a function that returns what it found, or raises an error."""
    try:
        return Finding(requirement, True, attempt())
    except LumbarError as error:  # it knows better what to do
        where = error.file or error.field or error.problem
        return Finding(requirement, False, f"{where}: {error.found or error.problem}", error.remedy or remedy)
    except Exception as error:  # any error means that the requirement is not met
        return Finding(requirement, False, f"{type(error).__name__}: {error}", remedy)


def _find_space() -> str:
    existing = next(folder for folder in (paths.home(), *paths.home().parents) if folder.is_dir())
    free = shutil.disk_usage(existing).free / 1e9
    if free < FREE_GIGABYTES:
        raise OSError(f"only {free:.1f} GB free in {existing}")
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
    return f"{len(needed)} compression methods can be read"


def _train_a_little() -> str:
    import numpy as np

    from lumbar.core.backend import keras

    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3), keras.layers.GlobalMaxPool2D()])
    model.compile("adam", "mse")
    loss = model.fit(np.ones((4, 8, 8, 1)), np.zeros((4, 2)), verbose=0).history["loss"][0]
    return f"loss {loss:.2f} on the {keras.backend.backend()} backend"
