"""The machine and the software on which the speed was measured."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PACKAGES = (
    *("numpy", "opencv-python-headless", "keras", "tensorflow", "torch", "jax", "onnxruntime", "openvino"),
    *("pydicom", "scikit-image"),
)
INSTRUCTION_SETS = ("avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile", "amx_bf16")
"""Instruction sets that decide how fast convolutions are; only Linux lists them."""


def described() -> dict[str, Any]:
    """Return processor, cores, instruction sets, memory, versions, date, and how busy the machine was."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "processor": _cpuinfo("model name") or platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "instruction sets": [name for name in INSTRUCTION_SETS if name in _cpuinfo("flags").split()],
        "memory, GB": _memory(),
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": {name: version for name in PACKAGES if (version := _version(name))},
        "load before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def _cpuinfo(field: str) -> str:
    """Return a field of Linux's /proc/cpuinfo; "" on other systems."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else ()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(field)), "")


def _memory() -> float | None:
    """Return the memory of the machine in GB (2³⁰ bytes); None if the system does not report it."""
    if not hasattr(os, "sysconf"):
        return None
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
