"""Provenance of a run: the code, packages and machine on which, beside settings and data, its last bits depend."""

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
"""Packages, beside the backend, whose results go into a training; by the names under which they are installed."""

BACKENDS = {"tensorflow": ("tensorflow",), "jax": ("jax", "jaxlib"), "torch": ("torch",)}
"""Keras backend → the packages that it consists of."""

SWITCHES = re.compile(
    r"OMP_NUM_THREADS|(OPENBLAS|MKL)_NUM_THREADS|TF_NUM_(INTRA|INTER)OP_THREADS|TF_ENABLE_ONEDNN_OPTS|TF_XLA_FLAGS"
    r"|XLA_FLAGS|(ONEDNN|DNNL)_.*|TF_DETERMINISTIC_OPS|TF_CUDNN_DETERMINISTIC|NVIDIA_TF32_OVERRIDE|CUDA_VISIBLE_DEVICES"
)
"""Names of environment variables that choose threads, kernels or devices."""


def environment() -> dict[str, Any]:
    """Return the provenance of what this process computes, as plain values for a run's config.json.

    Returns:
        lumbar (version and fingerprint of its code), git (commit, and whether tracked files are modified; None outside
        a checkout), python, packages (name → version), backend, system, machine (processor, cores that this process may
        use, memory in GB, devices) and switches (environment variables that choose threads, kernels or devices; number
        of the backend's threads, 0 if the backend chooses it).
    """
    from lumbar.core.backend import keras

    backend = keras.backend.backend()
    return {
        "lumbar": {"version": VERSION, "code": _code_fingerprint()},
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
    """Return the differences of two records, one line each, such as ``packages keras: 3.14.0, then 3.15.1``.

    Args:
        one: The earlier record, as `environment` returns it.
        other: The later one.
        within: Text that precedes each name, for a part of a record.
    """
    lines = []
    for name in [*one, *(name for name in other if name not in one)]:
        before, after = one.get(name), other.get(name)
        if isinstance(before, dict) and isinstance(after, dict):
            lines += differences(before, after, f"{within}{name} ")
        elif before != after:
            lines.append(f"{within}{name}: {_as_text(before)}, then {_as_text(after)}")
    return lines


def lines(record: dict[str, Any]) -> list[tuple[str, str]]:
    """Return a record as text for people: pairs of name and value."""
    return [(name, _as_text(value)) for name, value in record.items()]


def _as_text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_as_text(each)}" for name, each in value.items()) or "none"
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


def _code_fingerprint() -> str:
    """Return a fingerprint that changes with the package's code, committed or not."""
    folder = paths.PACKAGE
    files = sorted(folder.rglob("*.py"))
    return digest_of(f"{file.relative_to(folder).as_posix()}\n".encode() + file.read_bytes() for file in files)


def _git(folder: Path) -> dict[str, Any] | None:
    """Return the state of the checkout at `folder`; None if `folder` is not the top folder of a checkout."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True, timeout=30
        ).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != folder.resolve():
            return None
        return {
            "commit": git("rev-parse", "HEAD"),
            "modified": bool(git("status", "--porcelain", "--untracked-files=no")),
        }
    except (OSError, subprocess.SubprocessError):
        return None


def _machine() -> dict[str, Any]:
    import psutil

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = round(psutil.virtual_memory().total / 1e9)
    return {"processor": _processor(), "cores": usable, "memory_gb": memory}


def _devices(backend: str) -> list[str]:
    if backend == "torch":  # Keras does not list its devices
        import torch

        return [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())] or ["cpu:0"]
    from lumbar.core.backend import keras

    return list(keras.distribution.list_devices())


def _processor() -> str:
    """Return the name of the processor."""
    try:
        if platform.system() == "Linux":
            named = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.M)
            return named[1] if named else platform.machine()
        if platform.system() == "Darwin":
            command = ["sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()
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
