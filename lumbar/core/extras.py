"""Optional parts of the installation ("extras"): which there are, and how to install one that is missing."""

from __future__ import annotations

from importlib.util import find_spec

from lumbar.core.errors import SettingsError

PACKAGES = {
    "train": ("keras", "keras_tuner", "tensorboard"),
    "course": ("anywidget", "keras", "ipywidgets", "jupyterlab", "nbconvert", "papermill"),
    "dask": ("distributed",),
    "dicom-sr": ("highdicom",),
    "graph": ("ndonnx",),
    "fetch": ("kagglehub", "pooch"),
    "jax": ("jax",),
    "mlflow": ("mlflow",),
    "nifti": ("nibabel",),
    "openvino": ("openvino",),
    "page": ("ndonnx",),
    "site": ("furo", "myst_nb", "sphinx"),
}
"""Extra → the packages by which it is recognised; pyproject.toml states what it installs."""

SOURCE = "https://github.com/lumbar/lumbar"
"""Where the package comes from. It is on no index: a package of this name there would not be ours."""


def how_to_install(extra: str) -> str:
    """Return the commands that install an extra: in a checkout, and without one."""
    return f'in a checkout `pip install -e ".[{extra}]"`, otherwise `pip install "lumbar[{extra}] @ git+{SOURCE}"`'


def require(extra: str, purpose: str) -> None:
    """Check that an extra is installed.

    Args:
        extra: One of `PACKAGES`.
        purpose: What needs it, such as "train".

    Raises:
        SettingsError: If a package of it is missing; the message says how to install it.
    """
    missing = [name for name in PACKAGES[extra] if find_spec(name) is None]
    if missing:
        raise SettingsError(
            f"to {purpose} needs packages that are not installed",
            found=f"no {' and no '.join(missing)}",
            expected=f"the extra {extra}",
            remedy=how_to_install(extra),
        )
