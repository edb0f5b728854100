"""All plots of the project. Each function returns a figure with its text alternative (``figure.alt``).

A figure on the last line of a notebook cell shows itself; ``figures.display(figure)`` shows one from the middle of a
cell.
"""

from lumbar.figures.abstaining import abstaining
from lumbar.figures.anatomy import anatomy, parts_in_patient, parts_of_spine
from lumbar.figures.borrowing import paired_starts, starts_compared
from lumbar.figures.data import intensities, landmark_cloud, one_picture, split_overview
from lumbar.figures.diagram import network_diagram
from lumbar.figures.maps import convolutions, feature_maps, overlaid_maps, temperatures
from lumbar.figures.network import networks_compared, receptive_fields
from lumbar.figures.occlusion import occlusion_maps
from lumbar.figures.pictures import augmentations, heatmaps, pictures_with_points, worst_cases
from lumbar.figures.planes import planes
from lumbar.figures.raters import compare_raters
from lumbar.figures.results import (
    audit,
    coverage,
    doubts_by_group,
    error_curves,
    errors_by_level,
    errors_by_patient,
    flag_price,
    learning_curves,
    one_step,
    predicted_against_true,
    reliability,
)
from lumbar.figures.search import (
    nested_folds,
    search_explored,
    search_results,
    searches_compared,
    setting_effects,
)
from lumbar.figures.style import Drawing, display, use_house_style
from lumbar.figures.sweep import sweep_results
from lumbar.figures.tolerance import pck

__all__ = [
    "Drawing",
    "abstaining",
    "anatomy",
    "audit",
    "augmentations",
    "compare_raters",
    "convolutions",
    "coverage",
    "display",
    "doubts_by_group",
    "error_curves",
    "errors_by_level",
    "errors_by_patient",
    "feature_maps",
    "flag_price",
    "heatmaps",
    "intensities",
    "landmark_cloud",
    "learning_curves",
    "nested_folds",
    "network_diagram",
    "networks_compared",
    "occlusion_maps",
    "one_picture",
    "one_step",
    "overlaid_maps",
    "paired_starts",
    "parts_in_patient",
    "parts_of_spine",
    "pck",
    "pictures_with_points",
    "planes",
    "predicted_against_true",
    "receptive_fields",
    "reliability",
    "search_explored",
    "search_results",
    "searches_compared",
    "setting_effects",
    "split_overview",
    "starts_compared",
    "sweep_results",
    "temperatures",
    "use_house_style",
    "worst_cases",
]
