#!/usr/bin/env bash
# NIfTI: nibabel and SimpleITK place the same file at different positions, depending on a code.
#
# A NIfTI header holds two affine maps to millimetres, the sform and the qform. nibabel follows the sform wherever its
# code is above 0. SimpleITK, and with it 3D Slicer and ITK-SNAP, follows the sform if its code is 1, but the qform if
# the sform's code is 2 and the qform is set. Neither says so when the two maps disagree.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 nibabel==5.4.2 SimpleITK==2.5.7 2>/dev/null
cd "$work"
env/bin/python - <<'PY'
import nibabel
import numpy as np
import SimpleITK as sitk

print(f"nibabel {nibabel.__version__}, SimpleITK {sitk.Version.VersionString()}, numpy {np.__version__}")
moved = np.eye(4)
moved[0, 3] = 20
apart = {}
for code in (1, 2):
    image = nibabel.Nifti1Image(np.zeros((4, 5, 6), np.int16), None)
    image.set_sform(np.eye(4), code=code)
    image.set_qform(moved, code=1)
    nibabel.save(image, "volume.nii")
    left_posterior = nibabel.load("volume.nii").affine[:3, 3] * [-1, -1, 1]
    origin = np.array(sitk.ReadImage("volume.nii").GetOrigin())
    apart[code] = float(np.linalg.norm(origin - left_posterior))
    print(f"sform_code {code}, qform_code 1, maps 20 mm apart: the two readers disagree by {apart[code]:.1f} mm")
assert apart == {1: 0, 2: 20}, "the behaviour has changed"
PY
