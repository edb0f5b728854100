"""Whatever a file contains, a reader gives a result or an error of ours; see `tests.stress.fuzz`."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lumbar.core.errors import DatasetError
from lumbar.landmarks import LEVELS
from tests.stress import fuzz

quick = settings(max_examples=100)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    fuzz.prepare_folder(folder)
    return folder


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("target", fuzz.TARGETS)
def test_changed_at_random(target, place):
    @quick
    @given(st.integers(0, 2**32))
    def reads(seed):
        path, answer = fuzz.attempt(target, seed, place)
        path.unlink()
        assert answer in ("read", "refused")

    reads()


numbers = st.one_of(
    st.floats().map(str),
    st.integers().map(str),
    st.floats(0, 127).map(str),
    st.floats(0, 127).map(lambda number: str(number).replace(".", ",")),
)
words = st.one_of(
    st.text(max_size=12), st.sampled_from(["", "nan", "NA", "True", "1_0", "0x1F", "١٢", "1e400", "-0", "\ufeff"])
)
cells = st.fixed_dictionaries(
    {
        "image": st.one_of(st.sampled_from(["0.png", "1.png"]), words),
        "patient": words,
        "source": words,
        "view": st.one_of(st.sampled_from(["sagittal", "coronal", "axial"]), words),
        "contrast": words,
        "level": st.one_of(st.sampled_from(LEVELS), words),
        "side": st.one_of(st.sampled_from(["", "left", "right"]), words),
        "x": st.one_of(numbers, words),
        "y": st.one_of(numbers, words),
        "width": st.one_of(st.just("128"), numbers, words),
        "height": st.one_of(st.just("128"), numbers, words),
        "pixel_width": st.one_of(st.just(""), numbers, words),
        "pixel_height": st.one_of(st.just(""), numbers, words),
    }
)


@pytest.mark.filterwarnings("ignore")
@quick
@given(
    rows=st.lists(cells, max_size=6),
    separator=st.sampled_from([",", ";", "\t"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    quoted=st.booleans(),
)
def test_tables_of_odd_cells(rows, separator, encoding, quoted, place):
    def written(cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"' if quoted else cell

    header = list(fuzz.rows().columns)
    lines = [header, *([row[column] for column in header] for row in rows)]
    text = "\n".join(separator.join(written(cell) for cell in line) for line in lines)
    path = place / "landmarks.csv"
    path.write_bytes(text.encode(encoding, errors="replace"))
    try:
        assert fuzz.read_table(path) in ("read", "refused")
    except DatasetError:
        pytest.fail("a check reports such an error and does not raise it")
    finally:
        path.unlink()
