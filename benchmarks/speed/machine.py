"""On what it was measured."""

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
TELLING = ("avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile", "amx_bf16")
"""Instruction sets that decide how fast convolutions are; Linux tells them."""


def described() -> dict[str, Any]:
    """Processor, cores, instruction sets, memory, versions, date, and how busy the machine was."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "processor": _told("model name") or platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "instruction sets": [name for name in TELLING if name in _told("flags").split()],
        "memory, GB": _memory(),
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": {name: version for name in PACKAGES if (version := _version(name))},
        "load before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def _told(field: str) -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else ()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(field)), "")


def _memory() -> float | None:
    if not hasattr(os, "sysconf"):
        return None
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
