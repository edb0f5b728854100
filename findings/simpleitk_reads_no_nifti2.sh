#!/usr/bin/env bash
# SimpleITK does not read NIfTI-2, which nibabel writes and reads like any other volume.
#
# NIfTI-2 is NIfTI-1 with wider numbers in its header, for volumes of more than 32,767 voxels along an axis; smaller ones
# may be stored so, too. nibabel chooses by the header, so that a user does not notice which of the two a file is. ITK's reader knows NIfTI-1 alone, and its message
# does not name the version: it says that no reader was found, or that the file could not be read. A tool that writes
# labels beside a scan does well to write NIfTI-1, whatever the scan is.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet --disable-pip-version-check simpleitk==2.5.7 nibabel==5.4.2 numpy==2.4.6 2>/dev/null
cd "$work"
env/bin/python -W ignore - <<'PY'
import importlib.metadata

import nibabel
import numpy as np
import SimpleITK as sitk

print("SimpleITK", importlib.metadata.version("simpleitk"), "nibabel", importlib.metadata.version("nibabel"))
voxels = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
read = {}
for version, kind in (("NIfTI-1", nibabel.Nifti1Image), ("NIfTI-2", nibabel.Nifti2Image)):
    for ending in (".nii", ".nii.gz"):
        file = f"{version}{ending}"
        kind(voxels, np.diag([2.0, 2.0, 3.0, 1.0])).to_filename(file)
        assert np.array_equal(np.asanyarray(nibabel.load(file).dataobj), voxels)
        try:
            read[file] = np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(file)), voxels.T)
            print(f"{file}: nibabel and SimpleITK read the same voxels: {read[file]}")
        except RuntimeError as error:
            read[file] = None
            said = [line.strip() for line in str(error).splitlines() if line.strip()][-1]
            print(f"{file}: nibabel reads it, SimpleITK raises: {said[:110]}")
assert read == {"NIfTI-1.nii": True, "NIfTI-1.nii.gz": True, "NIfTI-2.nii": None, "NIfTI-2.nii.gz": None}, "it has changed"
PY
