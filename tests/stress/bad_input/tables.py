"""Landmark tables: data sets of eight patients with one image each, as a user may provide them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from lumbar import datasets
from lumbar.landmarks import LEVELS
from tests.stress.bad_input import NAMED, READ, REFUSED, REPAIRED, Case, Words
from tests.stress.bad_input.scans import predict
from tests.support.dicom_files import dicom
from tests.support.noise import noise

PATIENTS = 8
LEVEL_ROWS = [(level, 60.5 + 2 * order, 20.25 + 20 * order) for order, level in enumerate(LEVELS)]
Table = pd.DataFrame


def rows() -> Table:
    """Return a valid table, all of it text."""
    columns = {"source": "here", "view": "sagittal", "contrast": "", "side": "", "pixel_width": "", "pixel_height": ""}
    return pd.DataFrame(
        {"image": f"{number}.png", "patient": f"p{number}", "level": level, "x": str(x), "y": str(y)}
        | columns
        | {"width": "128", "height": "128"}
        for number in range(PATIENTS)
        for level, x, y in LEVEL_ROWS
    )


def changed(
    change: Callable[[Table], Table | None] = lambda table: None,
    *,
    encoding: str = "utf-8",
    separator: str = ",",
    text: Callable[[str], str] = lambda text: text,
    pictures: Callable[[Path], None] = lambda folder: None,
    verb: str = "check",
) -> Callable[[Path], Words]:
    """Make a data set whose table, text or images are changed, for the command `verb`."""

    def build(folder: Path) -> Words:
        data = folder / "data"
        data.mkdir()
        for number in range(PATIENTS):
            noise((128, 128), 40 + number).save(data / f"{number}.png")
        table = rows()
        changed_table = change(table)
        table = table if changed_table is None else changed_table
        content = text(table.to_csv(index=False, sep=separator, lineterminator="\n"))
        (data / "landmarks.csv").write_bytes(content.encode(encoding))
        pictures(data)
        return ["check", data] if verb == "check" else ["train", "--data", data, "--epochs", "1"]

    return build


def judged(name: str, text: str) -> Callable[[Path], Words]:
    """Predict one file that a file of judgements may leave out."""

    def build(folder: Path) -> Words:
        (folder / name).write_text(text, encoding="utf-8")
        return predict(dicom(folder / "a.dcm"), folder=folder, flags=["--quality", folder / name])

    return build


def no_points(folder: Path) -> None:
    assert not (folder / "points.csv").exists()


JUDGEMENTS = {
    "without the column quality": ("qc.csv", "image,note\na.dcm,\n", "lacks columns"),
    "with another word": ("qc.csv", "image,quality,note\na.dcm,good,\n", "this is not a judgement"),
    "that contradict each other": ("qc.csv", "image,quality,note\na,pass,\na,fail,\n", "two judgements"),
    "of other pictures": ("qc.csv", "image,quality,note\nb.dcm,pass,\n", "none of the images passed"),
    "of which all failed": ("qc.yml", "FILES_LABEL:\n- a.dcm\n", "none of the images passed"),
    "in damaged YAML": ("qc.yml", "FILES_LABEL: [", "not a list of images that failed"),
    "in YAML of something else": ("qc.yml", "a: 1", "not a list of images that failed"),
    "in YAML that names a Python object": ("qc.yml", "!!python/name:os.system", "not a list of images that failed"),
    "in an empty table": ("qc.csv", "", "the table is empty"),
}
"""Kind → the name of the file, its text, and what the command says."""


def cell(row: int, column: str, value: str) -> Callable[[Table], None]:
    def change(table: Table) -> None:
        table.loc[row, column] = value

    return change


def link_out(data: Path) -> None:
    noise((128, 128), 50).save(data.parent / "private.png")
    (data / "0.png").unlink()
    (data / "0.png").symlink_to(data.parent / "private.png")


def linked_folder(table: Table) -> None:
    table.loc[:4, "image"] = "elsewhere/0.png"


def link_folder(data: Path) -> None:
    (data.parent / "private").mkdir()
    (data / "0.png").rename(data.parent / "private" / "0.png")
    (data / "elsewhere").symlink_to(data.parent / "private")


def comma(value: str) -> str:
    return value.replace(".", ",")


def german(table: Table) -> Table:
    """As a spreadsheet in Germany saves it."""
    return table.assign(x=table["x"].map(comma), y=table["y"].map(comma), patient="Müller " + table["patient"])


def mixed(table: Table) -> None:
    table.loc[0, "x"] = "1,234"


def two_of_one_name(table: Table) -> None:
    table.insert(0, "x", "1", allow_duplicates=True)


def fractions(table: Table) -> Table:
    return table.assign(**{axis: [str(float(value) / 128) for value in table[axis]] for axis in ("x", "y")})


def unmarked(table: Table) -> None:
    table.loc[2, ["x", "y"]] = "0"


def swapped(table: Table) -> None:
    table.loc[[0, 1], "level"] = [LEVELS[1], LEVELS[0]]


def turned(table: Table) -> Table:
    return table.assign(y=[str(127 - float(y)) for y in table["y"]])


def damaged(data: Path) -> None:
    (data / "1.png").write_bytes((data / "1.png").read_bytes()[:500])
    (data / "3.png").write_text("not a picture")


def blank(data: Path) -> None:
    Image.new("L", (128, 128), 90).save(data / "2.png")


def series(table: Table) -> Table:
    """Two DICOM files in place of two pictures."""
    table.loc[table["image"] == "0.png", "image"] = "0.dcm"
    table.loc[table["image"] == "1.png", "image"] = "1.dcm"
    wide = table["image"].isin(["0.dcm", "1.dcm"])
    table.loc[wide, ["width", "height", "pixel_width", "pixel_height"]] = ["128", "128", "0.8", "0.5"]
    return table


def one_uid(data: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 999, (128, 128)).astype(np.uint16).tobytes()
    same = {"SeriesInstanceUID": "1.2.3", "StudyInstanceUID": "1.2", "Rows": 128, "Columns": 128, "PixelData": pixels}
    for number in (0, 1):
        uid, patient = f"1.2.3.{number}", f"P{number}"
        dicom(data / f"{number}.dcm", SOPInstanceUID=uid, PatientID=patient, PatientName=patient, **same)


def numbers_are_right(folder: Path) -> None:
    table = datasets.load(folder / "data").table
    np.testing.assert_allclose(table["x"], rows()["x"].astype(float))
    np.testing.assert_allclose(table["y"], rows()["y"].astype(float))


def letters_are_right(folder: Path) -> None:
    numbers_are_right(folder)
    assert datasets.load(folder / "data").table["patient"].iloc[0] == "Müller p0"


def points_are_missing(folder: Path) -> None:
    table = datasets.load(folder / "data").table
    assert table["x"].isna().sum() == len(LEVELS), (
        "those of the image with the wrong order, so that no network learns from them"
    )
    assert table.loc[table["x"].isna(), "image"].unique().tolist() == ["0.png"]


def a_point_is_missing(folder: Path) -> None:
    table = datasets.load(folder / "data").table
    assert table.index[table["x"].isna()].tolist() == [2]


def a_level_is_missing(folder: Path) -> None:
    assert len(datasets.load(folder / "data").table) == PATIENTS * len(LEVELS) - 1


ESCAPES = {
    "..": "../private.png",
    ".. further on": "a/../../private.png",
    "an absolute path": "/etc/hostname",
    "a drive": "C:\\private.png",
    "backslashes": "..\\private.png",
    "a name too long": "x" * 5000,
}
GERMAN = {"separator": ";"}
SEMICOLONS = "uses semicolons as separators"

CASES = [
    Case("table", "as it should be", changed(), READ, "Nothing is wrong", 0, numbers_are_right),
    # -- what the bytes mean
    Case("table", "a byte order mark", changed(encoding="utf-8-sig"), READ, "Nothing is wrong", 0, numbers_are_right),
    Case("table", "semicolons", changed(**GERMAN), REPAIRED, SEMICOLONS, 0, numbers_are_right),
    Case("table", "decimal commas", changed(german, **GERMAN), REPAIRED, SEMICOLONS, 0, letters_are_right),
    Case(
        "table",
        "Windows-1252",
        changed(german, encoding="cp1252", **GERMAN),
        REPAIRED,
        "read as Windows-1252",
        0,
        letters_are_right,
    ),
    Case(
        "table",
        "tabs and UTF-16",
        changed(german, encoding="utf-16", separator="\t"),
        REPAIRED,
        "encoded in UTF-16",
        0,
        letters_are_right,
    ),
    Case("table", "decimal commas and points", changed(mixed, **GERMAN), REFUSED, "mixes decimal commas and points", 1),
    Case(
        "table",
        "decimal commas between commas",
        changed(german, text=lambda text: text.replace('"', "")),
        REFUSED,
        "cannot be read",
        1,
    ),
    Case(
        "table",
        "quoted decimal commas between commas",
        changed(german),
        REPAIRED,
        "decimal commas in the column x",
        0,
        letters_are_right,
    ),
    Case(
        "table",
        "commas that may separate thousands",
        changed(lambda table: table.assign(x="1,234")),
        REFUSED,
        "a decimal comma, or one between thousands",
        1,
    ),
    Case(
        "table",
        "a first line that states the separator",
        changed(text=lambda text: "sep=;\n" + text, **GERMAN),
        REPAIRED,
        "begins with sep=;",
        0,
        numbers_are_right,
    ),
    Case(
        "table",
        "blanks after commas",
        changed(text=lambda text: text.replace(",", ", ")),
        REPAIRED,
        "blanks around its cells",
        0,
        numbers_are_right,
    ),
    Case(
        "table",
        "capital letters in the header",
        changed(lambda table: table.rename(columns=str.title)),
        REPAIRED,
        "Image as image",
        0,
        numbers_are_right,
    ),
    Case(
        "table",
        "levels written L4-L5",
        changed(lambda table: table.assign(level=table["level"].str.replace("/", "-"))),
        REPAIRED,
        "L4-L5 as L4/L5",
        0,
        numbers_are_right,
    ),
    Case(
        "table",
        "null characters",
        changed(text=lambda text: text.replace("p3", "p\0003")),
        REFUSED,
        "null characters",
        1,
    ),
    Case("table", "a quote that is not closed", changed(text=lambda text: text + '"'), REFUSED, "cannot be read", 1),
    Case(
        "table",
        "a row with too many cells",
        changed(text=lambda text: text + "9.png,p9,L1/L2" + ",1" * 20),
        REFUSED,
        "cannot be read",
        1,
    ),
    Case(
        "table",
        "two columns of one name",
        changed(two_of_one_name),
        REFUSED,
        "two columns with the same name",
        1,
    ),
    Case("table", "a column missing", changed(lambda table: table.drop(columns="view")), REFUSED, "lacks columns", 1),
    Case("table", "no header", changed(text=lambda text: text.partition("\n")[2]), REFUSED, "lacks columns", 1),
    Case("table", "no rows", changed(lambda table: table.head(0)), REFUSED, "no rows", 1),
    Case("table", "an empty file", changed(text=lambda text: ""), REFUSED, "is empty", 1),
    # -- what the rows say
    Case(
        "table", "a duplicate row", changed(lambda table: pd.concat([table, table.tail(1)])), NAMED, "more than once", 1
    ),
    Case(
        "table",
        "a duplicate row, in training",
        changed(lambda table: pd.concat([table, table.tail(1)]), verb="train"),
        REFUSED,
        "more than once",
        1,
    ),
    Case(
        "table",
        "a missing row",
        changed(lambda table: table.drop(index=7)),
        READ,
        r"1 picture\(s\) without all five",
        0,
        a_level_is_missing,
    ),
    Case("table", "a point out of the picture", changed(cell(2, "x", "300")), NAMED, "outside the picture", 1),
    Case(
        "table",
        "a point out of the picture, in training",
        changed(cell(2, "x", "300"), verb="train"),
        REFUSED,
        "outside the picture",
        1,
    ),
    Case("table", "an infinite coordinate", changed(cell(2, "y", "inf")), NAMED, "outside the picture", 1),
    Case("table", "coordinates from 0 to 1", changed(fractions), NAMED, "fractions of the picture", 1),
    Case(
        "table",
        "coordinates from 0 to 1, in training",
        changed(fractions, verb="train"),
        REFUSED,
        "fractions of the picture",
        1,
    ),
    Case(
        "table",
        "coordinates from 0 to 1, their unit stated",
        changed(lambda table: fractions(table).assign(xy_unit="relative")),
        READ,
        "Nothing is wrong",
        0,
        numbers_are_right,
    ),
    Case("table", "a point at (0, 0)", changed(unmarked), NAMED, "not marked", 1, a_point_is_missing),
    Case("table", "half a point", changed(cell(2, "y", "")), NAMED, "both be missing", 1),
    Case("table", "a coordinate in words", changed(cell(2, "x", "about 60")), NAMED, "'about 60' is not a number", 1),
    Case(
        "table",
        "TRUE for a coordinate",
        changed(lambda table: table.assign(x="True")),
        NAMED,
        "'True' is not a number",
        1,
    ),
    Case(
        "table",
        "two levels swapped",
        changed(swapped),
        NAMED,
        "above the one it should lie below",
        1,
        points_are_missing,
    ),
    Case(
        "table", "all pictures upside down", changed(turned, verb="train"), REFUSED, "wrong order in every picture", 1
    ),
    Case("table", "an unknown level", changed(cell(2, "level", "L6/S1")), NAMED, "'L6/S1' breaks", 1),
    Case("table", "an unknown view", changed(cell(2, "view", "oblique")), NAMED, "oblique", 1),
    Case(
        "table",
        "another size than the picture",
        changed(lambda table: table.assign(width="256")),
        NAMED,
        "width differs from the table",
        1,
    ),
    *(
        Case(
            "table",
            f"a name that leads out: {kind}",
            changed(cell(0, "image", name)),
            REFUSED,
            "outside of the data set",
            1,
        )
        for kind, name in ESCAPES.items()
    ),
    Case("table", "a link that leads out", changed(pictures=link_out), REFUSED, "outside of the data set", 1),
    Case(
        "table",
        "a linked folder that leads out",
        changed(linked_folder, pictures=link_folder),
        REFUSED,
        "outside of the data set",
        1,
    ),
    # -- what its pictures are
    Case("table", "damaged pictures", changed(pictures=damaged), NAMED, "cannot be read", 1),
    Case(
        "table",
        "damaged pictures, in training",
        changed(pictures=damaged, verb="train"),
        REFUSED,
        "2 of 8 pictures cannot be prepared(.|\n)*1.png(.|\n)*3.png",
        1,
    ),
    Case("table", "a constant picture", changed(pictures=blank), NAMED, "one grey throughout", 1),
    Case(
        "table",
        "two series with one UID",
        changed(series, pictures=one_uid),
        NAMED,
        "have the same SeriesInstanceUID",
        1,
    ),
    Case(
        "table",
        "an absent picture",
        changed(pictures=lambda data: (data / "5.png").unlink()),
        NAMED,
        "the picture is not there",
        1,
    ),
    # -- judgements of a quality control
    *(
        Case("table", f"judgements {kind}", judged(name, text), REFUSED, says, 1, no_points)
        for kind, (name, text, says) in JUDGEMENTS.items()
    ),
    Case(
        "table",
        "a folder that is no data set",
        lambda folder: ["check", folder],
        REFUSED,
        "not a data set we can read",
        1,
    ),
]
