"""A run is a folder: what was trained on whom with which settings, how it went, and on which machine.

`settings` has the settings of each verb, `folder` reads and writes what stands in a run's folder, `provenance` records
the code, packages and machine that the last bits of a result depend on.
"""

from lumbar.runs.folder import load_config, load_settings, read_history, read_json, read_split, run_folder
from lumbar.runs.settings import TrainingSettings, default_name

__all__ = [
    "TrainingSettings",
    "default_name",
    "load_config",
    "load_settings",
    "read_history",
    "read_json",
    "read_split",
    "run_folder",
]
