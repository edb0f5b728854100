from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from PIL import Image

from lumbar import figures
from lumbar.figures.planes import cut_line
from lumbar.geometry import Plane
from lumbar.landmarks import LEVELS, SIDES

mpl.use("agg")
random = np.random.default_rng(0)
PICTURES = random.integers(0, 256, (6, 256, 256), dtype=np.uint8)
TRUE = random.uniform(40, 200, (6, 5, 2))
TRUE[0, 0] = np.nan
ANSWERS = TRUE + random.normal(0, 4, TRUE.shape)
RADIAL = np.linalg.norm(ANSWERS - TRUE, axis=-1)
HISTORY = pd.DataFrame(
    {
        "epoch": [1, 2, 3],
        "loss": [0.3, 0.2, 0.1],
        "val_loss": [0.3, 0.15, 0.2],
        "mae_px": [30.0, 20.0, 10.0],
        "val_mae_px": [31.0, 14.0, 21.0],
        "learning_rate": [1e-3, 1e-3, 5e-4],
    }
)
TABLE = pd.DataFrame(
    {
        "image": [f"{number}.dcm" for number in range(30)],
        "patient": [f"p{number // 3}" for number in range(30)],
        "source": "phantom",
        "view": ["sagittal", "coronal", "axial"] * 10,
    }
)
PARTS = pd.Series(
    {f"p{number}": "train" if number < 7 else "validation" if number < 9 else "test" for number in range(10)}
)
TRIALS = pd.DataFrame(
    {
        "trial": ["00", "01", "02"],
        "status": ["COMPLETED", "COMPLETED", "FAILED"],
        "val_mae_px": [12.0, 8.0, np.nan],
        "epochs": [6, 6, 6],
        "model": ["baseline", "heatmap", "baseline"],
        "batch_norm": [True, False, True],
        "learning_rate": [1e-3, 2e-4, 5e-3],
    }
)
NETWORKS = pd.DataFrame(
    {
        "network": ["baseline", "heatmap"],
        "ms_per_picture": [4.0, 8.0],
        "radial_px": [7.0, 1.0],
        "radial_low_px": [6.0, 0.9],
        "radial_high_px": [8.5, 1.1],
    }
)
SWEPT = pd.DataFrame(
    {
        "RATE": [0.001, 0.001, 0.1, 0.1],
        "MODEL": ["small", "large", "small", "large"],
        "MIRROR": [True, True, True, False],
        "error_px": [4.0, 2.0, 8.0, np.nan],
        "loss": [1.0, 2.0, 3.0, np.nan],
    }
)
GROUPS = [
    {"count": 90, "predicted": 0.01, "observed": 0.04, "low": 0.02, "high": 0.11},
    {"count": 10, "predicted": 0.6, "observed": 0.3, "low": 0.11, "high": 0.6},
]
PRICES = {
    name: pd.DataFrame(
        {"flagged": np.arange(1, 11) / 10, "found": found, "found_low": 0.8 * found, "found_high": np.sqrt(found)}
    )
    for name, found in (("by doubt", np.arange(1, 11) / 10), ("by lot", (np.arange(1, 11) / 10) ** 2))
}
SAGITTAL = Plane([0, -100, 150], [0, 1, 0], [0, 0, -1], 0.8, 1.0)
AXIAL = Plane([-110, -100, 20], [1, 0, 0], [0, 1, 0], 1.0, 1.0)
POINT = np.array([5.0, -20.0, 22.0])


def scan(plane):
    return SimpleNamespace(pixels=random.random((200, 240)).astype(np.float32), plane=plane)


FIGURES = {
    "pictures": lambda: figures.pictures_with_points(PICTURES, TRUE, titles=list("abcdef"), heading="All"),
    "pictures alone": lambda: figures.pictures_with_points(PICTURES[:1]),
    "pictures with answers": lambda: figures.pictures_with_points(PICTURES, TRUE, ANSWERS),
    "one picture": lambda: figures.one_picture(PICTURES[0], TRUE[0]),
    "augmentations": lambda: figures.augmentations(PICTURES[0], TRUE[0], PICTURES[1:4], TRUE[1:4]),
    "heatmaps": lambda: figures.heatmaps(PICTURES[0], random.random((64, 64, 5)), points=TRUE[0]),
    "occlusion": lambda: figures.occlusion_maps(
        PICTURES[:2], random.random((2, 8, 8)), ANSWERS[:2, 1], size=32, most=0.5, label="lost", titles=["a", "b"]
    ),
    "worst cases": lambda: figures.worst_cases(PICTURES, TRUE, ANSWERS, count=3),
    "planes": lambda: figures.planes({"sagittal": scan(SAGITTAL), "axial": scan(AXIAL)}),
    "one point in several planes": lambda: figures.planes({"sagittal": scan(SAGITTAL), "axial": scan(AXIAL)}, POINT),
    "learning curves": lambda: figures.learning_curves(HISTORY),
    "predicted against true": lambda: figures.predicted_against_true(TRUE, ANSWERS),
    "error curves": lambda: figures.error_curves({"network": RADIAL, "mean": 3 * RADIAL}),
    "errors by level": lambda: figures.errors_by_level(RADIAL),
    "coverage": lambda: figures.coverage({"network": np.sort(RADIAL, axis=0)}),
    "reliability": lambda: figures.reliability({"count one off": {"before": GROUPS, "after": GROUPS[:1]}}),
    "doubts": lambda: figures.doubts_by_group(
        random.random(9), np.repeat([4, 5, 6], 3), 0.5, xlabel="lumbar vertebrae", ylabel="doubt"
    ),
    "price of a flag": lambda: figures.flag_price(PRICES, {"the flag": PRICES["by doubt"].iloc[3]}, 0.2),
    "audit": lambda: figures.audit(np.array([True, False, True, False])),
    "split": lambda: figures.split_overview(TABLE, PARTS),
    "cloud": lambda: figures.landmark_cloud(TRUE, background=PICTURES[0]),
    "intensities": lambda: figures.intensities({"before": PICTURES[0], "after": PICTURES[1] / 255}),
    "parameters": lambda: figures.parameters_by_layer({"input": 0, "conv": 160, "dense": 2000}),
    "receptive fields": lambda: figures.receptive_fields(PICTURES[0], {"conv_1": 3, "conv_2": 8}),
    "networks": lambda: figures.networks_compared(NETWORKS),
    "networks on real patients": lambda: figures.networks_compared(
        NETWORKS.assign(real_radial_px=9.0, real_radial_low_px=8.0, real_radial_high_px=9.5)
    ),
    "search": lambda: figures.search_results(TRIALS, "val_mae_px"),
    "sweep": lambda: figures.sweep_results(SWEPT, ["RATE", "MODEL", "MIRROR"], ["error_px", "loss"]),
}


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_has_a_text_alternative_and_leaves_nothing_behind(name, tmp_path):
    before = mpl.rcParams.copy()
    figure = FIGURES[name]()
    figure.savefig(tmp_path / "figure.png", dpi=40)
    assert len(figure.alt) > 10
    assert figure.alt.endswith(".")
    assert Image.open(tmp_path / "figure.png").text["Description"] == figure.alt
    assert [file.name for file in tmp_path.iterdir()] == ["figure.png"]
    assert plt.get_fignums() == []
    assert mpl.rcParams == before


def test_a_point_in_several_planes_is_marked_where_it_falls_perpendicularly():
    figure = FIGURES["one point in several planes"]()
    (sagittal,), (axial,) = (axes.collections[0].get_offsets() for axes in figure.axes)
    np.testing.assert_allclose(sagittal, [80 / 0.8, 128])
    np.testing.assert_allclose(axial, [115, 80])


def test_numbers_in_the_text_alternative_are_those_plotted():
    assert "3 epochs" in FIGURES["learning curves"]().alt
    assert "on validation at best 14 in epoch 2" in FIGURES["learning curves"]().alt
    assert "dense" in FIGURES["parameters"]().alt
    assert "before: 5.7 percentage points" in FIGURES["reliability"]().alt, "0.9 × 3 + 0.1 × 30"
    assert "2 trials" in FIGURES["search"]().alt, "a failed trial has no score to show"
    assert "heatmap" in FIGURES["search"]().alt
    assert "patients 7 for train, 2 for validation, 1 for test; pictures 21, 6, 3" in FIGURES["split"]().alt


def test_the_price_of_a_flag_and_the_highest_loss_are_said_in_words():
    assert "by lot: a tenth flagged finds 1 %; the flag flags 40 % and finds 40 %." in FIGURES["price of a flag"]().alt
    maps = np.zeros((2, 4, 4))
    maps[1, 2, 2] = 0.25
    look = {"size": [16, 32], "most": 0.5, "label": "lost", "titles": ["first", "second"]}
    assert figures.occlusion_maps(PICTURES[:2], maps, ANSWERS[:2, 1], **look).alt.endswith("first: 0; second: 0.25.")
    doubt, groups = np.array([0.1, 0.6, 0.7, 0.2]), np.array(["four", "five", "five", "four"])
    strips = figures.doubts_by_group(doubt, groups, 0.5, xlabel="kind", ylabel="doubt")
    assert "five: median 0.65, 2 of 2 above the limit; four: median 0.15, 0 of 2 above the limit." in strips.alt


def test_an_audit_tells_how_many_are_found_and_where_the_last_one_is():
    alternative = figures.audit(np.array([True, False, False, True, False])).alt
    assert "of the 2 most suspicious of 5 labels, 1 are wrong" in alternative
    assert "at place 4" in alternative


def test_what_is_not_finite_does_not_move_the_means_of_a_sweep():
    swept = SWEPT.assign(error_px=[4.0, np.inf, 8.0, -np.inf])
    figure = figures.sweep_results(swept, ["RATE"], ["error_px"], note="error_px diverged twice")
    np.testing.assert_allclose(figure.axes[0].lines[0].get_xydata(), [[0.001, 4], [0.1, 8]])
    assert figure.get_suptitle().endswith("\nNot drawn: error_px diverged twice")
    assert figure.alt.endswith("Not drawn: error_px diverged twice.")


def test_a_sweep_is_plotted_over_numbers_and_words():
    figure = FIGURES["sweep"]()
    rate, model = figure.axes[:2]
    assert (rate.get_xscale(), model.get_xscale()) == ("log", "linear"), "values that span decades, and words"
    np.testing.assert_allclose(rate.lines[0].get_xydata(), [[0.001, 3], [0.1, 8]])
    np.testing.assert_allclose(model.lines[0].get_xydata(), [[0, 6], [1, 2]])
    assert np.isfinite(model.collections[0].get_offsets().data).all(axis=1).sum() == 3, "a failed one has no dot"
    below = figure.axes[3:]
    assert [[text.get_text() for text in axes.get_xticklabels()] for axes in below] == [
        ["0.001", "0.1"],
        ["small", "large"],
        ["yes", "no"],
    ]
    assert [axes.get_xlabel() for axes in below] == ["RATE", "MODEL", "MIRROR"]
    assert (rate.get_ylabel(), below[0].get_ylabel()) == ("error_px", "loss")
    assert "3 combinations" in figure.alt
    assert "Mean error_px by MODEL: 6 at small and 2 at large." in figure.alt


def test_a_page_made_from_a_notebook_has_the_text_alternative(monkeypatch):
    import nbformat
    from bs4 import BeautifulSoup

    from lumbar.course.execution import as_page

    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **options: shown.append((data, options["metadata"])))

    figure = figures.error_curves({'a "network"': RADIAL})
    figures.display(figure)
    ((data, metadata),) = shown
    assert data["image/png"].startswith(b"\x89PNG")
    stored = nbformat.v4.new_output("display_data", {"image/png": "iVBORw0KGgo="}, metadata=metadata)
    cell = nbformat.v4.new_code_cell("figure", outputs=[stored])
    page = as_page(nbformat.v4.new_notebook(cells=[cell]), "lesson")
    assert BeautifulSoup(page, "html.parser").img["alt"] == figure.alt


def test_a_save_that_fails_leaves_the_old_picture(tmp_path):
    path = tmp_path / "figure.png"
    path.write_bytes(b"old")
    with pytest.raises(AttributeError):
        FIGURES["split"]().savefig(path, metadata={"Description": object()})
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_worst_pictures_come_first_and_unknown_ones_not_at_all():
    true, answers = TRUE.copy(), TRUE.copy()
    true[2] = np.nan
    answers[3] += 30
    answers[5] += 60
    figure = figures.worst_cases(PICTURES, true, answers, titles=list("abcdef"), count=6)
    titles = [axes.get_title(loc="center").split("\n")[0] for axes in figure.axes]
    assert titles[:2] == ["f", "d"]
    assert "c" not in titles


def test_missing_points_are_not_plotted():
    figure = figures.one_picture(PICTURES[0], TRUE[0])
    assert len(figure.axes[0].collections) == 4
    assert LEVELS[0] not in figure.alt


def test_names_follow_the_number_of_points():
    assert all(side in figures.pictures_with_points(PICTURES, TRUE[:, :2]).alt for side in SIDES)
    with pytest.raises(ValueError, match="as many names"):
        figures.pictures_with_points(PICTURES, TRUE, channels=SIDES)


def test_one_plane_cuts_another_where_it_should():
    line = cut_line(SAGITTAL, AXIAL, 240, 200)
    assert SAGITTAL.to_patient(line)[:, 2] == pytest.approx([20, 20])
    assert sorted(line[:, 0]) == [-0.5, 239.5]
    assert cut_line(SAGITTAL, Plane([0, 0, 900], [1, 0, 0], [0, 1, 0], 1.0, 1.0), 240, 200) is None
    assert cut_line(SAGITTAL, SAGITTAL, 240, 200) is None
