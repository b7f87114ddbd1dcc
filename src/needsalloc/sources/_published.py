"""The canonical frames written back in the layouts in which the official files are published."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from needsalloc.geography import vintage_in
from needsalloc.sources import conditions, membership
from needsalloc.sources.lists import OLDEST

Frames = Mapping[str, pd.DataFrame]


def write_published(folder: Path, frames: Frames, publication: str) -> dict[str, Path]:
    """Write each frame under the name and header of its official file: name of the frame -> path.

    `publication` goes where the official files say GP_PRAC_PAT_LIST, so that none is mistaken for one of
    them.
    """
    tables = {
        "registrations": ("gp-reg-pat-prac-lsoa-all.csv", _registrations(frames, publication)),
        "membership": ("gp-reg-pat-prac-map.csv", _membership(frames["membership"], publication)),
        "population": ("population.csv", _population(frames["population"])),
        "deprivation": ("imd-file-7.csv", _deprivation(frames["deprivation"])),
        "conditions": ("PREVALENCE.csv", _conditions(frames["conditions"])),
        "lists": ("gp-reg-pat-prac-sing-age.csv", _lists(frames["lists"], publication)),
        "current": ("current.csv", frames["current"]),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for file, table in tables.values():
        table.to_csv(folder / file, index=False)
    return {name: folder / file for name, (file, _) in tables.items()}


def _of_release(publication: str, frame: pd.DataFrame, columns: Mapping[str, object]) -> pd.DataFrame:
    """Columns behind the two that open every file of a list release."""
    on = frame.attrs["on"].strftime("%d%b%Y")
    return pd.DataFrame({"PUBLICATION": publication, "EXTRACT_DATE": on, **columns})


def _registrations(frames: Frames, publication: str) -> pd.DataFrame:
    rows = frames["registrations"]
    names = frames["membership"].set_index("practice")["practice_name"]
    columns = {
        "PRACTICE_CODE": rows["practice"],
        "PRACTICE_NAME": rows["practice"].map(names),
        "LSOA_CODE": rows[vintage_in(rows)],
        "SEX": "ALL",
        "NUMBER_OF_PATIENTS": rows["patients"],
    }
    return _of_release(publication, rows, columns)


def _membership(frame: pd.DataFrame, publication: str) -> pd.DataFrame:
    columns = {membership.FIELDS[str(name)][0]: frame[name] for name in frame}
    return _of_release(publication, frame, columns)


def _lists(frame: pd.DataFrame, publication: str) -> pd.DataFrame:
    rows = frame.reset_index().melt(["practice", "sex"], var_name="age", value_name="patients")
    # The published files have no row where there is nobody.
    rows = rows[rows["patients"] > 0].astype({"patients": np.int64})
    columns = {
        "ORG_TYPE": "GP",
        "ORG_CODE": rows["practice"],
        "SEX": rows["sex"].str.upper(),
        "AGE": rows["age"].astype(str).replace(str(OLDEST), f"{OLDEST}+"),
        "NUMBER_OF_PATIENTS": rows["patients"],
    }
    return _of_release(publication, frame, columns)


def _population(frame: pd.DataFrame) -> pd.DataFrame:
    persons = frame.astype(np.int64)
    labels = {age: f"{age}+" if age == frame.columns[-1] else str(age) for age in frame.columns}
    table = persons.rename(columns=labels)
    table.insert(0, "total_population", persons.sum(axis=1))
    return table.rename_axis(f"{frame.index.name}_code").reset_index()


def _deprivation(frame: pd.DataFrame) -> pd.DataFrame:
    census = {"lsoa11": "2011", "lsoa21": "2021"}[vintage_in(frame)]
    names = {
        "imd_score": "Index of Multiple Deprivation (IMD) Score",
        "deprivation_decile": "Index of Multiple Deprivation (IMD) Decile "
        "(where 1 is most deprived 10% of LSOAs)",
    }
    return frame.rename(columns=names).rename_axis(f"LSOA code ({census})").reset_index()


def _conditions(frame: pd.DataFrame) -> pd.DataFrame:
    columns = {name: header for name, (header,) in conditions.FIELDS.items()}
    return frame[list(columns)].astype({"list_size": np.int64}).rename(columns=columns)
