"""Whether the files of a plan are of the same places, practices and days, and add up to what is published.

Nothing is computed from the files here but their totals: each check needs only the frames that it compares.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import date, datetime

import numpy as np
import pandas as pd

from needsalloc import reference
from needsalloc.ages import ADULT
from needsalloc.errors import VintageError, first_few
from needsalloc.geography import AREAS_OF_ENGLAND, check_same_vintage, check_vintage, is_english
from needsalloc.registers import ADULT_LIST, larger_than_lists
from needsalloc.report import Check

Frames = Mapping[str, pd.DataFrame]

DAYS_APART = 100
MOST_LACKING = 0.01
"""Share of patients of practices that a file may lack: above it their mean is no longer a detail."""

SAME_DAY, OTHER_DAY = 0.005, 0.05
"""How far two totals of the same practices may be apart."""

ADULTS_APART = 0.02
"""How far the shares of adults in two files of the same practices may be apart."""

FAR_APART = 0.2
"""Part by which the list of one practice differs, beyond which it is counted."""

A_YEAR = 0.01
"""What England's totals may drift in a year between two published ones."""

WHOLE = 0.5
"""Part of England's total past which a file means to be national."""

_LISTED = {"lists": "lists by age", "conditions": "QOF lists"}
_WITHOUT = {
    "lists": "their patients have the ages of their areas",
    "conditions": "they are given the mean of the others",
}
_OF_AREAS = {
    "population": "population file",
    "deprivation": "deprivation file",
    "boundaries": "boundary file",
    "disability": "disability file",
    "shares": "file of shares",
}
_CENSUS = {"lsoa11": "2011", "lsoa21": "2021"}
_SEPARATE = ("boundaries", "disability")  # what lacks an area of these is blank there, and nothing else
_EDITIONS = {"IMD 2019": "lsoa11", "IMD 2025": "lsoa21"}
_ALL_AGES = "TOTAL"
_DAYS = (
    (r"\d{4}-\d\d-\d\d", "%Y-%m-%d"),
    (r"\d{1,2} [A-Za-z]+ \d{4}", "%d %B %Y"),
    (r"\d{1,2} [A-Za-z]+ \d{4}", "%d %b %Y"),
)


def matching_checks(frames: Frames, days: Mapping[str, date | None]) -> list[Check]:
    """Every check that these frames allow; `days` by role, as the file or the plan says them."""
    return [
        *_days(days),
        *_practices(frames, days),
        *_areas(frames),
        *_england(frames, days),
    ]


def day_of(said: object) -> date | None:
    """The day that a file or a plan states, None for words that are none.

    >>> day_of("1 April 2026"), day_of("QOF year 2021/22")
    (datetime.date(2026, 4, 1), None)
    """
    if isinstance(said, date):
        return said
    text = str(said or "")
    if middle := re.search(r"\bmid-(\d{4})\b", text, re.IGNORECASE):
        return date(int(middle[1]), 6, 30)
    for pattern, layout in _DAYS:
        if written := re.search(pattern, text):
            with suppress(ValueError):
                return datetime.strptime(written[0], layout).date()
    return None


# Days


def _days(days: Mapping[str, date | None]) -> Iterator[Check]:
    for role, name in (
        ("membership", "Days between the lists and the map"),
        ("lists", "Days between the registrations and the lists by age"),
    ):
        lists_on, other_on = days.get("registrations"), days.get(role)
        if lists_on and other_on:
            apart = abs((lists_on - other_on).days)
            yield Check(
                name, "warning" if apart > DAYS_APART else "pass", f"{apart:,}", f"at most {DAYS_APART}"
            )


# Practices


def patients_by_practice(frames: Frames) -> pd.DataFrame:
    """Patients of every practice by file: index practice, columns of the roles there are.

    NaN where a file lacks the practice. The map, which counts nobody, has 0 for each of its practices.
    """
    found = {}
    if "registrations" in frames:
        rows = frames["registrations"]
        patients = rows.groupby(rows["practice"].astype("str"))["patients"].sum()
        found["registrations"] = patients[patients > 0].astype(np.float64)
    if "membership" in frames:
        found["membership"] = pd.Series(0.0, index=pd.Index(frames["membership"]["practice"].unique()))
    if "lists" in frames:
        listed = frames["lists"].sum(axis=1).groupby(level="practice").sum()
        found["lists"] = listed[listed > 0]
    if "conditions" in frames:
        found["conditions"] = _qof_list(frames["conditions"], _ALL_AGES)
    return pd.DataFrame(found).rename_axis("practice")


def unmatched_practices(frames: Frames) -> pd.DataFrame:
    """Practices that one file has and another lacks, or that are of another size there.

    A row for each practice and finding: `practice, practice_name, finding, registered` (patients of the
    registrations), `there` (patients of the other file; NaN where it has none).
    """
    patients = patients_by_practice(frames)
    if "registrations" not in patients:
        return pd.DataFrame(columns=["practice", "practice_name", "finding", "registered", "there"])
    registered, rows = patients["registrations"], []
    if "membership" in patients:
        in_map = patients["membership"].notna()
        rows.append(patients[registered.notna() & ~in_map].assign(finding="not in the map", there=np.nan))
        idle = patients[registered.isna() & in_map & _here(frames, patients)]
        there = idle.get("lists", pd.Series(np.nan, index=idle.index))
        rows.append(idle.assign(finding="in the map, without patients", there=there))
    for role, name in _LISTED.items():
        if role in patients:
            other = patients[role]
            rows.append(
                patients[registered.notna() & other.isna()].assign(finding=f"not in the {name}", there=np.nan)
            )
            far = _far(registered, other)
            rows.append(patients[far].assign(finding=f"of another size in the {name}", there=other[far]))
    table = pd.concat(rows).rename(columns={"registrations": "registered"})
    table["practice_name"] = _names(frames).reindex(table.index).fillna("").to_numpy()
    columns = ["practice", "practice_name", "finding", "registered", "there"]
    return table.reset_index()[columns]


def _practices(frames: Frames, days: Mapping[str, date | None]) -> Iterator[Check]:
    patients = patients_by_practice(frames)
    if "registrations" not in patients:
        return
    registered = patients["registrations"].dropna()
    if "membership" in patients:
        lost = registered[patients["membership"].reindex(registered.index).isna()]
        yield Check(
            "Patients of practices missing from the map",
            "warning" if len(lost) else "pass",
            _of_practices(lost) if len(lost) else "0",
            "0",
        )
        idle = patients[patients["registrations"].isna() & patients["membership"].notna()]
        idle = idle[_here(frames, idle)]
        listed = idle.get("lists", pd.Series(dtype=np.float64)).sum()
        yield Check(
            "Practices of the map without patients, where most others have some",
            "note" if len(idle) else "pass",
            f"{len(idle):,}" + (f", with {listed:,.0f} patients in the lists by age" if listed else ""),
            "0, or opened and closed between the two days",
        )
    for role in _LISTED:
        if role in patients:
            same_day = days.get(role) is not None and days.get(role) == days.get("registrations")
            yield from _against(registered, patients[role].dropna(), role, same_day)
    if "conditions" in frames:
        if "lists" in frames:
            yield from _adults(frames)
        odd = larger_than_lists(frames["conditions"])
        names = [f"{row.practice} ({row.condition})" for row in odd.itertuples()]
        yield Check(
            "QOF registers larger than the list they are of",
            "note" if names else "pass",
            f"{len(names):,}" + (f": {first_few(names)}" if names else ""),
            "0; one or two are found in published files",
        )


def _against(registered: pd.Series, other: pd.Series, role: str, same_day: bool) -> Iterator[Check]:
    """The practices of the registrations against those of another file that counts patients."""
    name = _LISTED[role]
    both = registered.index.intersection(other.index)
    lacking = registered.drop(both)
    share = lacking.sum() / registered.sum()
    yield Check(
        f"Patients of practices that the {name} lack",
        "warning" if share > MOST_LACKING else "note" if len(lacking) else "pass",
        f"{_of_practices(lacking)} ({share:.2%})" if len(lacking) else "0",
        f"at most {MOST_LACKING:.0%}; {_WITHOUT[role]}",
    )
    if not len(both):
        return
    total, there = registered[both].sum(), other[both].sum()
    allowed = SAME_DAY if same_day else OTHER_DAY
    yield Check(
        f"Patients of the {name} over the registrations, practices in both",
        "pass" if abs(there / total - 1) <= allowed else "warning",
        f"{there / total:.3f} ({there:,.0f} over {total:,.0f})",
        f"1, give or take {allowed:.1%}" + ("" if same_day else ": the days differ"),
    )
    far = _far(registered[both], other[both])
    moved = registered[both][far]
    yield Check(
        f"Patients of practices whose list differs by more than {FAR_APART:.0%} in the {name}",
        "warning" if moved.sum() > OTHER_DAY * registered.sum() else "note" if len(moved) else "pass",
        _of_practices(moved) if len(moved) else "0",
        f"at most {OTHER_DAY:.0%} of patients; lists that merged, opened or closed",
    )


def _adults(frames: Frames) -> Iterator[Check]:
    """Adults among the patients, in the lists by age and in the QOF: growth leaves their share alone."""
    years = frames["lists"].columns.to_numpy(np.int64)
    listed = frames["lists"].groupby(level="practice").sum()
    adults, everybody = (_qof_list(frames["conditions"], kind) for kind in (ADULT_LIST, _ALL_AGES))
    both = listed.index.intersection(adults.index).intersection(everybody.index)
    if not len(both):
        return
    by_age = listed.loc[both, years >= ADULT].to_numpy().sum() / listed.loc[both].to_numpy().sum()
    of_qof = adults[both].sum() / everybody[both].sum()
    yield Check(
        f"Patients aged {ADULT} and over, of the lists by age and of the QOF lists",
        "pass" if abs(by_age - of_qof) <= ADULTS_APART else "warning",
        f"{by_age:.1%} and {of_qof:.1%}",
        f"the same, give or take {ADULTS_APART:.0%} of patients",
    )


def _qof_list(conditions: pd.DataFrame, kind: str) -> pd.Series:
    rows = conditions[conditions["list_type"] == kind]
    size = rows.groupby("practice")["list_size"].max()
    return size[size > 0]


def _far(registered: pd.Series, other: pd.Series) -> pd.Series:
    """Which practices, in both, are of another size."""
    return (other / registered - 1).abs() > FAR_APART


def _here(frames: Frames, patients: pd.DataFrame) -> pd.Series:
    """Which practices are in a sub-ICB location most of whose practices the registrations have."""
    of = frames["membership"].drop_duplicates("practice").set_index("practice")["sub_icb"]
    has = frames["registrations"].loc[frames["registrations"]["patients"] > 0, "practice"]
    covered = pd.Series(of.index.isin(has.astype("str").unique()), index=of.index).groupby(of).mean()
    return patients.index.to_series().map(of).map(covered).fillna(0.0) > 0.5


def _names(frames: Frames) -> pd.Series:
    if "membership" not in frames:
        return pd.Series(dtype="str")
    return frames["membership"].drop_duplicates("practice").set_index("practice")["practice_name"]


def _of_practices(patients: pd.Series) -> str:
    return f"{patients.sum():,.0f} of {len(patients):,} practices"


# Areas


def _areas(frames: Frames) -> Iterator[Check]:
    patients = _patients_by_area(frames["registrations"]) if "registrations" in frames else None
    for role, name in _OF_AREAS.items():
        if role in frames and frames[role].index.name in AREAS_OF_ENGLAND:
            yield from _of_file(frames[role].index, name, patients, separate=role in _SEPARATE)
    if "deprivation" in frames:
        edition, vintage = frames["deprivation"].attrs.get("edition"), str(frames["deprivation"].index.name)
        if edition in _EDITIONS and vintage in _CENSUS:
            yield Check(
                "Edition of deprivation, and the census of its areas",
                "pass" if _EDITIONS[edition] == vintage else "warning",
                f"{edition} on areas of {_CENSUS[vintage]}",
                f"{edition} on areas of {_CENSUS[_EDITIONS[edition]]}, as published",
            )


def _patients_by_area(registrations: pd.DataFrame) -> pd.Series:
    """Patients by English area, those areas alone in which anybody lives."""
    codes = registrations[next(name for name in AREAS_OF_ENGLAND if name in registrations)]
    patients = registrations.groupby(codes, observed=True)["patients"].sum()
    patients.index = patients.index.astype("str")
    return patients[is_english(patients.index) & (patients > 0).to_numpy()]


def _of_file(areas: pd.Index, name: str, patients: pd.Series | None, *, separate: bool) -> Iterator[Check]:
    """The areas of one file against England's, and against those in which the patients live."""
    english = areas[is_english(areas)]
    vintage = check_vintage(str(areas.name))
    whole = AREAS_OF_ENGLAND[vintage]
    yield Check(
        f"English areas of the {name}",
        "pass" if len(english) == whole else "fail" if len(english) > whole else "note",
        f"{len(english):,} of {_CENSUS[vintage]}",
        f"{whole:,}, all of England; fewer for a part of it",
    )
    if patients is None:
        return
    try:
        check_same_vintage(patients.index, areas, left_name="The registrations", right_name=f"the {name}")
    except VintageError as error:
        yield Check(f"Census of the areas of the {name}", "fail", str(error), "that of the registrations")
        return
    # Positions in an index, which is hashed once: asking text for membership takes ten times as long.
    lacking = patients[areas.get_indexer(patients.index) < 0]
    yield Check(
        f"Areas that the {name} lacks",
        "pass" if lacking.empty else "warning" if separate else "fail",
        f"{len(lacking):,}"
        + (f", with {lacking.sum():,.0f} patients: {first_few(lacking.index)}" if len(lacking) else ""),
        "0",
    )


# England


def _england(frames: Frames, days: Mapping[str, date | None]) -> Iterator[Check]:
    """National files against what is published of England, on the line between two days."""
    totals = {
        "registrations": ("registered", "Patients of the registrations"),
        "lists": ("registered", "Patients of the lists by age"),
        "population": ("resident", "Residents of the population file"),
    }
    for role, (who, name) in totals.items():
        if role not in frames:
            continue
        line, found = _published(who), _people(frames[role])
        if found < WHOLE * line.iloc[0]:
            continue
        wanted, allowed = _expected(line, days.get(role))
        yield Check(
            f"{name}, and England's",
            "pass" if abs(found / wanted - 1) <= allowed else "warning",
            f"{found:,.0f}",
            f"{wanted:,.0f}, give or take {allowed:.1%}",
        )


def _people(frame: pd.DataFrame) -> float:
    """Everybody whom a file counts; of a file by area those of England."""
    if "patients" in frame:
        return float(frame["patients"].sum())
    rows = frame[is_english(frame.index)] if frame.index.name in AREAS_OF_ENGLAND else frame
    return float(rows.to_numpy().sum())


def _expected(line: pd.Series, day: date | None) -> tuple[float, float]:
    """England's total of a day, on the line between the published ones, and how far one may be from it.

    Where the day is not known, the middle of what is published and half of its range.
    """
    if day is None:
        middle = (line.max() + line.min()) / 2
        return middle, OTHER_DAY + (line.max() - middle) / middle
    at = np.array([other.toordinal() for other in line.index])
    apart = np.abs(at - day.toordinal()).min() / 365.25
    return float(np.interp(day.toordinal(), at, line.to_numpy())), SAME_DAY + A_YEAR * apart


def _published(people: str) -> pd.Series:
    """England's totals by day, in order: registered or resident people."""
    table = reference.read("england-totals").frame
    rows = table[(table["people"] == people) & (table["scope"] == "England")]
    return pd.Series(
        rows["number"].to_numpy(np.float64), index=[date.fromisoformat(day) for day in rows["on"]]
    ).sort_index()


__all__ = ["day_of", "matching_checks", "patients_by_practice", "unmatched_practices"]
