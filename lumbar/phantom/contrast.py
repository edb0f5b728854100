"""Contrasts: how bright each tissue is, and what the scanner does to the image.

T1, T2 and STIR follow from the tissues' relaxation times and from echo and repetition times sampled from clinical
ranges. "random" gives contrasts that no scanner produces, so that a network learns shapes rather than grey values
(domain randomisation, Billot et al., Medical Image Analysis 2023).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lumbar.phantom.tissue import COARSE_TEXTURE, FAT_FRACTION, FINE_TEXTURE, T1_MS, Tissue, spin_echo

CONTRASTS = ("T1", "T2", "STIR", "random")
"""Names that `draw_contrast` accepts."""


@dataclass(frozen=True, eq=False)
class Contrast:
    """Brightness of every tissue, and the effects of the scanner.

    Args:
        name: "T1", "T2", "STIR", "random" or "ideal".
        signal: Mean signal, about 0 to 1000; one value per `Tissue`, float32, shape (30,).
        fat: Share of that signal that comes from fat, same shape.
        fine: Texture of one or two millimetres, standard deviation relative to the mean signal, same shape.
        coarse: Texture of about a centimetre, standard deviation relative to the mean signal, same shape.
        coil_depth: Depth below the skin of the back at which the gain of the surface coil is halved, mm; 0 for a
            uniform coil.
        coil_height: Extent of the coil's field towards head and feet, mm (standard deviation).
        bias: Strength of the bias field, a slow random shading, relative.
        noise: Standard deviation of the noise in each of the two channels, in units of the signal.
        blur: Standard deviation of the point spread function, pixels.
        sharpen: Strength of the edge enhancement in the reconstruction.
        chemical_shift: Displacement of fat along the rows, mm.
        gibbs: Share of the spatial frequencies that a sharp cut-off keeps (Gibbs ringing); 1 for no truncation.
        ghost: Strength of the motion ghost, relative to the image.
        ghost_shift: Distance of the ghost from its origin, as a share of the image height.
        clip: Signal above which the image is white; infinity for no clipping.
        band: Saturation band in front of the spine: (start, end, share of the signal that remains), start and end in mm
            before the spine's front; empty for none.
        borders: Black margins left, right, top and bottom, as shares of the space between the edge and the spine.
        warp: How far the black margins bend (gradient correction), as a share of the image size.
    """

    name: str
    signal: np.ndarray
    fat: np.ndarray
    fine: np.ndarray
    coarse: np.ndarray
    coil_depth: float = 0.0
    coil_height: float = 150.0
    bias: float = 0.0
    noise: float = 0.0
    blur: float = 0.0
    sharpen: float = 0.0
    chemical_shift: float = 0.0
    gibbs: float = 1.0
    ghost: float = 0.0
    ghost_shift: float = 0.0
    clip: float = float("inf")
    band: tuple[float, float, float] | tuple[()] = ()
    borders: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    warp: float = 0.0


def ideal(signal: dict[Tissue, float], other: float = 0.0) -> Contrast:
    """Return a contrast without texture or effects of a scanner.

    Args:
        signal: Tissue → its signal, exactly.
        other: Signal of all other tissues.
    """
    values = np.full(len(Tissue), other, dtype=np.float32)
    for tissue, value in signal.items():
        values[tissue] = value
    nothing = np.zeros(len(Tissue), dtype=np.float32)
    return Contrast("ideal", values, nothing, nothing, nothing)


def like_ct() -> Contrast:
    """Return a contrast in which a tissue is the brighter the denser it is, as in CT, without texture or noise.

    The signal is the CT number in Hounsfield units plus 1000, so that air is 0. The densities are rounded, and all soft
    tissues are one: enough to look like CT, and no simulation of it.
    """
    return ideal(
        {Tissue.AIR: 0, Tissue.GAS: 100, Tissue.FAT: 900, Tissue.MARROW: 1200, Tissue.CORTEX: 1900, Tissue.CSF: 1010},
        other=1050,
    )


def draw_contrast(name: str, rng: np.random.Generator) -> Contrast:
    """Sample a contrast.

    Args:
        name: One of `CONTRASTS`.
        rng: Source of random numbers.

    Raises:
        ValueError: If the name is unknown.
    """
    if name not in CONTRASTS:
        raise ValueError(f"contrast must be one of {', '.join(CONTRASTS)}; got {name!r}")
    physical = _signals(name if name != "random" else str(rng.choice(CONTRASTS[:3])), rng)
    spread = rng.lognormal(0, 0.13, len(Tissue))
    signal = physical * spread
    if name == "random":
        signal = _randomised(signal, rng)
    grain = rng.uniform(0.5, 1.6, 2)
    contrast = Contrast(
        name=name,
        signal=signal.astype(np.float32),
        fat=FAT_FRACTION.astype(np.float32),
        fine=(FINE_TEXTURE * grain[0]).astype(np.float32),
        coarse=(COARSE_TEXTURE * grain[1]).astype(np.float32),
    )
    return replace(contrast, **_scanner(rng))


def _signals(name: str, rng: np.random.Generator) -> np.ndarray:
    """Return the signal of every tissue for sampled, clinical sequence times; the brighter of fat and CSF has 800."""
    if name == "T1":
        signal = spin_echo(rng.uniform(420, 750), rng.uniform(8, 15))
    elif name == "T2":
        signal = spin_echo(rng.uniform(2600, 5200), rng.uniform(80, 125))
    else:
        inversion = T1_MS[Tissue.FAT] * np.log(2) * rng.uniform(0.88, 1.08)
        signal = spin_echo(rng.uniform(3200, 6000), rng.uniform(30, 85), inversion)
    bright = max(signal[Tissue.FAT], signal[Tissue.CSF])
    return signal * (800 / bright)


def _randomised(signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mix a real contrast, sometimes inverted, with random signals; air stays the darkest."""
    uniform = rng.uniform(20, 950, len(Tissue))
    uniform[[Tissue.CORTEX, Tissue.LIGAMENT]] *= rng.uniform(0.05, 1.0)
    uniform[[Tissue.FAT, Tissue.EPIDURAL_FAT, Tissue.MESENTERY]] = uniform[Tissue.FAT] * rng.uniform(0.8, 1.2, 3)
    if rng.random() < 0.2:
        signal = np.abs(rng.uniform(700, 1000) - signal)
    share = rng.beta(1.2, 1.2)
    mixed = share * uniform + (1 - share) * signal
    mixed[[Tissue.AIR, Tissue.GAS]] = rng.uniform(0, 25, 2)
    return mixed


def _scanner(rng: np.random.Generator) -> dict:
    """Sample the effects of coil, receiver, reconstruction and patient; their rates are judged from clinical images."""
    happens = rng.random(8)
    band = ()
    if happens[0] < 0.45:
        start = rng.uniform(4, 32)
        band = (start, start + rng.choice([rng.uniform(35, 75), 400.0]), rng.uniform(0.02, 0.35))
    borders = np.where(rng.random(4) < (0.55, 0.55, 0.15, 0.15), rng.beta(1.8, 1.4, 4), 0.0)
    return {
        "coil_depth": float(rng.uniform(35, 130)) if happens[1] < 0.92 else 0.0,
        "coil_height": float(rng.uniform(120, 320)),
        "bias": float(rng.uniform(0, 0.22)),
        "noise": float(rng.gamma(2.0, 6.0)) + 1.5,
        "blur": float(rng.uniform(0.1, 0.75)),
        "sharpen": float(rng.uniform(0.2, 1.3)) if happens[7] < 0.65 else 0.0,
        "chemical_shift": float(rng.normal(0, 1.0)) if happens[2] < 0.45 else 0.0,
        "gibbs": float(rng.uniform(0.5, 0.9)) if happens[3] < 0.12 else 1.0,
        "ghost": float(rng.uniform(0.02, 0.12)) if happens[4] < 0.12 else 0.0,
        "ghost_shift": float(rng.uniform(0.08, 0.5)),
        "clip": float(rng.uniform(340, 900)) if happens[5] < 0.85 else float("inf"),
        "band": band,
        "borders": tuple(borders.tolist()),
        "warp": float(rng.uniform(-0.03, 0.03)) if happens[6] < 0.5 else 0.0,
    }
