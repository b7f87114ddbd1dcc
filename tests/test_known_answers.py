"""Answers that others worked out, each with its source; a tolerance is the rounding of the printed figure."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import needsalloc as na
from needsalloc import gradients, reference
from needsalloc.kernels import inequality
from needsalloc.kernels.families import FAMILIES
from small_worlds import membership, registrations

Answer = float | list[float]

WIKIPEDIA_53 = "Wikipedia, Webster/Sainte-Laguë method, worked example"
WIKIPEDIA_47 = "Wikipedia, Highest averages method; also the tests of R package votr (UchidaMizuki/votr)"
JULIA = "Apportionment.jl, test/runtests.jl (fmhahne/Apportionment.jl)"
ELECTOWIKI = "electowiki.org, Sainte-Laguë method: 503, 304 and 193 votes for 35 seats"
COMAP = "COMAP, For All Practical Purposes, 10th ed., ch. 14, example 15: diamonds by the Webster method"
GERMANY = (
    "Bundeswahlleiter, 9 September 2021: Bundestagswahl 2021, Sitzkontingente der Länder (Sainte-Laguë, "
    "598 seats by German population on 31 May 2021)"
)
FILIPE = "Filipe et al. 2024, BMC Health Services Research 24:1362, Table 1"
BY_HAND = "the definition, by hand"

LAENDER = {
    2_659_792: 22, 1_532_412: 13, 1_537_766: 13, 7_207_587: 59,
    548_941: 5, 2_397_701: 20, 2_056_177: 17, 2_942_960: 24,
    15_415_642: 127, 3_826_905: 32, 5_222_158: 43, 1_996_822: 16,
    3_610_865: 30, 11_328_866: 93, 9_313_413: 77, 865_191: 7,
}  # fmt: skip


def posts(total: float, weights: list[float], step: float = 1) -> list[float]:
    """Posts of teams with these weighted populations."""
    need = pd.DataFrame({"weighted_population": weights}, index=pd.RangeIndex(len(weights), name="team"))
    return na.allocate(total, need, step=step).table["posts"].to_list()


def two_areas(carry: Callable[[na.Catchment, pd.Series], pd.Series]) -> list[float]:
    """Area 1 is 30 patients with P and 10 with Q, area 2 all 20 with Q; 100 and 50 people live there."""
    rows = registrations([("A", "E01900001", 30), ("B", "E01900001", 10), ("B", "E01900002", 20)])
    of = na.Catchment.from_registrations(rows, membership({"A": "P", "B": "Q"}))
    living = pd.Series([100.0, 50.0], index=pd.Index(["E01900001", "E01900002"], name="lsoa21"))
    return carry(of, living).to_list()


def cohort_ages() -> list[float]:
    """Mean and SD of age, then the share of the bands 18, 30, 50, 70 and 90."""
    ages = gradients.cohort_ages()
    mean = ages.share @ ages.age
    bands = np.add.reduceat(ages.share, np.searchsorted(ages.age, [18, 30, 50, 70, 90]))
    return [mean, np.sqrt(ages.share @ (ages.age - mean) ** 2), *bands]


KNOWN: list[tuple[str, Callable[[], Answer], Answer, float]] = [
    (WIKIPEDIA_53, lambda: posts(7, [53_000, 24_000, 23_000]), [3, 2, 2], 0),
    (WIKIPEDIA_47, lambda: posts(10, [47_000, 16_000, 15_900, 12_000, 6_000, 3_100]), [4, 2, 2, 1, 1, 0], 0),
    (JULIA, lambda: posts(8, [10, 8, 3, 2]), [3, 3, 1, 1], 0),
    (ELECTOWIKI, lambda: posts(35, [503, 304, 193]), [17, 11, 7], 0),
    (COMAP, lambda: posts(100, [18, 4, 1]), [79, 17, 4], 0),
    (COMAP + ", in steps of 0.1", lambda: posts(10, [18, 4, 1], step=0.1), [7.9, 1.7, 0.4], 1e-12),
    (GERMANY, lambda: posts(598, [float(people) for people in LAENDER]), list(LAENDER.values()), 0),
    # 100 people by 3/4 and 1/4, 50 all to Q; rates by patients: Q has 10 of its 30 in area 1.
    (BY_HAND, lambda: two_areas(na.Catchment.apportion), [75, 75], 1e-12),
    (BY_HAND, lambda: two_areas(na.Catchment.average), [100, 200 / 3], 1e-12),
    # Half never use; the others have ln 2 contacts on average, so half of them have none.
    (
        BY_HAND,
        lambda: float(FAMILIES["zip"].share_with_contact(np.array([[np.log(np.log(2)), 0.0]]))[0]),
        0.25,
        1e-12,
    ),
    (
        BY_HAND,
        lambda: float(FAMILIES["zip"].mean(np.array([[np.log(np.log(2)), 0.0]]))[0]),
        np.log(2) / 2,
        1e-12,
    ),
    (BY_HAND, lambda: inequality.hoover(np.array([50.0, 30, 20]), np.array([20.0, 30, 50])), 0.3, 1e-12),
    (
        FILIPE,
        cohort_ages,
        [47.11, 18.61, *(n / 359_774 for n in (84_631, 122_776, 105_359, 44_764, 2_244))],
        1e-6,
    ),
]


@pytest.mark.parametrize(
    ("found", "expected", "tolerance"), [k[1:] for k in KNOWN], ids=[k[0][:40] for k in KNOWN]
)
def test_known_answer(found, expected, tolerance):
    assert found() == pytest.approx(expected, abs=tolerance, rel=0)


# Figures of the real files, as they were published or counted from the files by others


def england_2023(data: Path) -> tuple[pd.DataFrame, pd.Series]:
    """IMD 2019 and adults in mid-2020, by area."""
    imd = na.read_deprivation(data / "england-2023/imd2019_lsoa11.csv.gz")
    people = na.read_population(data / "england-2023/population20_lsoa11.csv.gz")
    return imd, people.loc[:, 18:].sum(axis=1).reindex(imd.index)


def imd_of_adults(data: Path) -> Answer:
    imd, adults = england_2023(data)
    mean = np.average(imd["imd_score"], weights=adults)
    return [mean, np.sqrt(np.average((imd["imd_score"] - mean) ** 2, weights=adults))]


def less_deprived_than_liverpools_least_deprived_fifth(data: Path) -> Answer:
    imd, adults = england_2023(data)
    printed = reference.read("filipe-2024-table1").frame.set_index("variable")["mean"]
    return float(
        adults[imd["imd_score"] < printed["imd_quintile_5_least_deprived_score"]].sum() / adults.sum()
    )


def liverpools_listed_adults(data: Path) -> Answer:
    members = na.read_membership(data / "england-2023/gp-reg-pat-prac-map_for_2023-07.csv.gz")
    registers = na.read_conditions(data / "england-2023/PREVALENCE_2122.csv.gz")
    here = registers["practice"].isin(members.loc[members["sub_icb"] == "99A", "practice"])
    adults = registers[here & (registers["list_type"] == "18OV")]
    return float(adults.drop_duplicates("practice")["list_size"].sum())


REAL: list[tuple[str, Callable[[Path], Answer], Answer, float]] = [
    # Printed with one decimal.
    ("IMD 2019 of England's adults: mean 21.4, SD 14.9", imd_of_adults, [21.4, 14.9], 0.05),
    (
        "38.5 % of adults live beyond the formula's range",
        less_deprived_than_liverpools_least_deprived_fifth,
        0.385,
        5e-4,
    ),
    ("Liverpool's listed adults, QOF 2021/22", liverpools_listed_adults, 462_238, 0),
    ("LSOAs of 2011, ONS", lambda data: float(len(england_2023(data)[0])), 32_844, 0),
]


@pytest.mark.parametrize(
    ("found", "expected", "tolerance"), [k[1:] for k in REAL], ids=[k[0][:40] for k in REAL]
)
def test_known_answer_on_real_files(real_data, found, expected, tolerance):
    assert found(real_data) == pytest.approx(expected, abs=tolerance, rel=0)
