"""The process and its children keep freed memory, unless the environment says otherwise."""

import os
import platform
import subprocess
import sys

import pytest

from lumbar.core.allocator import KEEPING

COUNT_PAGES = """
import resource
for _ in range(20):
    b"x" * 2**25
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""
KEEP = "from lumbar.core.allocator import keep_freed_memory\nkeep_freed_memory()\n"

glibc_only = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only the GNU C library has these settings")


def pages_fetched(code: str, **environment: str) -> int:
    """Memory pages that a fresh process requested from the operating system."""
    inherited = {name: value for name, value in os.environ.items() if name not in KEEPING}
    command = [sys.executable, "-c", code]
    return int(subprocess.run(command, env=inherited | environment, capture_output=True, check=True).stdout)


@glibc_only
def test_freed_memory_is_reused():
    assert pages_fetched(KEEP + COUNT_PAGES) < pages_fetched(COUNT_PAGES) / 3


@glibc_only
def test_child_processes_reuse_theirs():
    in_child = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {COUNT_PAGES!r}], check=True)"
    assert pages_fetched(KEEP + in_child) < pages_fetched(in_child) / 3


@glibc_only
def test_a_setting_in_the_environment_is_left_alone():
    by_default = pages_fetched(COUNT_PAGES)
    assert pages_fetched(KEEP + COUNT_PAGES, MALLOC_ARENA_MAX="4") > by_default / 2
