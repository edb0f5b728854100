"""The tissues of the synthetic patients, and the signal that each of them gives.

Relaxation times are for 1.5 T, in ms, rounded:

- muscle, spinal cord, blood and cartilage: Stanisz et al., Magn Reson Med 2005;
- subcutaneous fat, vertebral marrow, liver, kidney, uterus: de Bazelaire et al., Radiology 2004;
- the longer T2 that fat and marrow show in fast spin echo trains: Pai et al., Magn Reson Imaging 2008;
- hydrated and fibrous discs: the decrease of T2 with the Pfirrmann grade (Marinelli et al., Spine 2009; rounded).

Values without a citation above (gas, cortex, ligament, bowel content) are chosen to give the tissue its usual look.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Tissue(IntEnum):
    """Tissues that can be distinguished on lumbar MR."""

    AIR = 0
    SKIN = 1
    FAT = 2
    MESENTERY = 3
    EPIDURAL_FAT = 4
    MUSCLE = 5
    LIGAMENT = 6
    INTERSPINOUS = 7
    CORTEX = 8
    MARROW = 9
    ANNULUS = 10
    NUCLEUS = 11
    FIBROUS = 12
    FACET = 13
    CSF = 14
    CORD = 15
    ROOT = 16
    ARTERY = 17
    VEIN = 18
    PLEXUS = 19
    GAS = 20
    FLUID = 21
    CONTENT = 22
    WALL = 23
    ORGAN = 24
    OEDEMA = 25
    FATTY_MARROW = 26
    SCLEROSIS = 27
    HAEMANGIOMA = 28
    RED_MARROW = 29


# Proton density (water = 1), T1 and T2 (ms), fat fraction of the signal, fine and coarse texture (standard deviations
# relative to the mean signal).
_PROPERTIES: dict[Tissue, tuple[float, float, float, float, float, float]] = {
    Tissue.AIR: (0.00, 1000, 10, 0.0, 0.00, 0.00),
    Tissue.SKIN: (0.70, 900, 40, 0.0, 0.00, 0.00),
    Tissue.FAT: (0.95, 300, 130, 1.0, 0.00, 0.04),
    Tissue.MESENTERY: (0.90, 310, 122, 0.9, 0.04, 0.12),
    Tissue.EPIDURAL_FAT: (0.90, 300, 125, 1.0, 0.06, 0.08),
    Tissue.MUSCLE: (0.90, 1010, 46, 0.0, 0.10, 0.12),
    Tissue.LIGAMENT: (0.40, 900, 28, 0.0, 0.00, 0.00),
    Tissue.INTERSPINOUS: (0.62, 800, 52, 0.3, 0.15, 0.35),
    Tissue.CORTEX: (0.10, 500, 15, 0.0, 0.00, 0.00),
    Tissue.MARROW: (0.84, 450, 106, 0.5, 0.08, 0.10),
    Tissue.ANNULUS: (0.56, 1000, 39, 0.0, 0.06, 0.08),
    Tissue.NUCLEUS: (0.90, 1250, 108, 0.0, 0.05, 0.06),
    Tissue.FIBROUS: (0.64, 1050, 44, 0.0, 0.07, 0.10),
    Tissue.FACET: (0.90, 1200, 90, 0.0, 0.05, 0.05),
    Tissue.CSF: (1.00, 4000, 1800, 0.0, 0.02, 0.03),
    Tissue.CORD: (0.85, 745, 78, 0.0, 0.04, 0.03),
    Tissue.ROOT: (0.82, 800, 76, 0.0, 0.05, 0.05),
    Tissue.ARTERY: (0.12, 1441, 120, 0.0, 0.20, 0.30),
    Tissue.VEIN: (0.22, 1441, 120, 0.0, 0.20, 0.30),
    Tissue.PLEXUS: (0.85, 1200, 150, 0.2, 0.05, 0.10),
    Tissue.GAS: (0.02, 1000, 20, 0.0, 0.00, 0.00),
    Tissue.FLUID: (0.98, 3000, 600, 0.0, 0.03, 0.10),
    Tissue.CONTENT: (0.70, 700, 60, 0.2, 0.15, 0.30),
    Tissue.WALL: (0.85, 1000, 60, 0.0, 0.00, 0.00),
    Tissue.ORGAN: (0.88, 900, 70, 0.0, 0.06, 0.08),
    Tissue.OEDEMA: (0.85, 900, 125, 0.2, 0.06, 0.10),
    Tissue.FATTY_MARROW: (0.88, 330, 120, 0.9, 0.05, 0.07),
    Tissue.SCLEROSIS: (0.35, 600, 40, 0.3, 0.08, 0.10),
    Tissue.HAEMANGIOMA: (0.95, 450, 150, 0.6, 0.14, 0.08),
    Tissue.RED_MARROW: (0.76, 600, 80, 0.3, 0.07, 0.08),
}

_TABLE = np.array([_PROPERTIES[tissue] for tissue in Tissue], dtype=np.float64)

PROTON_DENSITY, T1_MS, T2_MS, FAT_FRACTION, FINE_TEXTURE, COARSE_TEXTURE = _TABLE.T
"""One value per tissue, indexed by `Tissue`; float64 arrays of shape (30,)."""


def spin_echo(tr_ms: float, te_ms: float, ti_ms: float | None = None) -> np.ndarray:
    """Return the signal of every tissue in a (fast) spin echo, with an inversion before it if `ti_ms` is given.

    Args:
        tr_ms: Repetition time, ms.
        te_ms: (Effective) echo time, ms.
        ti_ms: Inversion time, ms; the signal of a tissue vanishes at ln 2 times its T1.

    Returns:
        float64 array indexed by `Tissue`, shape (30,), at most 1 (fully relaxed water).
    """
    recovery = 1 - np.exp(-tr_ms / T1_MS)
    if ti_ms is not None:
        recovery = np.abs(1 - 2 * np.exp(-ti_ms / T1_MS) + np.exp(-tr_ms / T1_MS))
    return PROTON_DENSITY * recovery * np.exp(-te_ms / T2_MS)
