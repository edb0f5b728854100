"""Fuzz the readers with valid files whose bytes and elements are changed at random: ``python -m tests.stress.fuzz``.

``--minutes 10`` fuzzes for so long and keeps the files that are findings; ``--seed N --once`` repeats a single case. A
finding is an exception that is not one of ours, a result that breaks its contract, or a reader that takes too long.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from random import Random

import numpy as np
import pydicom
from PIL import Image
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement

from lumbar import datasets, imaging, landmarks
from lumbar.core.errors import LumbarError, ScanError
from lumbar.datasets.inspection import inspect
from lumbar.imaging.dicom import decoder
from tests.stress.bad_input.tables import rows
from tests.support.dicom_files import EDGE_CASES, SHIPPED
from tests.support.noise import noise

SECONDS = 10
"""A reader that takes longer than this for one small file is a finding."""

LARGEST_SEED = 300_000
"""Bytes; in larger files too few mutations would hit what matters."""

_KEYWORDS = (
    *("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "SamplesPerPixel"),
    *("PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "PixelSpacing", "ImagePositionPatient"),
    *("ImageOrientationPatient", "RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth", "PatientName"),
    *("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "BurnedInAnnotation", "SpecificCharacterSet", "Modality"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "PixelData", "InstanceNumber"),
    *("ModalityLUTSequence", "PresentationLUTShape"),
)
_VALUES = (
    *(
        "",
        "0",
        "-1",
        "NaN",
        "inf",
        "1e400",
        "1\\2\\3\\4\\5\\6",
        "0\\0",
        "a",
        "\0",
        "é",
        "MONOCHROME1",
        "INVERSE",
        "PALETTE COLOR",
    ),
    *("YBR_FULL", "RGB", "YES", "9" * 40, "1.2.840.10008.1.2.4.50", "\x1b$B", "ISO 2022 IR 87", "\\"),
)
_REPRESENTATIONS = ("US", "SS", "UL", "LO", "DS", "IS", "UI", "SQ", "OB", "OW", "UN", "FD", "AT", "PN")


@cache
def dicom_seeds() -> tuple[tuple[str, bytes], ...]:
    """Return the valid DICOM files that mutations start from: names and contents."""
    files = [path for path in (*SHIPPED, *sorted(EDGE_CASES.glob("*.dcm"))) if path.stat().st_size <= LARGEST_SEED]
    # Grey images count four times, so that mutations reach more than headers.
    often = [path for path in files if b"MONOCHROME" in path.read_bytes()[:5000]]
    return tuple((path.name, path.read_bytes()) for path in (*files, *often, *often, *often))


@cache
def picture_seeds() -> tuple[tuple[str, bytes], ...]:
    """Return the valid PNG and JPEG files that mutations start from."""
    grey = noise((40, 30), 60)
    deep = Image.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30))
    kinds = [("png", grey), ("png", deep), ("png", grey.convert("P")), ("png", grey.convert("LA")), ("jpg", grey)]
    found = []
    for ending, picture in [*kinds, ("jpg", grey.convert("RGB")), ("jpg", grey.convert("CMYK"))]:
        written = BytesIO()
        picture.save(written, "PNG" if ending == "png" else "JPEG")
        found.append((f"seed.{ending}", written.getvalue()))
    return tuple(found)


@cache
def table_seeds() -> tuple[tuple[str, bytes], ...]:
    """Return the valid tables that mutations start from: our own layout and that of the public set."""
    ours = rows().head(10)
    public = ours.assign(filename=ours["image"], relative_x="0.5", relative_y="0.5", source="lsd")
    public = public[["filename", "source", "x", "y", "level", "relative_x", "relative_y"]]
    written = [("landmarks.csv", ours, ","), ("landmarks.csv", ours, ";"), ("coords_pretrain.csv", public, ",")]
    return tuple((name, table.to_csv(index=False, sep=separator).encode()) for name, table, separator in written)


def mutated(random: Random, content: bytes) -> bytes:
    """Return the content with some bytes flipped, replaced, removed or doubled."""
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 1, 2, 3, 16))):
        if not changed:
            break
        place = random.randrange(len(changed))
        if random.random() < 0.4:  # headers are at the beginning
            place %= min(len(changed), 2000)
        length = random.choice((1, 1, 2, 4, 8, 100))
        kind = random.randrange(6)
        if kind == 0:
            changed[place] ^= 1 << random.randrange(8)
        elif kind == 1:
            changed[place : place + length] = random.randbytes(length)
        elif kind == 2:
            changed[place : place + length] = random.choice((b"\0", b"\xff")) * length
        elif kind == 3:
            del changed[place : place + length]
        elif kind == 4:
            changed[place:place] = changed[place : place + length]
        elif random.random() < 0.1:
            del changed[place:]
    return bytes(changed)


def dicom_mutated(random: Random, content: bytes) -> bytes:
    """Return a DICOM file with wrong values or value representations of elements, with changed bytes, or both."""
    if random.random() < 0.6:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with contextlib.suppress(Exception):  # what pydicom refuses to write stays as it was
                content = _elements_changed(random, content)
    return mutated(random, content) if random.random() < 0.7 else content


def _elements_changed(random: Random, content: bytes) -> bytes:
    dataset = pydicom.dcmread(BytesIO(content), force=True)
    for _ in range(random.choice((1, 2, 4))):
        keyword = random.choice(_KEYWORDS)
        kind = random.random()
        if kind < 0.2:
            dataset.pop(keyword, None)
        elif kind < 0.6:
            value = random.choice((0, 1, 3, 8, 64, 255, 4096, 65535, random.randrange(65536)))
            dataset[keyword] = DataElement(keyword, "US", value)
        elif kind < 0.9:
            representation = dictionary_VR(keyword) if random.random() < 0.5 else random.choice(_REPRESENTATIONS)
            value = random.choice(_VALUES).encode("utf-8")
            dataset[keyword] = pydicom.dataelem.RawDataElement(
                pydicom.tag.Tag(keyword), representation, len(value), value, 0, False, True
            )
        else:
            dataset.file_meta.TransferSyntaxUID = random.choice(list(pydicom.uid.AllTransferSyntaxes))
    written = BytesIO()
    dataset.save_as(written, enforce_file_format=False)
    return written.getvalue()


def read_scan(path: Path) -> str:
    """Read an image, or the first frame of several; return "read" or "refused"."""
    for frame in (None, 0):
        try:
            scan = imaging.read(path, frame=frame)
            break
        except ScanError as error:
            if error.field != "NumberOfFrames" or frame is not None:
                str(error)
                return "refused"
    assert scan.pixels.dtype == np.float32
    assert scan.pixels.ndim == 2
    assert scan.pixels.size
    assert np.isfinite(scan.pixels).all()
    if scan.plane is not None:
        assert np.isfinite(scan.plane.to_patient([[0, 0], [9, 9]])).all()
        assert scan.view in landmarks.VIEWS
    return "read"


def read_table(path: Path) -> str:
    """Check and load a data set; return "read" or "refused"."""
    str(inspect(path.parent, progress=False))
    try:
        table = datasets.load(path.parent).table
    except LumbarError as error:
        str(error)
        return "refused"
    for axis, extent in (("x", "width"), ("y", "height")):
        assert (table[axis].isna() | table[axis].between(-0.5, table[extent] - 0.5)).all()
    assert table["level"].isin(landmarks.LEVELS).all()
    return "read"


TARGETS: dict[str, tuple[Callable, Callable, Callable]] = {
    "dicom": (dicom_seeds, dicom_mutated, read_scan),
    "picture": (picture_seeds, mutated, read_scan),
    "table": (table_seeds, mutated, read_table),
}
"""Name of a target → its valid files, the function that changes them, and the reader."""


def attempt(target: str, seed: int, folder: Path) -> tuple[Path, str]:
    """Make one file and read it; return the file, and "read" or "refused". Any exception is a finding."""
    seeds, change, read = TARGETS[target]
    random = Random(f"{target} {seed}")
    name, content = random.choice(seeds())
    path = folder / name
    path.write_bytes(change(random, content))
    return path, read(path)


def prepare_folder(folder: Path) -> None:
    """Write the images that the tables name."""
    for number in range(2):
        for name in (f"{number}.png", f"data/processed_lsd_jpgs/{number}.png"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            noise((128, 128), 50).save(folder / name)


class _TooLongError(Exception):
    pass


def _too_long(*_) -> None:
    raise _TooLongError(f"more than {SECONDS} seconds")


def main() -> int:
    """Fuzz for a while; the exit code is 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.stress.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="how long to fuzz (default: 1)")
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=list(TARGETS), help="readers (default: all)")
    parser.add_argument("--seed", type=int, default=None, help="number of the first case (default: from the clock)")
    parser.add_argument("--once", action="store_true", help="run only that case, with its traceback")
    parser.add_argument(
        "--keep", type=Path, default=Path("fuzz-findings"), help="folder of the files that are findings"
    )
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    seed = int(time.time()) * 1000 if arguments.seed is None else arguments.seed
    if arguments.once:
        with tempfile.TemporaryDirectory() as place:
            prepare_folder(Path(place))
            print(*(attempt(target, seed, Path(place)) for target in arguments.targets), sep="\n")
        return 0
    counts, found, peak = _run(arguments, seed)
    for target in arguments.targets:
        print(f"{target}:", ", ".join(f"{counts[target, answer]} {answer}" for answer in ("read", "refused", "found")))
    print(f"{arguments.minutes:g} minutes from seed {seed}; memory grew by at most {peak:.0f} MB")
    for kind, example in found.items():
        print(f"found: {kind} (e.g. {example})")
    return 1 if found else 0


def _run(arguments: argparse.Namespace, seed: int) -> tuple[Counter, dict[str, str], float]:
    """Fuzz until the time is over; return counts, findings with the flags that repeat them, and memory growth in MB."""
    counts, found, end = Counter(), {}, time.monotonic() + 60 * arguments.minutes
    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, _too_long)
    at_first = _memory()
    with tempfile.TemporaryDirectory() as place:
        while time.monotonic() < end:
            for target in arguments.targets:
                folder = Path(place) / target
                if not folder.is_dir():
                    prepare_folder(folder)
                if hasattr(signal, "SIGALRM"):
                    signal.alarm(SECONDS)
                try:
                    path, answer = attempt(target, seed, folder)
                    path.unlink()
                    counts[target, answer] += 1
                except KeyboardInterrupt:
                    raise
                except BaseException as error:
                    counts[target, "found"] += 1
                    place_in_code = traceback.extract_tb(error.__traceback__)[-1]
                    kind = (
                        f"{type(error).__name__} in {Path(place_in_code.filename).name}:{place_in_code.lineno}: {error}"
                    )
                    if len(found) < 100 and kind not in found:
                        arguments.keep.mkdir(exist_ok=True)
                        found[kind] = f"--targets {target} --seed {seed} --once"
                        print(f"found: {kind} ({found[kind]})", file=sys.stderr, flush=True)
                        _keep(arguments.keep / f"{target}-{seed}", folder)
                finally:
                    signal.alarm(0)
            seed += 1
    decoder.dismiss()  # so that its memory counts
    return counts, found, _memory() - at_first


def _keep(target: Path, folder: Path) -> None:
    """Copy the files of a finding, and remove them from where the next case is written."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(folder, target)
    for file in folder.iterdir():
        if file.is_file() and not file.name[0].isdigit():
            file.unlink()


def _memory() -> float:
    """Return the peak memory of this process and of its ended children, MB."""
    import resource

    mine, others = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return max(mine, others) / (1024 if os.uname().sysname == "Linux" else 2**20)


if __name__ == "__main__":
    sys.exit(main())
