"""Practice lists by sex and five-year age band (NHS England, monthly)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from needsalloc.errors import InvalidValueError, first_few
from needsalloc.sources._reading import SourceFile
from needsalloc.sources._table import TextTable

_FIELDS = {
    "practice": ("ORG_CODE",),
    "kind": ("ORG_TYPE",),
    "sex": ("SEX",),
    "band": ("AGE_GROUP_5",),
    "patients": ("NUMBER_OF_PATIENTS",),
    "date": ("EXTRACT_DATE",),
}
_SEXES = {"FEMALE": "female", "MALE": "male"}
_BANDS = {**{f"{age}_{age + 4}": age for age in range(0, 95, 5)}, "95+": 95}
_ALL = "ALL"


def read_lists_by_band(path: str | Path) -> pd.DataFrame:
    """Registered patients, float64: rows (practice, sex), columns the first ages of bands, 0, 5 … 95 (95+).

    The file also has rows for all ages, for both sexes, and for PCNs, sub-ICB locations, ICBs and regions:
    none of them is added to the others, and a practice whose bands do not sum to its own rows for all ages is
    an error, as is a file whose practices do not sum to its PCNs.

    attrs: `on`, the extract date; `source`, file name, sha256 and rows; `quality`.

    Raises InputFileError, MissingColumnError or InvalidValueError (a band that is none, a row twice, one sex
    only, sums that do not agree, two dates).
    Source: NHS England, Patients Registered at a GP Practice, gp-reg-pat-prac-quin-age.csv.
    """
    file = SourceFile(path, "practice lists by five-year age band")
    table = file.read(file.find(_FIELDS, optional=("date",)))
    rows = pd.DataFrame(
        {
            "practice": pd.Series(table.codes("practice")).astype("str"),
            "kind": pd.Series(table.codes("kind")).astype("str"),
            "sex": pd.Series(table.codes("sex")).astype("str"),
            "band": _bands(table),
            "patients": table.counts("patients"),
        }
    )
    table.refuse_repeated("kind", "practice", "sex", "band")
    own = rows[rows["kind"] == "GP"]
    frame = own[own["sex"].isin(_SEXES) & (own["band"] != _ALL)]
    if set(frame["sex"]) != set(_SEXES):
        raise InvalidValueError(
            f"{table.file}: {table.header['sex']} holds {first_few(sorted(set(own['sex'])))} for practices; "
            "expected FEMALE and MALE with their age bands. Use the published file."
        )
    wide = frame.pivot_table("patients", ["practice", "sex"], "band", aggfunc="sum")
    wide = wide.rename(columns=_BANDS, index=_SEXES).reindex(columns=list(_BANDS.values()))
    # A row that is not there is nobody of that band.
    wide = wide.fillna(0.0).rename_axis(columns=None).set_axis(list(_BANDS.values()), axis=1).sort_index()
    _compare(wide, own, table)
    _compare_teams(own, rows[rows["kind"] == "PCN"], table)
    wide.attrs = table.attrs(on=table.one_date("date") if "date" in table else None)
    return wide


def _bands(table: TextTable) -> pd.Series:
    codes = table.codes("band")
    spelling = {code: re.sub(r"[ _\-–]+", "_", code) for code in codes.categories}
    unknown = [code for code, band in spelling.items() if band not in _BANDS and band != _ALL]
    if unknown:
        wrong = np.asarray(codes.isin(unknown))
        table.refuse("band", wrong, "are no five-year age band", "Use the published file.")
    return pd.Series(codes).astype("str").map(spelling)


def _compare(wide: pd.DataFrame, own: pd.DataFrame, table: TextTable) -> None:
    """InvalidValueError if the bands of a practice do not sum to its rows for all ages."""
    summed = wide.sum(axis=1)
    stated = own[(own["band"] == _ALL) & own["sex"].isin(_SEXES)].set_index(["practice", "sex"])["patients"]
    together = own[(own["band"] == _ALL) & (own["sex"] == _ALL)].set_index("practice")["patients"]
    for found, expected in (
        (summed, stated.rename(index=_SEXES)),
        (summed.groupby("practice").sum(), together),
    ):
        both = pd.concat([found.rename("found"), expected.rename("expected")], axis=1)
        wrong = both.index[(both["found"].fillna(0) - both["expected"]).abs() > 0.5]
        if len(wrong):
            raise InvalidValueError(
                f"{table.file}: the age bands do not sum to the rows for all ages in {len(wrong):,} "
                f"practices or sexes: {first_few(wrong)}. Rows are missing or doubled; fetch the file again."
            )


def _compare_teams(own: pd.DataFrame, pcns: pd.DataFrame, table: TextTable) -> None:
    """InvalidValueError if practices and PCNs have not as many people; U is a PCN here."""
    whole = [rows[(rows["sex"] == _ALL) & (rows["band"] == _ALL)] for rows in (own, pcns)]
    total, of_pcns = (int(rows["patients"].sum()) for rows in whole)
    if of_pcns and total and of_pcns != total:
        raise InvalidValueError(
            f"{table.file}: practices have {total:,} patients and PCNs {of_pcns:,}. Rows are missing; fetch "
            "the file again."
        )


__all__ = ["read_lists_by_band"]
