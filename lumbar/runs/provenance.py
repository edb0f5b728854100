"""What, beside settings and data, the last bits of a training depend on: code, packages, machine."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lumbar.core import paths
from lumbar.core.constants import VERSION
from lumbar.core.digests import digest_of

PACKAGES = ("keras", "numpy", "opencv-python-headless", "scipy")
"""Packages, beside the backend, whose numbers go into a training, under the names by which they are installed."""

BACKENDS = {"tensorflow": ("tensorflow",), "jax": ("jax", "jaxlib"), "torch": ("torch",)}
"""Keras's backends → packages."""

SWITCHES = re.compile(
    r"OMP_NUM_THREADS|(OPENBLAS|MKL)_NUM_THREADS|TF_NUM_(INTRA|INTER)OP_THREADS|TF_ENABLE_ONEDNN_OPTS|TF_XLA_FLAGS"
    r"|XLA_FLAGS|(ONEDNN|DNNL)_.*|TF_DETERMINISTIC_OPS|TF_CUDNN_DETERMINISTIC|NVIDIA_TF32_OVERRIDE|CUDA_VISIBLE_DEVICES"
)
"""Variables of the environment that choose threads, kernels or devices."""


def environment() -> dict[str, Any]:
    """The record of this process, of plain values, for a run's config.json.

    Returns:
        lumbar (version and fingerprint of its code), git (commit, and whether tracked files are modified; None outside
        a checkout), python, packages (name → version), backend, system, machine (processor, cores this process may
        use, memory in GB, devices) and switches (variables of the environment that choose threads and kernels; threads
        of the backend, 0 for as many as it likes).
    """
    from lumbar.core.backend import keras

    backend = keras.backend.backend()
    return {
        "lumbar": {"version": VERSION, "code": _code()},
        "git": _git(paths.REPOSITORY),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in (*PACKAGES, *BACKENDS.get(backend, ()))},
        "backend": backend,
        "system": platform.platform(),
        "machine": _machine() | {"devices": _devices(backend)},
        "switches": {name: value for name, value in sorted(os.environ.items()) if SWITCHES.fullmatch(name)}
        | _threads(backend),
    }


def differences(one: dict[str, Any], other: dict[str, Any], within: str = "") -> list[str]:
    """What two records do not share, a line each: ``packages keras: 3.14.0, then 3.15.1``."""
    lines = []
    for name in [*one, *(name for name in other if name not in one)]:
        before, after = one.get(name), other.get(name)
        if isinstance(before, dict) and isinstance(after, dict):
            lines += differences(before, after, f"{within}{name} ")
        elif before != after:
            lines.append(f"{within}{name}: {_in_words(before)}, then {_in_words(after)}")
    return lines


def lines(record: dict[str, Any]) -> list[tuple[str, str]]:
    """The record for a reader: (what, value)."""
    return [(name, _in_words(value)) for name, value in record.items()]


def _in_words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_in_words(each)}" for name, each in value.items()) or "none"
    if isinstance(value, list):
        return " ".join(map(str, value)) or "none"
    if value is None or isinstance(value, bool):
        return {None: "not known", True: "yes", False: "no"}[value]
    return str(value)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except ModuleNotFoundError:
        return None


def _code() -> str:
    """Changes with the package's code, committed or not."""
    folder = paths.PACKAGE
    files = sorted(folder.rglob("*.py"))
    return digest_of(f"{file.relative_to(folder).as_posix()}\n".encode() + file.read_bytes() for file in files)


def _git(folder: Path) -> dict[str, Any] | None:
    """The state of the checkout whose top `folder` is."""

    def said(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True, timeout=30
        ).stdout.strip()

    try:
        if Path(said("rev-parse", "--show-toplevel")).resolve() != folder.resolve():
            return None
        return {
            "commit": said("rev-parse", "HEAD"),
            "modified": bool(said("status", "--porcelain", "--untracked-files=no")),
        }
    except (OSError, subprocess.SubprocessError):
        return None


def _machine() -> dict[str, Any]:
    import psutil

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = round(psutil.virtual_memory().total / 1e9)
    return {"processor": _processor(), "cores": usable, "memory_gb": memory}


def _devices(backend: str) -> list[str]:
    if backend == "torch":  # Keras has no list for it
        import torch

        return [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())] or ["cpu:0"]
    from lumbar.core.backend import keras

    return list(keras.distribution.list_devices())


def _processor() -> str:
    """The processor's name."""
    try:
        if platform.system() == "Linux":
            named = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.M)
            return named[1] if named else platform.machine()
        if platform.system() == "Darwin":
            asked = ["sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(asked, capture_output=True, text=True, check=True, timeout=30).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        pass
    return platform.processor() or platform.machine()


def _threads(backend: str) -> dict[str, int]:
    if backend == "tensorflow":
        from tensorflow.config import threading

        return {
            "threads within an operation": threading.get_intra_op_parallelism_threads(),
            "threads between operations": threading.get_inter_op_parallelism_threads(),
        }
    if backend == "torch":
        import torch

        return {"threads within an operation": torch.get_num_threads()}
    return {}
