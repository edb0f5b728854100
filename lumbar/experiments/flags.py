"""What a flag costs: how many wrong answers it finds, how many right ones it stops, and how many need a look.

To flag an answer is to abstain from it, as in selective classification (Geifman and El-Yaniv, "Selective classification
for deep neural networks", NeurIPS 2017): whoever flags more finds more of the wrong answers, and looks at more of the
right ones. `price` gives the whole trade-off of a number by which answers can be sorted.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from lumbar.decoding.doubts import doubtful_count
from lumbar.experiments import cut_off
from lumbar.inference import NetworkAnswer
from lumbar.intervals import INTERVAL
from lumbar.preprocess import Prepared
from lumbar.weights import Weights

OUTCOMES = RIGHT, STOPPED, WARNED, SILENT = "right", "right, but flagged", "wrong, and flagged", "wrong, not flagged"
"""What may come of an answer: the last one is the worst."""


def judged(part: Prepared, answer: NetworkAnswer, network: Weights) -> pd.DataFrame:
    """Return which of a network's answers are wrong, how doubtful each is, and whether it is flagged.

    Args:
        part: N images, see `lumbar.experiments.cut_off.judged`.
        answer: What the network answers for them.
        network: The network, with its calibration and its limits.

    Returns:
        N rows with the columns patient, wrong (see there), blurred (1 minus the least confidence of a point),
        miscounted (the probability that the levels lie one disc higher or lower; NaN where no two neighbouring discs
        were found), flagged (whether `lumbar.inference.find_points` flags an image of a familiar modality) and outcome
        (categorical, one of `OUTCOMES`).
    """
    rows = cut_off.judged(part, answer)
    confidence = network.confidence(rows["least"].to_numpy())
    ways = network.miscounted(rows[["one_higher", "one_lower"]].to_numpy())
    wrong, flagged = rows["wrong"], (confidence < network.doubtful) | doubtful_count(ways) | rows["unclear"]
    codes = np.where(wrong, np.where(flagged, 2, 3), np.where(flagged, 1, 0))
    outcome = pd.Categorical.from_codes(codes, OUTCOMES)
    doubts = {"blurred": 1 - confidence, "miscounted": ways.sum(axis=1), "flagged": flagged, "outcome": outcome}
    return rows[["patient", "wrong"]].assign(**doubts)


def price(
    doubt: np.ndarray, wrong: np.ndarray, patient_of: np.ndarray, *, bootstrap: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Return what it costs to flag the most doubtful answers, for every number of them.

    Args:
        doubt: (N,), the larger, the sooner an answer is flagged; of equal ones the first come first. NaN, where nobody
            knows, comes before all others.
        wrong: (N,) boolean, which answers are wrong; at least one.
        patient_of: (N,), the patient of each answer.
        bootstrap: Number of resamples of the patients.
        seed: Seed of the resampling.

    Returns:
        N rows, for 1 to N flagged answers, with the columns limit (the least doubt that is flagged), flagged (share of
        all answers), found (share of the wrong answers that are flagged, the recall), found_low and found_high (its
        95 % interval over patients), false_alarms (share of the right answers that are flagged; NaN if there are none)
        and looks (flagged answers for each wrong one among them; inf as long as none is), looks_low and looks_high.

    Raises:
        ValueError: If no answer is wrong.
    """
    doubt, wrong = np.asarray(doubt, float), np.asarray(wrong, bool)
    if not wrong.any():
        raise ValueError("no answer is wrong, so that a flag has nothing to find")
    order = np.argsort(-np.where(np.isnan(doubt), np.inf, doubt), kind="stable")
    ordered, number = wrong[order], np.arange(1, len(wrong) + 1)
    caught = np.cumsum(ordered)
    codes, names = pd.factorize(np.asarray(patient_of)[order])
    drawn = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), bootstrap)
    drawn = drawn[:, codes]  # how often each answer is in each resample
    caught_drawn = np.cumsum(drawn * ordered, axis=1)
    found = caught_drawn / np.maximum(caught_drawn[:, -1:], 1)
    low, high = np.percentile(found[caught_drawn[:, -1] > 0], INTERVAL, axis=0)
    hits_low, hits_high = np.percentile(caught_drawn / np.maximum(np.cumsum(drawn, axis=1), 1), INTERVAL, axis=0)
    return pd.DataFrame(
        {
            "limit": doubt[order],
            "flagged": number / len(wrong),
            "found": caught / caught[-1],
            "found_low": low,
            "found_high": high,
            "false_alarms": (number - caught) / (len(wrong) - caught[-1] or np.nan),
            "looks": _inverse(caught / number),
            "looks_low": _inverse(hits_high),
            "looks_high": _inverse(hits_low),
        }
    )


def _inverse(shares: np.ndarray) -> np.ndarray:
    """Return 1 over each share; inf for 0."""
    return np.divide(1, shares, out=np.full(len(shares), np.inf), where=shares > 0)
