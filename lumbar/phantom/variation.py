"""How people differ: the numbers that a synthetic patient is built from, sampled from published distributions.

======================  ===============================================================================================
number                  source
======================  ===============================================================================================
body depth, height      Cook & Baker, Int J Spine Surg 2021 (CT, L5: 30.3 ± 1.9 mm in front, 26.3 ± 1.9 mm behind,
                        upper endplate 35.7 ± 3.5 mm long, women about 7 % smaller); smaller upwards, and 41–49 mm
                        wide at L1–L5, as Panjabi et al., Spine 1991 and 1992
disc height             Onishi et al., Interdiscip Neurosurg 2019 (MR, in front: L3/4 9.3, L4/5 10.9, L5/S1 12.4 mm)
endplate hollows        Wang et al., Eur Spine J 2012 (1.5 mm above a disc, 0.7 mm below)
lordosis, supine        Anat Res Int 2014, 351769 (141 MR: mean 46°, 20–81°); its share by level as Bernhardt &
                        Bridwell, Spine 1989: two thirds below L4
sacral slope            Vaz et al., Eur Spine J 2002 (39°), Boulay et al., Eur Spine J 2006 (41 ± 7°), both standing;
                        4° less for lying with raised legs, so that the levels lie as in the public labels
canal                   Cook & Baker 2021 (15.6 ± 2.1 mm deep, 28.2 ± 3.1 mm wide at L5)
conus                   Saifuddin et al., Spine 1998 (lower third of L1, normal, mid T12 to upper L3)
end of the sac          Anat Res Int 2014, 351769 (middle third of S2, upper S1 to S3/S4)
four or six lumbar      French et al., Global Spine J 2014 (5941 radiographs: sacralised 4.1 %, lumbarised 5.8 %)
degeneration, bulge,    Brinjikji et al., AJNR 2015, by age (20 to 80 years: degeneration 37–96 %, bulge 30–84 %,
protrusion, slip        protrusion 29–43 %, annular fissure 19–29 %, slip 3–50 %)
Modic changes           Jensen et al., Eur Spine J 2008 (43 % of patients) and 2009 (two thirds at L4–S1)
Schmorl's nodes         Mok et al., Spine 2010 (16 %)
haemangioma             Schmorl & Junghanns' autopsies (11 %)
wedge fracture          O'Neill et al., J Bone Miner Res 1996 (12 % from 50 years on)
======================  ===============================================================================================
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np

VERTEBRAE = ("T8", "T9", "T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5")
"""Labels of the presacral vertebrae from the head down, counted up from the sacrum."""

TRANSITIONAL_RATES = {4: 0.041, 6: 0.058}
"""Number of lumbar-type vertebrae → share of people who have it (French et al. 2014)."""

_AGES = (20, 30, 40, 50, 60, 70, 80)
_RATES = {
    "degeneration": (0.37, 0.52, 0.68, 0.80, 0.88, 0.93, 0.96),
    "bulge": (0.30, 0.40, 0.50, 0.60, 0.69, 0.77, 0.84),
    "protrusion": (0.29, 0.31, 0.33, 0.36, 0.38, 0.40, 0.43),
    "fissure": (0.19, 0.20, 0.22, 0.23, 0.25, 0.27, 0.29),
    "slip": (0.03, 0.05, 0.08, 0.14, 0.23, 0.35, 0.50),
}
# Relative frequency of changes in the last five discs; the lower two are affected most (Ruangchainikom et al. 2021).
_LOWER_DISCS = np.array([0.25, 0.4, 0.6, 1.0, 1.0])

# From T8 down to L5, mm and degrees, for a person of average size.
_FRONT_HEIGHT = np.array([19.5, 20.5, 21.5, 22.5, 24.0, 26.0, 27.3, 28.3, 29.0, 30.0])
_BACK_HEIGHT = np.array([20.5, 21.5, 22.7, 24.0, 25.5, 27.3, 27.8, 28.0, 27.6, 26.2])
_DEPTH = np.array([27.5, 28.5, 29.5, 30.5, 31.5, 32.5, 33.5, 34.5, 35.0, 35.3])
_WIDTH = np.array([30.0, 31.5, 33.0, 36.0, 39.0, 41.0, 43.0, 45.0, 47.0, 49.5])
_DISC_HEIGHT = np.array([4.3, 4.6, 5.2, 5.8, 6.3, 7.2, 8.1, 8.7, 9.4, 9.2])  # at the rim, halfway to the back
_DISC_WEDGE = np.array([-2.0, -2.0, -1.0, 0.0, 1.5, 4.0, 6.0, 8.0, 10.5, 13.0])
_CANAL_DEPTH = np.array([15.0, 15.0, 15.2, 15.8, 16.6, 16.8, 16.2, 15.8, 15.6, 15.6])
_CANAL_WIDTH = np.array([17.0, 17.5, 18.0, 20.0, 22.0, 22.5, 23.0, 23.8, 25.0, 28.2])


def rate(finding: str, age: float) -> float:
    """Return the share of people of an age who have a finding at one or more lumbar levels (Brinjikji et al. 2015).

    Args:
        finding: "degeneration", "bulge", "protrusion", "fissure" or "slip".
        age: Years; values between the published ages are interpolated.
    """
    return float(np.interp(age, _AGES, _RATES[finding]))


@dataclass(frozen=True, eq=False)
class Variation:
    """One person in numbers.

    Arrays have one value per vertebra from T8 to L5, or per disc from T8/T9 to L5/S1: shape (10,), float64, unless
    stated otherwise.

    Args:
        male: Whether the person is male.
        age: Years, 18 to 88.
        size: Size relative to an average person, 0.82 to 1.18.
        fatness: Amount of fat, 0.2 to 2.6; 1 is average.
        lumbar_vertebrae: Number of lumbar-type vertebrae: 4, 5 or 6.
        sacral_slope: Slope of the upper endplate of S1, degrees.
        front_height: Height of each vertebral body in front, mm.
        back_height: Height of each vertebral body behind, mm.
        depth: Anteroposterior diameter of each vertebral body, mm.
        width: Transverse diameter of each vertebral body, mm.
        disc_height: Height of each disc at the rim, halfway to the back, mm.
        disc_wedge: Wedge angle of each disc, degrees; a positive wedge opens to the front.
        side_wedge: Sideways wedge angle of each disc, degrees.
        canal_depth: Anteroposterior diameter of the bony canal at each level, mm.
        canal_width: Transverse diameter of the bony canal at each level, mm.
        conus: Tip of the cord, in vertebrae below the top of L1.
        sac_end: End of the thecal sac, in sacral segments below the top of S1.
        grade: Pfirrmann grade of each disc, 1 to 5, int.
        bulge: How far each disc's margin exceeds the vertebrae all round, mm.
        slip: How far the vertebra above each disc has slipped forward, mm; negative backwards, 0 for no slip.
        hernia: How far a focal protrusion of each disc sticks out, mm; 0 for none.
        hernia_side: Position of that protrusion to the left of the middle, mm.
        modic: Type of the Modic change at each disc, 1 to 3; 0 for none.
        schmorl: Whether the endplate above and the endplate below each disc have a Schmorl's node, bool, shape (10, 2).
        fissure: Whether each disc has a bright annular fissure, bool.
        lip: How far the rims of each vertebra stick out (osteophytes), mm.
        haemangioma: Index of the vertebra with a haemangioma; -1 for none.
        endplate_fat: How much brighter the marrow near both endplates is, 0.1 to 0.8; 0 for none.
        findings: The findings in words, e.g. "spondylolisthesis L4/L5".
    """

    male: bool
    age: float
    size: float
    fatness: float
    lumbar_vertebrae: int
    sacral_slope: float
    front_height: np.ndarray
    back_height: np.ndarray
    depth: np.ndarray
    width: np.ndarray
    disc_height: np.ndarray
    disc_wedge: np.ndarray
    side_wedge: np.ndarray
    canal_depth: np.ndarray
    canal_width: np.ndarray
    conus: float
    sac_end: float
    grade: np.ndarray
    bulge: np.ndarray
    slip: np.ndarray
    hernia: np.ndarray
    hernia_side: np.ndarray
    modic: np.ndarray
    schmorl: np.ndarray
    fissure: np.ndarray
    lip: np.ndarray
    haemangioma: int
    endplate_fat: float
    findings: tuple[str, ...]


def draw_variation(
    rng: np.random.Generator, *, anomalies: bool = True, unusual_counts: float | None = None
) -> Variation:
    """Sample one person.

    Args:
        rng: Source of random numbers; the same state gives the same person.
        anomalies: Whether slips, fractures, hernias, Modic changes, transitional vertebrae and the like may occur.
            Disc degeneration and mild sideways curves occur in any case.
        unusual_counts: Probability of four or six lumbar vertebrae, half of it each; None for `TRANSITIONAL_RATES`.
    """
    male, age = bool(rng.random() < 0.5), float(np.clip(rng.normal(50, 16), 18, 88))
    size = float(np.clip(rng.normal(1.035 if male else 0.965, 0.05), 0.82, 1.18))
    count, lumbar = len(VERTEBRAE), _lumbar_count(rng, anomalies, unusual_counts)
    level = rng.normal(1, 0.025, (6, count))
    findings = [] if lumbar == 5 else [f"{lumbar} lumbar-type vertebrae"]

    grade = _grades(rng, age)
    narrow = np.array([1.0, 1.0, 0.95, 0.82, 0.55])[grade - 1]
    disc_height = _DISC_HEIGHT * size * level[0] * rng.normal(1, 0.09) * narrow
    disc_height[5:] *= rng.normal(1, 0.06, 5)
    disc_height[-1] *= rng.uniform(0.7, 1.1)
    front, back = _FRONT_HEIGHT * size * level[1], _BACK_HEIGHT * size * level[2]
    back[-1] *= rng.normal(1, 0.05)
    depth = _DEPTH * size * rng.normal(1, 0.04) * (0.995 + 0.005 * level[3])
    slope = float(np.clip(rng.normal(35.5, 8.0), 15, 62))
    lordosis = float(np.clip(slope + rng.normal(8, 6.5), 20, 78))
    fracture = _fracture(rng, age, anomalies)
    if fracture >= 0:
        front[fracture] *= rng.uniform(0.55, 0.8)
        back[fracture] *= rng.uniform(0.88, 1.0)
        findings.append(f"wedge fracture {VERTEBRAE[fracture]}")
    changes = _disc_changes(rng, age, grade, anomalies)
    findings += changes.pop("findings")
    haemangioma = int(rng.integers(2, count)) if anomalies and rng.random() < 0.11 else -1
    if haemangioma >= 0:
        findings.append(f"haemangioma {VERTEBRAE[haemangioma]}")
    return Variation(
        male=male,
        age=age,
        size=size,
        fatness=float(np.clip(rng.gamma(4.0, 0.25), 0.2, 2.6)),
        lumbar_vertebrae=lumbar,
        sacral_slope=slope,
        front_height=front,
        back_height=back,
        depth=depth,
        width=_WIDTH * size * level[4],
        disc_height=disc_height,
        disc_wedge=_wedges(rng, lordosis, front, back, depth, grade, fracture),
        side_wedge=_side_wedges(rng),
        canal_depth=_CANAL_DEPTH * rng.normal(1, 0.08) * level[5],
        canal_width=_CANAL_WIDTH * size * rng.normal(1, 0.06),
        conus=float(np.clip(rng.normal(0.75, 0.6), -0.7, 2.3)) + (lumbar - 5),
        sac_end=float(np.clip(rng.normal(1.5, 0.45), 0.2, 2.9)),
        grade=grade,
        haemangioma=haemangioma,
        endplate_fat=float(rng.uniform(0.1, 0.8)) if rng.random() < 0.5 else 0.0,
        findings=tuple(findings),
        **changes,
    )


def wear(person: Variation, rng: np.random.Generator) -> Variation:
    """Return the person with a badly worn lower spine, as patients have whose pain leads to a scan.

    One of the two lowest discs has collapsed to a fifth to a half of its usual height (Pfirrmann grade 5). In three of
    five such patients the vertebra above it has slipped, mostly forward; L5 is more of a wedge, and the sacrum often
    steeper, as it is in patients with a slip (Vialle et al., Eur Spine J 2007). The shares are chosen so that many
    kinds occur; they are not measured.

    Args:
        person: As `draw_variation` returns it.
        rng: Source of random numbers.
    """
    where = len(VERTEBRAE) - (1 if rng.random() < 0.65 else 2)
    level = "L5/S1" if where == len(VERTEBRAE) - 1 else "/".join(VERTEBRAE[where : where + 2])
    findings = [*person.findings, f"collapsed disc {level}"]
    changed = {name: getattr(person, name).copy() for name in ("grade", "disc_height", "slip", "back_height", "modic")}
    changed["grade"][where] = 5
    changed["disc_height"][where] = _DISC_HEIGHT[where] * person.size * rng.uniform(0.2, 0.5)
    if rng.random() < 0.6:
        changed["slip"][where] = rng.uniform(3, 15) if rng.random() < 0.85 else -rng.uniform(2, 6)
        findings.append(f"spondylolisthesis {level}")
    if rng.random() < 0.5:
        changed["modic"][where] = rng.choice((1, 2, 3), p=(0.3, 0.6, 0.1))
    changed["back_height"][-1] *= rng.uniform(0.8, 1.0)
    slope = float(np.clip(person.sacral_slope + rng.uniform(-6, 18), 15, 65))
    lordosis = person.disc_wedge[5:].sum()
    wedge = person.disc_wedge.copy()
    wedge[5:] *= (lordosis + slope - person.sacral_slope) / lordosis
    findings = tuple(dict.fromkeys(findings))
    return replace(person, sacral_slope=slope, disc_wedge=wedge, findings=findings, **changed)


def _lumbar_count(rng: np.random.Generator, anomalies: bool, unusual: float | None) -> int:
    uniform = rng.random()
    if not anomalies:
        return 5
    four, six = (TRANSITIONAL_RATES[4], TRANSITIONAL_RATES[6]) if unusual is None else (unusual / 2, unusual / 2)
    return 4 if uniform < four else 6 if uniform < four + six else 5


def _grades(rng: np.random.Generator, age: float) -> np.ndarray:
    """Sample the Pfirrmann grades of the ten discs; the share of people with a grade of 3 or more grows with age."""
    grades = np.where(rng.random(len(VERTEBRAE)) < np.clip((age - 15) / 30, 0.1, 0.95), 2, 1)
    if rng.random() < rate("degeneration", age):
        severity = np.concatenate([np.full(5, 0.3), _LOWER_DISCS]) * rng.uniform(0.3, 1.3) * (0.6 + age / 70)
        worn = rng.random(len(VERTEBRAE)) < severity
        worn[rng.choice(np.arange(5, 10), p=_LOWER_DISCS / _LOWER_DISCS.sum())] = True
        extra = rng.choice(3, len(VERTEBRAE), p=(0.45, 0.37, 0.18))
        grades = np.where(worn, 3 + extra, grades)
    return grades


def _fracture(rng: np.random.Generator, age: float, anomalies: bool) -> int:
    """Sample the index of a wedge-fractured vertebra, most often T12 or L1; -1 for none."""
    uniform, where = rng.random(), int(rng.choice(10, p=(0.03, 0.04, 0.05, 0.1, 0.25, 0.25, 0.1, 0.08, 0.06, 0.04)))
    return where if anomalies and uniform < (0.12 if age >= 50 else 0.02) else -1


def _wedges(rng, lordosis, front, back, depth, grade, fracture) -> np.ndarray:
    """Sample the wedge of each disc, degrees; L1 to S1 add up to `lordosis`, without the kyphosis of a fracture."""
    bodies = np.degrees((front - back) / depth)[5:]
    if fracture >= 5:
        bodies[fracture - 5] = 0
    wedges = _DISC_WEDGE + rng.normal(0, 2.2, len(_DISC_WEDGE))
    wedges[grade == 5] *= 0.6
    lumbar = np.maximum(wedges[5:], 1.0)
    wedges[5:] = lumbar * (lordosis - bodies.sum()) / lumbar.sum()
    return wedges


def _side_wedges(rng: np.random.Generator) -> np.ndarray:
    """Sample the sideways wedge of each disc, degrees: a mild curve of the lumbar spine; one in twenty is marked."""
    uniform = rng.random()
    amplitude = rng.normal(0, 1.0) * (4.5 if uniform < 0.05 else 2.0 if uniform < 0.2 else 0.7)
    centre, length = rng.uniform(3, 8), rng.uniform(3, 5)
    return amplitude * np.cos((np.arange(len(VERTEBRAE)) - centre) / length * np.pi) + rng.normal(0, 0.3, 10)


def _disc_changes(rng: np.random.Generator, age: float, grade: np.ndarray, anomalies: bool) -> dict:
    """Sample bulges, protrusions, slips, Modic changes, Schmorl's nodes and fissures of the ten discs; name them."""
    count, findings = len(VERTEBRAE), []
    names = [*(f"{a}/{b}" for a, b in itertools.pairwise(VERTEBRAE)), "L5/S1"]
    worn = np.clip(grade - 2, 0, 3)
    bulges = rng.random() < rate("bulge", age)
    bulge = rng.uniform(0.2, 1.2, count) + (rng.uniform(0.2, 0.9, count) * worn if bulges else 0)
    uniform, preference = rng.random(6), rng.random((6, count))
    likely = np.concatenate([np.full(5, 0.03), _LOWER_DISCS]) * (0.3 + worn)

    def affected(name: str, occurs: bool, extra: float) -> np.ndarray:
        """Choose the discs with a finding: one if it occurs, others with probability `extra` each."""
        chosen = np.zeros(count, dtype=bool)
        weights = likely * preference[len(findings) % 6]
        if occurs and anomalies:
            chosen[int(np.argmax(weights))] = True
            chosen |= (rng.random(count) < extra) & (worn > 0)
            findings.extend(f"{name} {names[index]}" for index in np.flatnonzero(chosen))
        return chosen

    hernia = affected("protrusion", uniform[0] < rate("protrusion", age), 0.1) * rng.uniform(2.0, 6.5, count)
    slips = affected("spondylolisthesis", uniform[1] < rate("slip", age), 0.02)
    back_slips = rng.random(count) < 0.15
    slip = slips * np.where(back_slips, -1, 1) * np.clip(rng.gamma(3, 1.7, count), 2.0, 14.0)
    modic = affected("Modic change", uniform[2] < 0.43 * np.clip(age / 50, 0.4, 1.4), 0.15)
    modic = modic * (1 + rng.choice(3, count, p=(0.3, 0.65, 0.05)))
    dented, above = affected("Schmorl's node", uniform[3] < 0.16, 0.2), rng.random((2, count)) < 0.65
    schmorl = np.stack([dented & above[0], dented & (above[1] | ~above[0])], axis=1)
    fissure = affected("annular fissure", uniform[4] < rate("fissure", age), 0.05)
    return {
        "bulge": bulge,
        "slip": slip,
        "hernia": hernia,
        "hernia_side": rng.normal(0, 4.5, count),
        "modic": modic,
        "schmorl": schmorl,
        "fissure": fissure,
        "lip": np.clip(rng.normal(0.1, 0.5, count) + 0.55 * worn * np.clip((age - 25) / 40, 0, 1), 0, 4),
        "findings": findings,
    }
