#!/usr/bin/env bash
# MetaImage (.mha, .mhd): keys that are synonyms may stand in one header, and SimpleITK takes one of them silently.
#
# Position, Offset and Origin all name the first voxel's place: SimpleITK prefers Origin, then Offset, then Position,
# wherever they stand. BinaryDataByteOrderMSB and ElementByteOrderMSB both name the byte order: SimpleITK prefers the
# former. The format's documentation calls them synonyms and gives no order, so that a reader that takes the last or the
# first key gets another place or other pixels from the same valid file.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet --disable-pip-version-check SimpleITK==2.5.7 2>/dev/null
cd "$work"
env/bin/python - <<'PY'
import itertools

import SimpleITK as sitk

print(f"SimpleITK {sitk.Version.VersionString()}")


def read(*keys):
    header = ["ObjectType = Image", "NDims = 3", "BinaryData = True", "CompressedData = False", "DimSize = 2 1 1"]
    header += [*keys, "ElementType = MET_SHORT", "ElementDataFile = LOCAL"]
    with open("volume.mha", "wb") as file:
        file.write("\n".join(header).encode() + b"\n" + bytes([1, 0, 0, 0]))
    return sitk.ReadImage("volume.mha")


places = {"Position": 10, "Offset": 20, "Origin": 30}
for order in itertools.permutations(places):
    x = read("BinaryDataByteOrderMSB = False", *(f"{key} = {places[key]} 0 0" for key in order)).GetOrigin()[0]
    print(f"{', '.join(f'{key} = {places[key]}' for key in order)}: SimpleITK places the first voxel at x = {x:g}")
    assert x == places["Origin"], "the behaviour has changed"
x = read("BinaryDataByteOrderMSB = False", "Position = 10 0 0", "Offset = 20 0 0").GetOrigin()[0]
print(f"Position = 10, Offset = 20: x = {x:g}")
assert x == places["Offset"], "the behaviour has changed"
for first, second in itertools.permutations(["BinaryDataByteOrderMSB = False", "ElementByteOrderMSB = True"]):
    value = read(first, second).GetPixel(0, 0, 0)
    print(f"{first}, {second}, bytes 01 00: SimpleITK reads {value}")
    assert value == 1, "the behaviour has changed"
PY
