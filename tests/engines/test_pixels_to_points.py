"""One file takes pixels and gives points: the same as `predict` does, without any of our code."""

import json
import subprocess
import sys
from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from lumbar import imaging, models, weights
from lumbar.cli.main import main
from lumbar.core.constants import VIEWS
from lumbar.core.schema import to_dict
from lumbar.decoding.doubts import MISCOUNT_DOUBTFUL, UNDECIDED
from lumbar.engines.exporting import export
from lumbar.imaging.scan import Scan
from lumbar.inference import PreparedScan, ScanPoints, find_points
from lumbar.landmarks import channels
from lumbar.metrics import belongs
from lumbar.phantom import PhantomSettings, write_dataset
from lumbar.runs.settings import TrainingSettings
from lumbar.weights import Weights
from tests.engines.test_engines import shaken
from tests.support.real_mri import REAL_MRI

NEAR = 0.05
"""Largest difference of two points, pixels of the 256 frame."""


@dataclass
class Whole:
    """A network, and the file that does all of it."""

    known: Weights
    file: str

    def __post_init__(self):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(self.file, options)

    def answer(self, scan: Scan, view: str) -> dict[str, np.ndarray]:
        feed = {"pixels": scan.pixels.astype(np.float32), "view": np.array(VIEWS.index(view))}
        if "pixel_size" in {each.name for each in self.session.get_inputs()}:
            feed["pixel_size"] = np.array([scan.pixel_width or 1, scan.pixel_height or 1], np.float32)
        names = [each.name for each in self.session.get_outputs()]
        return dict(zip(names, self.session.run(names, feed), strict=True))

    def compare(self, scans: list[Scan], views: list[str]) -> None:
        """Check that the file answers as we do."""
        prepared = [PreparedScan.of(scan, view, self.known) for scan, view in zip(scans, views, strict=True)]
        expected = find_points(self.known, prepared, progress=False).points
        here = belongs(views, channels(self.known.views))
        tipped = 0
        for scan, view, mine, which, frame in zip(scans, views, expected, here, prepared, strict=True):
            found = self.answer(scan, view)
            assert np.isnan(found["points"][~which]).all()
            scale = frame.to_256.matrix.diagonal()
            assert (scale > 0).all(), "the file does not turn images"
            if found["flagged"] != (mine.flagged is not False):  # what cannot be judged must be checked
                assert near_a_limit(mine, self.known)
                tipped += 1
                continue
            if mine.count and mine.count.doubts:  # where two counts are as likely, a grey level tips the scales
                tipped += np.nanmax(np.abs(found["points"][which] - mine.xy_native) * scale) > NEAR
                continue
            np.testing.assert_allclose(found["points"][which] * scale, mine.xy_native * scale, atol=NEAR)
            np.testing.assert_allclose(found["confidence"][which], mine.confidence, atol=0.01)
            np.testing.assert_allclose(found["absent"][which], mine.absent, atol=0.01)
            np.testing.assert_allclose(found["probability"][which], mine.probability, atol=0.01)
            if mine.count:
                likely = (mine.count.one_higher, mine.count.one_lower)
                # A faint peak is one of those considered, or just not: the probability of another count jumps there.
                np.testing.assert_allclose(found["miscounted"], likely, atol=0.03)
                beyond = np.stack([mine.count.higher[0], mine.count.lower[-1]])
                # The peaks of the neighbours are broad: a grey level more or less moves their tops by a pixel or two.
                np.testing.assert_allclose(found["neighbours"] * scale, beyond * scale, atol=2)
            else:
                assert np.isnan(found["miscounted"]).all(), "the neighbours may be found all the same"
        assert tipped <= 0.02 * len(scans)


def near_a_limit(mine: ScanPoints, known: Weights) -> bool:
    """Whether a number by which an image is flagged lies so near to its limit that a grey level tips the scales."""
    numbers = [*(mine.confidence - known.doubtful), *(abs(mine.absent - 0.5) - 0.5 + UNDECIDED)]
    doubt = mine.count.one_higher + mine.count.one_lower - MISCOUNT_DOUBTFUL if mine.count else np.nan
    return bool(np.nanmin(np.abs(numbers)) < 0.01 or abs(doubt) < 0.03)


@pytest.fixture(scope="module", params=["phantom", pytest.param("phantom+mr", marks=pytest.mark.slow)])
def whole(request, tmp_path_factory):
    known = weights.find(request.param)
    return Whole(known, str(export(known, "pixels-to-points", tmp_path_factory.mktemp("whole") / "whole.onnx")))


def phantoms(folder, patients, seed):
    """Images of synthetic patients, whose files have them as they are shown, and their planes."""
    made = write_dataset(folder, PhantomSettings(patients=patients, seed=seed, field_of_view=0.5), progress=False)
    scans = [imaging.read(file) for file in sorted(made.rglob("*.dcm"))]
    return scans, [scan.view for scan in scans]


def test_the_file_answers_for_images_of_any_size_and_plane(whole, tmp_path):
    scans, views = phantoms(tmp_path, patients=2, seed=5)
    assert set(views) == set(VIEWS)
    sagittal = scans[views.index("sagittal")]
    for width, height in ((900, 700), (256, 256), (60, 40), (255, 1024)):  # shrunk, as it is, enlarged, both
        scans.append(Scan(sagittal.path, cv2.resize(sagittal.pixels, (width, height), interpolation=cv2.INTER_AREA)))
    scans.append(Scan(sagittal.path, np.full((50, 50), 7, np.float32)))
    scans.append(Scan(sagittal.path, 1000 * np.random.default_rng(0).random((99, 120), np.float32) - 500))
    whole.compare(scans, [*views, *["sagittal"] * 6])


@pytest.mark.slow
def test_the_file_answers_for_200_phantoms_and_for_real_patients(whole, tmp_path):
    scans, views = phantoms(tmp_path, patients=50, seed=99)
    assert len(scans) >= 200
    whole.compare(scans, views)
    if not REAL_MRI.is_dir():
        pytest.skip(f"the synthetic patients agree; there are no real ones in {REAL_MRI}")
    real = [imaging.read(file) for file in sorted((REAL_MRI / "images_native").iterdir())]
    whole.compare(real, ["sagittal"] * len(real))


@pytest.mark.parametrize(
    ("name", "options", "settings"),
    [
        ("heatmap", {"absent": list(channels(VIEWS, neighbours=True))}, {"resize": "letterbox", "views": VIEWS}),
        ("heatmap", {}, {"views": ("axial",)}),
        ("baseline", {}, {"views": ("sagittal", "coronal")}),
    ],
    ids=str,
)
def test_the_network_of_a_run_does_so_too(name, options, settings, tmp_path):
    """Letterboxed images, of pixels that are not square; a network that counts nothing; one without heatmaps."""
    settings = TrainingSettings(**settings)
    (tmp_path / "config.json").write_text(json.dumps({"settings": to_dict(settings)}))
    points = options.get("absent") or channels(settings.views)
    shaken(models.build(name, len(points), width=4, depth=3, **options)).save(tmp_path / "best.keras")
    known = weights.find(tmp_path)
    whole = Whole(known, str(export(known, "pixels-to-points", tmp_path / "whole.onnx")))
    pixels = np.random.default_rng(0).random((300, 200), np.float32)
    scan = Scan(tmp_path, cv2.GaussianBlur(pixels, (0, 0), 9), pixel_width=0.8, pixel_height=0.5)
    whole.compare([scan], [settings.views[0]])


def test_the_file_needs_none_of_our_code(whole, tmp_path):
    program = (
        "import sys, json, numpy as np, onnxruntime\n"
        f"session = onnxruntime.InferenceSession({whole.file!r})\n"
        "about = json.loads(session.get_modelmeta().custom_metadata_map['lumbar'])\n"
        "assert {each.name for each in session.get_inputs()} <= set(about)\n"
        "assert {each.name for each in session.get_outputs()} <= set(about)\n"
        "image = {'pixels': np.zeros((90, 80), np.float32), 'view': np.array(0)}\n"
        "points, flagged = session.run(['points', 'flagged'], image)\n"
        "assert len(points) == len(about['names']) and np.isnan(points).all()\n"
        "assert not any(name.startswith('lumbar') for name in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120, cwd=tmp_path)


def test_the_command_writes_it_and_predict_says_that_it_is_not_for_us(run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["export", str(run), "--to", "pixels-to-points"]) == 0
    (written,) = tmp_path.glob("*-pixels-to-points.onnx")
    assert main(["predict", str(tmp_path), "--weights", str(written)]) == 1
    assert "pixels" in capsys.readouterr().err
