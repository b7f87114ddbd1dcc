"""Counts from printed tables, with what others found on them: the outside answers that need no software.

Each table is small enough to be typed from print, and stands as a frame with a column of how many (`people`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

# Roots of 270 shoots of the apple Trajan by photoperiod (hours) and BAP: 0, 1, 2 … roots. Ridout, Demétrio
# and Hinde 1998, Models for count data with many zeros, 19th International Biometric Conference, 179-192.
_SHOOTS = {
    (8, 2.2): (0, 3, 2, 3, 6, 3, 2, 2, 3, 1, 2, 1, 0, 1, 0, 0, 0, 1),
    (8, 4.4): (0, 0, 3, 0, 1, 0, 3, 7, 3, 5, 3, 4, 0, 1),
    (8, 8.8): (0, 0, 1, 2, 4, 4, 4, 4, 7, 5, 4, 1, 2, 0, 2),
    (8, 17.6): (2, 0, 0, 2, 2, 5, 5, 4, 8, 3, 4, 4, 0, 0, 1),
    (16, 2.2): (15, 0, 2, 2, 1, 2, 1, 0, 1, 3, 1, 1, 1),
    (16, 4.4): (16, 2, 1, 1, 2, 1, 2, 0, 1, 0, 3, 0, 1),
    (16, 8.8): (12, 3, 2, 1, 2, 2, 3, 1, 0, 2, 0, 1, 1),
    (16, 17.6): (19, 2, 2, 4, 3, 1, 4, 3, 0, 2),
}
# A zero-inflated Poisson, a mean for each treatment and never rooting by photoperiod: -2 log L in Table 2 of
# the paper (H*P, P); log L in Output 1 of the SAS example "Fitting Zero-Inflated Count Data Models".
SHOOTS_DEVIANCE = 1244.457
SHOOTS_LOG_LIKELIHOOD = -622.2283

# European red mites on 150 apple leaves: 0, 1, 2 … mites. Bliss and Fisher 1953, Biometrics 9: 176-200.
_MITES = (70, 38, 17, 10, 9, 3, 2, 1)
# Negative binomial: the mean is 172 / 150; theta and its standard error by MASS 7.3-58 (glm.nb).
MITES_THETA = 1.0245924
MITES_SE_THETA = 0.2759071

# Deaths by horse kicks in 200 corps-years: 0 to 4. von Bortkiewicz 1898; Fisher 1925 gives the mean as 0.61.
_KICKS = (109, 65, 22, 3, 1)
KICKS_MEAN = 0.61

# Damage to ships by type, years of building and years at sea: months of service, incidents. McCullagh and
# Nelder 1989, Generalized Linear Models, section 6.3.2.
_SHIPS = """
A 60 60 127 0|A 60 75 63 0|A 65 60 1095 3|A 65 75 1095 4|A 70 60 1512 6|A 70 75 3353 18|A 75 75 2244 11
B 60 60 44882 39|B 60 75 17176 29|B 65 60 28609 58|B 65 75 20370 53|B 70 60 7064 12|B 70 75 13099 44
B 75 75 7117 18|C 60 60 1179 1|C 60 75 552 1|C 65 60 781 0|C 65 75 676 1|C 70 60 783 6|C 70 75 1948 2
C 75 75 274 1|D 60 60 251 0|D 60 75 105 0|D 65 60 288 0|D 65 75 192 0|D 70 60 349 2|D 70 75 1208 11
D 75 75 2051 4|E 60 60 45 0|E 65 60 789 7|E 65 75 437 7|E 70 60 1157 5|E 70 75 2161 12|E 75 75 542 1
"""
# Poisson, months as exposure: coefficients and standard errors as stats::glm prints them, and Pearson's
# dispersion, which multiplies the variances of the quasi-likelihood.
SHIPS_COUNT = {
    "Intercept": (-6.40590, 0.21744),
    "type=B": (-0.54334, 0.17759),
    "type=C": (-0.68740, 0.32904),
    "type=D": (-0.07596, 0.29058),
    "type=E": (0.32558, 0.23588),
    "built=65": (0.69714, 0.14964),
    "built=70": (0.81843, 0.16977),
    "built=75": (0.45343, 0.23317),
    "sailed=75": (0.38447, 0.11827),
}
SHIPS_DISPERSION = 1.691028


def _frequencies(column: str, people: tuple[int, ...], **held: object) -> pd.DataFrame:
    rows = pd.DataFrame({column: np.arange(len(people)), "people": people, **held})
    return rows[rows["people"] > 0].reset_index(drop=True)


def shoots() -> pd.DataFrame:
    """`roots`, `people` (shoots), `photoperiod` and `bap` as text (rows,)."""
    parts = [
        _frequencies("roots", people, photoperiod=str(hours), bap=str(dose))
        for (hours, dose), people in _SHOOTS.items()
    ]
    return pd.concat(parts, ignore_index=True)


def mites() -> pd.DataFrame:
    """`mites` and `people` (leaves)."""
    return _frequencies("mites", _MITES)


def kicks() -> pd.DataFrame:
    """`deaths` and `people` (corps-years)."""
    return _frequencies("deaths", _KICKS)


def ships() -> pd.DataFrame:
    """`type`, `built`, `sailed` as text, `months` and `incidents`."""
    rows = [row.split() for row in _SHIPS.strip().replace("\n", "|").split("|")]
    frame = pd.DataFrame(rows, columns=["type", "built", "sailed", "months", "incidents"])
    return frame.astype({"months": "int64", "incidents": "int64"})
