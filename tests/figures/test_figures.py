from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgba
from PIL import Image

from lumbar import figures
from lumbar.experiments import borrowing
from lumbar.figures.anatomy import parts_in_patient
from lumbar.figures.planes import cut_line, edge_names
from lumbar.figures.style import PART_COLOURS
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
STARTS = pd.DataFrame(
    [
        (10, size, start, seed, who)
        for size in (5, 20)
        for start in ("fresh", "borrowed")
        for seed in (0, 1)
        for who in (1, 2)
    ],
    columns=["steps", "patients", "start", "seed", "stranger"],
).assign(radial_px=np.linspace(1, 9, 16))
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
SEARCHES = pd.DataFrame(
    {
        "algorithm": ["random", "random", "bayesian", "bayesian", "hyperband", "hyperband", "hyperband"],
        "seed": [0, 1, 0, 1, 0, 0, 1],
        "epochs": [9, 9, 9, 9, 3, 18, 3],
        "strangers_px": [8.0, 6.0, 7.0, 4.0, 9.0, 2.0, 5.0],
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
FIVE = parts_in_patient(np.array([[0.0, -20, z] for z in (80, 50, 20, -10, -40)]))


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
    "planes with names": lambda: figures.planes({"sagittal": scan(SAGITTAL), "axial": scan(AXIAL)}, named=FIVE),
    "learning curves": lambda: figures.learning_curves(HISTORY),
    "predicted against true": lambda: figures.predicted_against_true(TRUE, ANSWERS),
    "error curves": lambda: figures.error_curves({"network": RADIAL, "mean": 3 * RADIAL}),
    "errors by level": lambda: figures.errors_by_level(RADIAL),
    "coverage": lambda: figures.coverage({"network": np.sort(RADIAL, axis=0)}),
    "reliability": lambda: figures.reliability({"count one off": {"before": GROUPS, "after": GROUPS[:1]}}),
    "errors by patient": lambda: figures.errors_by_patient(
        {"small": RADIAL, "large": 20 * RADIAL}, {"small": np.arange(6) > 4, "large": np.arange(6) < 1}, "odd"
    ),
    "abstaining": lambda: figures.abstaining(
        {"network": np.array([[1.0, 3.0], [20.0, 40.0], [12.0, 20.0], [2.0, 2.0]])},
        {"network": np.array([0.9, 0.4, 0.8, 0.6])},
        0.5,
    ),
    "pck": lambda: figures.pck(PICTURES[0], TRUE[0], TRUE[0] + [3, 4], np.array([2.0, 5.0, 5.1, np.nan]), 5),
    "doubts": lambda: figures.doubts_by_group(
        random.random(9), np.repeat([4, 5, 6], 3), 0.5, xlabel="lumbar vertebrae", ylabel="doubt"
    ),
    "price of a flag": lambda: figures.flag_price(PRICES, {"the flag": PRICES["by doubt"].iloc[3]}, 0.2),
    "audit": lambda: figures.audit(np.array([True, False, True, False])),
    "split": lambda: figures.split_overview(TABLE, PARTS),
    "cloud": lambda: figures.landmark_cloud(TRUE, background=PICTURES[0]),
    "intensities": lambda: figures.intensities({"before": PICTURES[0], "after": PICTURES[1] / 255}),
    "convolutions": lambda: figures.convolutions(PICTURES[0], {"edge": [[-1, 0, 1]] * 3, "blur": np.ones((3, 3))}),
    "temperatures": lambda: figures.temperatures(random.normal(0, 3, (8, 12)), [0.5, 2]),
    "maps as one": lambda: figures.overlaid_maps(
        PICTURES[0], random.random((2, 64, 64, 5)), points=TRUE[0], channels=LEVELS, titles=["before", "after"]
    ),
    "features": lambda: figures.feature_maps(PICTURES[0], {"a": random.random((8, 8, 3)), "b": np.ones((8, 8, 3))}),
    "one step": lambda: figures.one_step({0.01: 0.9, 0.1: 0.4}, 0.1, PICTURES[0], TRUE[1], ANSWERS[1], channels=LEVELS),
    "receptive fields": lambda: figures.receptive_fields(PICTURES[0], {"conv_1": 3, "conv_2": 8}),
    "networks": lambda: figures.networks_compared(NETWORKS),
    "networks on real patients": lambda: figures.networks_compared(
        NETWORKS.assign(real_radial_px=9.0, real_radial_low_px=8.0, real_radial_high_px=9.5)
    ),
    "starts of the same seeds": lambda: figures.paired_starts(STARTS),
    "starts with intervals": lambda: figures.starts_compared(STARTS, borrowing.means(STARTS)),
    "search": lambda: figures.search_results(TRIALS, "val_mae_px"),
    "search explored": lambda: figures.search_explored(
        TRIALS, "val_mae_px", ["learning_rate", "batch_norm"], {"batch_norm": False}
    ),
    "search with nothing chosen": lambda: figures.search_explored(TRIALS, "val_mae_px", ["learning_rate"], {}),
    "search without a match": lambda: figures.search_explored(
        TRIALS, "val_mae_px", ["learning_rate"], {"learning_rate": 5e-3}
    ),
    "effects": lambda: figures.setting_effects(TRIALS, "val_mae_px", ["batch_norm", "learning_rate"]),
    "searches": lambda: figures.searches_compared(SEARCHES, whole=9),
    "nested folds": lambda: figures.nested_folds(3),
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
    assert "at best 0.4 of the loss before, at 0.1" in FIGURES["one step"]().alt
    assert "before: 5.7 percentage points" in FIGURES["reliability"]().alt, "0.9 × 3 + 0.1 × 30"
    assert "2 trials" in FIGURES["search"]().alt, "a failed trial has no score to show"
    assert "heatmap" in FIGURES["search"]().alt
    assert "batch_norm no: 1 trials, best 8.0 px" in FIGURES["search explored"]().alt
    assert "all: 2 trials, best 8.0 px, median 10.0 px" in FIGURES["search with nothing chosen"]().alt
    assert "no such trial" in FIGURES["search without a match"]().alt, "the trial with this setting has no score"
    assert "batch_norm from 8.0 to 12.0 px" in FIGURES["effects"]().alt
    assert "random 7.0 px, bayesian 5.5 px, hyperband 3.5 px" in FIGURES["searches"]().alt
    assert "patients 7 for train, 2 for validation, 1 for test; pictures 21, 6, 3" in FIGURES["split"]().alt
    assert "of these axial 7, 2, 1; coronal 7, 2, 1; sagittal 7, 2, 1." in FIGURES["split"]().alt
    assert "after: median 0, " in FIGURES["intensities"]().alt


def test_the_price_of_a_flag_and_the_highest_loss_are_said_in_words():
    assert "by lot: a tenth flagged finds 1 %; the flag flags 40 % and finds 40 %." in FIGURES["price of a flag"]().alt
    maps = np.zeros((2, 4, 4))
    maps[1, 2, 2] = 0.25
    look = {"size": [16, 32], "most": 0.5, "label": "lost", "titles": ["first", "second"]}
    assert figures.occlusion_maps(PICTURES[:2], maps, ANSWERS[:2, 1], **look).alt.endswith("first: 0; second: 0.25.")
    doubt, groups = np.array([0.1, 0.6, 0.7, 0.2]), np.array(["four", "five", "five", "four"])
    strips = figures.doubts_by_group(doubt, groups, 0.5, xlabel="kind", ylabel="doubt")
    assert "five: median 0.65, 2 of 2 above the limit; four: median 0.15, 0 of 2 above the limit." in strips.alt


def test_what_is_answered_is_counted_in_words():
    assert "network: 75 % answered, 6.67 px off; 1 of 2 wrong ones pass." in FIGURES["abstaining"]().alt
    nobody = figures.abstaining({"network": np.ones((2, 1))}, {"network": np.array([0.1, 0.2])}, 0.5)
    assert "0 % answered, no picture left; 0 of 0 wrong ones pass" in nobody.alt
    assert "solid where the answer lies within (4 of 4)" in FIGURES["pck"]().alt, "one of the five points is missing"
    assert "66.7 % at 5 px" in FIGURES["pck"]().alt
    far = int((20 * RADIAL > 10).sum())
    assert f"large: {far} of 29 points more than 10 px off" in FIGURES["errors by patient"]().alt


def test_patients_are_plotted_from_the_best_to_the_worst_and_marked_where_they_stand():
    small, large = FIGURES["errors by patient"]().axes[:2]
    means = np.nanmean(RADIAL, axis=1)
    tiles = np.ma.filled(small.images[0].get_array().astype(float), np.nan)
    np.testing.assert_allclose(np.nanmean(tiles, axis=0), np.sort(means))
    marked = [axes.collections[0].get_offsets()[:, 0].tolist() for axes in (small, large)]
    assert marked == [[np.argsort(means).tolist().index(5)], [np.argsort(means).tolist().index(0)]]


def test_an_oracle_is_never_worse_and_is_shared_by_doubts_of_the_same_errors():
    errors = np.abs(np.random.default_rng(3).normal(0, 8, (30, 5)))
    errors[4, 2] = np.nan
    orders = {name: errors[np.random.default_rng(seed).permutation(30)] for seed, name in enumerate("ab")}
    curve, oracle, at_random, _, other_oracle, _ = figures.coverage(orders).axes[0].lines
    assert (oracle.get_ydata() <= curve.get_ydata() + 1e-9).all()
    assert oracle.get_ydata()[-1] == pytest.approx(curve.get_ydata()[-1]) == pytest.approx(at_random.get_ydata()[0])
    np.testing.assert_allclose(oracle.get_ydata(), other_oracle.get_ydata())
    assert oracle.get_color() == other_oracle.get_color() != curve.get_color()
    alone = figures.coverage({"a": orders["a"], "b": orders["b"] + 1}).axes[0].lines
    assert alone[0].get_color() == alone[1].get_color() != alone[3].get_color()


def test_the_number_of_predictions_is_written_at_each_point_of_a_single_series():
    one = figures.reliability({"count one off": {"after": GROUPS}})
    assert [text.get_text() for text in one.axes[0].texts] == ["90", "10"]
    assert not FIGURES["reliability"]().axes[0].texts


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


def test_marks_are_hollow_and_words_name_places():
    figure = figures.pictures_with_points(
        PICTURES[:2], TRUE[:2], titles=["one\nnote", "two"], places=[{}, {"canal": (30, 40)}], seen="It is bright."
    )
    assert figure.alt.startswith("2 grey pictures (one, note and two) with L1/L2")
    assert figure.alt.endswith("; canal labelled. It is bright.")
    one, two = figure.axes
    assert all(mark.get_facecolors().size == 0 for mark in one.collections), "nothing is hidden"
    (word,) = two.texts
    assert (word.get_text(), word.xy) == ("canal", (30, 40))
    large = figures.one_picture(PICTURES[0], places={"canal": (30, 40), "disc": (20, 50)})
    assert large.alt.endswith("; canal and disc labelled.")


def test_the_parts_of_a_spine_lie_where_anatomy_says():
    points = np.array([[100.0, 60], [95, 90], [93, 120], [95, 150], [102, 178]])
    places = figures.parts_of_spine(points, pixel_width=2.0)
    assert places["canal"][0] > points[:2, 0].mean(), "behind the discs"
    assert places["disc"].tolist() == [95 - 6, 90], "in front of its back edge, by 12 mm"
    assert points[2, 1] < places["vertebra"][1] < points[3, 1], "between two discs"
    assert places["sacrum"][1] > points[4, 1], "below the lowest disc"


def test_no_ring_of_another_level_hides_a_cross():
    true = np.array([[[50.0, y] for y in (10, 40, 70, 100, 130)]])
    figure = figures.pictures_with_points(PICTURES[:1], true, np.roll(true, -1, axis=1))
    rings, crosses = [], []
    for mark in figure.axes[0].collections:
        (crosses if mark.get_facecolor().size else rings).append(mark.get_zorder())
    assert len(rings) == len(crosses) == 5
    assert max(rings) < min(crosses)


@pytest.mark.parametrize(("farthest", "scale"), [(6.0, "linear"), (40.0, "log")])
def test_one_far_error_does_not_squash_the_boxes(farthest, scale):
    errors = np.linspace(0.5, 2, 50).reshape(10, 5)
    errors[3, 2] = farthest
    figure = figures.errors_by_level(errors)
    assert figure.axes[0].get_yscale() == scale
    assert ("the largest is 40" in figure.alt) == (scale == "log")
    errors[0, 0] = 0  # cannot be shown on a logarithmic axis
    assert figures.errors_by_level(errors).axes[0].get_yscale() == "linear"


def test_a_heading_that_asks_is_not_followed_by_a_colon():
    alts = [figures.pictures_with_points(PICTURES[:1], heading=heading).alt for heading in ("Where?", "Here", "")]
    assert [alt.partition("1 grey")[0] for alt in alts] == ["Where? ", "Here: ", ""]


def test_the_legend_says_who_made_the_crosses():
    def labels(**by):
        figure = figures.pictures_with_points(PICTURES, TRUE, ANSWERS, **by)
        return [text.get_text() for text in figure.legends[0].get_texts()], figure.alt

    assert labels()[0][-2:] == ["true", "predicted"]
    assert "what a network answered, on average" in labels()[1]
    names, alternative = labels(by="you")
    assert names[-1] == "you"
    assert "what you answered" in alternative


def test_the_edges_of_a_picture_are_named_after_the_patient():
    assert edge_names(SAGITTAL) == ("front", "back", "head", "feet")
    assert edge_names(AXIAL) == ("right", "left", "front", "back")
    assert edge_names(Plane([0, 0, 0], [0, -1, 0], [0, 0, 1], 1.0, 1.0)) == ("back", "front", "feet", "head")


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


def test_parts_are_named_beside_each_other_in_the_views_that_pass_near_them():
    figure = figures.planes({"sagittal": scan(SAGITTAL), "axial": scan(AXIAL)}, named=FIVE)
    sagittal, axial = (
        {text.get_text(): text.xyann[1] for text in axes.texts if hasattr(text, "xyann")} for axes in figure.axes
    )
    assert sagittal.keys() == {"vertebra", "disc", "canal", "sacrum"}
    assert axial.keys() == {"disc", "canal", "muscle"}
    for heights in (sagittal, axial):
        assert min(np.diff(sorted(heights.values()))) >= 0.05 * 200 - 1e-9


def test_a_kernel_finds_what_it_is_made_for():
    picture = np.zeros((20, 20), np.uint8)
    picture[:, 8:12] = 200
    figure = figures.convolutions(picture, {"across": [[-1, 0, 1]] * 3, "down": np.transpose([[-1, 0, 1]] * 3)})
    across, down = (axes.images[0].get_array() for axes in figure.axes)
    assert across.shape == (18, 18)
    assert (np.ptp(across, axis=1) > 0).all()
    assert list(across[9, [7, 11, 0]]) == [255, 0, 128], "brighter to the right, darker, the same"
    assert np.ptp(down) == 0


def test_the_centre_of_mass_goes_from_the_highest_peak_to_the_middle():
    scores = np.zeros((10, 20))
    scores[2, 4], scores[7, 15] = 9, 8
    sharp, even = (axes.collections[0].get_offsets()[0] for axes in figures.temperatures(scores, [0.05, 1000]).axes)
    np.testing.assert_allclose(sharp, [4, 2], atol=0.01)
    np.testing.assert_allclose(even, [9.5, 4.5], atol=0.05)


def test_in_nested_folds_nobody_tests_a_winner_whom_they_trained_or_chose():
    figure = FIGURES["nested folds"]()
    (axes,) = figure.axes
    rows = {}
    for bar in axes.patches:
        part = next((part for part, shade in PART_COLOURS.items() if bar.get_facecolor() == to_rgba(shade)), None)
        rows.setdefault(bar.get_y(), {})[round(bar.get_x())] = part
    outer_folds = [list(rows.values())[first : first + 3] for first in (0, 3, 6)]
    assert len(rows) == 9
    for aside, (*search, winner) in enumerate(outer_folds):
        assert winner == {group: "test" if group == aside else "train" for group in range(3)}
        assert all(each[aside] is None for each in search), "the search never meets the group put aside"
        chosen = [group for each in search for group, part in each.items() if part == "validation"]
        assert sorted(chosen) == [group for group in range(3) if group != aside], "all others take turns"
