"""The district-nursing formula from print: its two readings as terms, constants and notes.

Source: Filipe et al. 2024, BMC Health Services Research 24:1362, doi:10.1186/s12913-024-11832-0.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from needsalloc import reference
from needsalloc.age_steps import AgeSteps
from needsalloc.assumptions import Assumption
from needsalloc.errors import FormulaError

Sex = Literal["man", "woman"]

SUPPLY = "district_nurses_per_10000"
UNMET_NEED = "minority_ethnicity"
CALIBRATION = "liverpool-calibration"
AGE_CALIBRATION = "liverpool-age-calibration"
AGE_CALIBRATED = "district-nursing/liverpool-2024-age-calibrated"
# Name -> which reading of the count table.
READINGS = {
    "district-nursing/liverpool-2024": "realigned",
    "district-nursing/liverpool-2024-realigned": "realigned",
    "district-nursing/liverpool-2024-as-printed": "as-printed",
}
NAMES = (*READINGS, AGE_CALIBRATED)
_READING_NOTES = {
    "realigned": "The paper's count table is read one row down (realigned)",
    "as-printed": "The paper's count table is used as printed, though it contradicts the paper's text",
}


def read(name: str, interaction: Sex) -> dict[str, Any]:
    """The formula of this name as the fields of `NeedFormula`; FormulaError for one that is not published."""
    if name not in NAMES:
        raise FormulaError(f"No published formula is called {name!r}. There are: {', '.join(NAMES)}.")
    if interaction not in ("man", "woman"):
        raise FormulaError(f"Unknown interaction {interaction!r}: choose man or woman.")
    by_age = name == AGE_CALIBRATED
    reading = READINGS.get(name, "realigned")
    count_table = reference.read(f"filipe-2024-count-{reading}")
    zero_table = reference.read("filipe-2024-zero")
    printed = reference.read("filipe-2024-table1").frame.set_index("variable")
    calibration = AGE_CALIBRATION if by_age else CALIBRATION
    steps = None
    if by_age:
        solved = reference.read(AGE_CALIBRATION).frame
        constants = 0.0, float(solved["count"].iloc[0])
        zero = solved["zero"].to_numpy(np.float64)[:, None].repeat(2, axis=1)
        steps = AgeSteps(tuple(solved["first_age"].astype(int)), np.zeros_like(zero), zero)
    else:
        solved = reference.read(CALIBRATION).frame.set_index("reading")
        constants = float(solved["zero"][reading]), float(solved["count"][reading])
    variant = "age-calibrated" if by_age else reading
    return {
        "name": f"district-nursing/liverpool-2024-{variant}",
        "title": f"District nursing, Liverpool 2021, adults ({reading} count table"
        + (", users by age as printed)" if by_age else ")"),
        "count": _log_ratios(count_table.frame, interaction),
        "zero": _log_ratios(zero_table.frame, interaction),
        "constants": constants,
        "calibration": calibration,
        "centring": {
            term: (float(printed["mean"][term]), float(printed["sd"][term])) for term in ("age", "imd_score")
        },
        "supply": {SUPPLY: float(printed["mean"][SUPPLY])},
        "notes": (*_notes_on(count_table, reading, interaction), *_note_on_offsets(by_age)),
        "citation": f"{zero_table.cite()} {count_table.cite()}",
        "tables": (count_table.name, zero_table.name, "filipe-2024-table1", calibration),
        "unmet_need": (UNMET_NEED,),
        "steps": steps,
    }


def _log_ratios(table: pd.DataFrame, interaction: Sex) -> dict[str, float]:
    found = table[(table["term"] != "intercept") & table["ratio"].notna()]
    sex = "female=0" if interaction == "man" else "female"
    term = found["term"].replace({"age_x_female": f"age:{sex}", "age_x_imd": "age:imd_score"})
    return dict(zip(term, np.log(found["ratio"]), strict=True))


def _note_on_offsets(by_age: bool) -> list[Assumption]:
    if not by_age:
        return []
    return [
        Assumption(
            "Offsets by age band in the zero part: Liverpool's users by age are in the printed proportions",
            "Conditions by age are constants of fit; these offsets take up what they leave",
            "inference",
            AGE_CALIBRATION,
        )
    ]


def _notes_on(count: reference.Table, reading: str, interaction: Sex) -> tuple[Assumption, ...]:
    return (
        Assumption(
            _READING_NOTES[reading],
            count.evidence or "; ".join(count.notes),
            "inference",
            "Filipe et al. 2024, Table 3",
        ),
        Assumption(
            "The constant of the zero part and the level of contacts are solved on Liverpool's open files",
            "The paper prints neither",
            "inference",
            CALIBRATION,
        ),
        Assumption(
            f"The age × sex term belongs to the {interaction}",
            "The paper's methods say 1 = male, its tables say female; with the main effect a woman's and the "
            "interaction a man's all of its text fits",
            "inference",
            "Filipe et al. 2024",
        ),
        Assumption(
            "Supply is held at the paper's mean, minority ethnicity at 0 in the zero part",
            "Need must not rise with supply, and use that is missing for want of access is not want of need",
            "choice",
            "Filipe et al. 2024",
        ),
    )


__all__ = ["AGE_CALIBRATED", "NAMES", "READINGS", "SUPPLY", "UNMET_NEED", "Sex", "read"]
