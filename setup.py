"""Puts the notebooks into the wheel, so that `lumbar course` works away from a checkout. The rest: pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class WithNotebooks(build_py):
    """Copies the notebooks and their parameter files to where `lumbar.course.runner` looks for them."""

    def run(self):  # noqa: D102
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib) / "lumbar" / "course" / "notebooks"
            shutil.copytree("notebooks", target, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*"))


setup(cmdclass={"build_py": WithNotebooks})
