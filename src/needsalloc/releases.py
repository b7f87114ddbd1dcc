"""What changed between two releases of the map of practices: openings, closures and moves, with patients.

A body (PCN, sub-ICB location, ICB) is known by its code, so that a new name for the same code moves nobody. A
practice *moved* if the body that it left is still there; if that code is gone, the body closed or was
replaced, and the practice did not move of itself. If no code of a kind of body is in both releases, they use
two systems of codes: that kind is not compared, and a note says so.

Two maps cannot tell where the patients of a closed practice went: NHS England publishes no successor with the
lists. Patients by area on both days allow an inference, and it is called one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from needsalloc.errors import InvalidValueError, UnknownCodeError, VintageError, first_few
from needsalloc.geography import english, vintage_in
from needsalloc.kernels import assign, flow
from needsalloc.sources import NO_PCN

LIKELY = 0.5
"""A successor is named if its gain, area by area, could hold at least this part of the closed list."""

SMALLEST = 100
"""Patients of a closed list below which any practice's gain could hold it, so that nothing can be told."""

UNCHANGED = "unchanged"
EVERY = "all practices"
_BODIES = {"pcn": "PCN", "sub_icb": "sub-ICB location", "icb": "ICB"}
_CODES = [f"{body}_{day}" for body in _BODIES for day in ("before", "after")]
_PATIENTS = ["patients_before", "patients_after"]


@dataclass(frozen=True, eq=False)
class ReleaseComparison:
    """Two releases of the map of practices, side by side.

    Attributes
    ----------
    table:
        One row per practice that changed, sorted by change and code: `practice, practice_name, change`, the
        codes `pcn_before, pcn_after`, the same of `sub_icb` and `icb` ("" where there is none),
        `patients_before, patients_after` (missing where not known), `likely_successor` and `successor_share`
        (see `compare_releases`). `change` is "opened" or "closed"; "entered the map" or "left the map" for
        practices that had, or still have, patients; else what happened, separated by commas: "moved PCN",
        "its PCN closed", "joined a PCN", "left its PCN", then "moved ICB", "its ICB was replaced", or the
        same of the sub-ICB location within one ICB.
    summary:
        Index `change`: `practices`, `patients_before`, `patients_after`; then the practices that did not
        change, and all of them.
    pcns:
        One row per PCN that changed, index `pcn`: `pcn_name_before, pcn_name_after, change` ("opened",
        "closed", or "renamed", "practices moved", "practices opened or closed"), `practices_before,
        practices_after`, how many of them `joined` from elsewhere, `left`, `opened`, `closed`,
        `patients_before, patients_after`, and `replaced_by`, the one PCN in which all the remaining
        practices of a closed one are now ("" if they are in several or in none).
    notes:
        What could not be compared and who is not counted, in sentences.
    on:
        The days of the two releases.
    """

    table: pd.DataFrame
    summary: pd.DataFrame
    pcns: pd.DataFrame
    notes: tuple[str, ...]
    on: tuple[date | None, date | None]

    def __repr__(self) -> str:
        days = " and ".join(f"{day.day} {day:%b %Y}" if day else "an unknown day" for day in self.on)
        number = {word: int((self.table["change"] == word).sum()) for word in ("opened", "closed")}
        lasting = self.table[(self.table["pcn_before"] != "") & (self.table["pcn_after"] != "")]
        for body in ("pcn", "icb"):
            moved = lasting["change"].str.contains(_BODIES[body], regex=False)
            differs = lasting[f"{body}_before"] != lasting[f"{body}_after"]
            number[f"in another {_BODIES[body]}"] = int((moved & differs).sum())
        found = ", ".join(f"{practices:,} {word}" for word, practices in number.items())
        every = self.summary["practices"]
        notes = f"; {len(self.notes)} notes" if len(self.notes) > 1 else "; 1 note" if self.notes else ""
        return f"<Practices of {days}: {found}; {every[UNCHANGED]:,} of {every[EVERY]:,} unchanged{notes}>"


def compare_releases(
    before: pd.DataFrame,
    after: pd.DataFrame,
    *,
    patients_before: pd.Series | pd.DataFrame | None = None,
    patients_after: pd.Series | pd.DataFrame | None = None,
) -> ReleaseComparison:
    """Openings, closures and moves of practices between two releases, with their patients.

    before, after: two maps (see `read_membership`), the earlier one first.
    patients_before, patients_after: patients by practice, as a Series, as the frame of `read_registrations`
    or as that of `read_lists`; each of a day near its map's.

    Given registrations of both days, on one census's areas, the likely successor of a closed practice is
    inferred: of all practices in the later map, the one whose gain since then could hold most of the closed
    list, that is with the largest `sum over areas of min(closed list, gain)`. `successor_share` is this sum
    over the closed list; below one half, or for a list under 100, nobody is named. One gain may explain two
    closures, and patients who moved house look like patients who stayed: it is where to look, not a record
    of a merger. Without registrations of both days the two columns are empty.

    Raises InvalidValueError for maps in the wrong order, a practice that is twice in a map or patients that
    are no numbers; UnknownCodeError if no practice is in both maps; VintageError for registrations on two
    censuses.

    >>> from needsalloc import synthetic
    >>> members = synthetic.england(areas=60, pcns=3, seed=1).membership
    >>> compare_releases(members, members.iloc[1:]).table["change"].to_list()
    ['closed']
    """
    on = before.attrs.get("on"), after.attrs.get("on")
    if on[0] and on[1] and on[0] > on[1]:
        raise InvalidValueError(
            f"The first map is of {on[0]}, the second of {on[1]}: give the earlier first."
        )
    maps = _by_practice(before, "the first map"), _by_practice(after, "the second map")
    if maps[0].index.intersection(maps[1].index).empty:
        raise UnknownCodeError(
            f"No practice is in both maps ({first_few(maps[0].index, 2)}; {first_few(maps[1].index, 2)}). "
            "Give two releases of the same map."
        )
    given = patients_before, patients_after
    patients = tuple(_patients(of, name) for of, name in zip(given, _PATIENTS, strict=True))
    every = _side_by_side(*maps).join(list(patients), how="left")
    apart = [body for body in _BODIES if not _one_system(maps[0][body], maps[1][body])]
    every["change"] = _changes(every, [body for body in _BODIES if body not in apart])
    every[["likely_successor", "successor_share"]] = "", np.nan
    if all(of is not None and "practice" in of for of in given):
        closed = every.index[every["change"] == "closed"]
        opened = every.index[every["change"] == "opened"]
        found = _successors(given[0], given[1], closed, opened, maps[1].index)
        every.loc[found.index, found.columns] = found

    changed = every[every["change"] != ""].rename_axis("practice").reset_index()
    columns = [
        "practice",
        "practice_name",
        "change",
        *_CODES,
        *_PATIENTS,
        "likely_successor",
        "successor_share",
    ]
    return ReleaseComparison(
        table=changed[columns].sort_values(["change", "practice"], ignore_index=True),
        summary=_summary(every),
        pcns=_pcns(every, "pcn" not in apart),
        notes=(*_systems(apart), *_gaps(maps, patients, given, on)),
        on=on,
    )


def _by_practice(members: pd.DataFrame, which: str) -> pd.DataFrame:
    twice = members.loc[members["practice"].duplicated(), "practice"].unique()
    if len(twice):
        raise InvalidValueError(
            f"{len(twice):,} practices stand twice in {which}: {first_few(twice)}. Leave one row of each."
        )
    return members.set_index("practice")


def _patients(given: pd.Series | pd.DataFrame | None, name: str) -> pd.Series:
    """Patients by practice, whatever frame they come in; empty if none were given."""
    if given is None:
        return pd.Series(dtype=np.float64, name=name, index=pd.Index([], dtype="str"))
    if isinstance(given, pd.Series):
        by_practice = given
        twice = given.index[given.index.duplicated()].unique()
        if len(twice):
            raise InvalidValueError(f"{len(twice):,} practices stand twice in {name}: {first_few(twice)}.")
    elif "practice" in given:
        by_practice = given.groupby("practice", observed=True)["patients"].sum()
    else:
        by_practice = given.sum(axis=1).groupby(level="practice").sum()
    numbers = by_practice.to_numpy(np.float64)
    wrong = by_practice.index[~(np.isfinite(numbers) & (numbers >= 0))]
    if len(wrong):
        raise InvalidValueError(
            f"{len(wrong):,} practices have a negative or missing number in {name}: {first_few(wrong)}."
        )
    return pd.Series(numbers, index=by_practice.index.astype("str"), name=name)


def _side_by_side(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Every practice of either map: its name (the later one), codes and names on both days, "" where none."""
    texts = [*_BODIES, "pcn_name"]
    both = (
        before[texts].add_suffix("_before").join(after[texts].add_suffix("_after"), how="outer").sort_index()
    )
    names = after["practice_name"].reindex(both.index).fillna(before["practice_name"])
    return both.fillna("").assign(practice_name=names)


def _one_system(before: pd.Series, after: pd.Series) -> bool:
    """Whether two releases have any code of one kind of body in common, or no body of that kind."""
    codes = set(before), set(after)
    return codes[0] == codes[1] or not (codes[0] & codes[1]) <= {NO_PCN}


def _changes(every: pd.DataFrame, bodies: Sequence[str]) -> pd.Series:
    """What happened to each practice, in the words of `ReleaseComparison.table`; "" if nothing did."""
    old, new = every["pcn_before"] != "", every["pcn_after"] != ""
    had, has = (every[column].fillna(0) > 0 for column in _PATIENTS)
    moves = {body: _moves(every, body) for body in bodies}
    if "icb" in moves and "sub_icb" in moves:
        # Who changes ICB changes sub-ICB location too: said once.
        moves["sub_icb"] = moves["sub_icb"].where(moves["icb"] == "", "")
    happened = _joined([moves[body] for body in bodies], every.index)
    return happened.mask(~old, np.where(had, "entered the map", "opened")).mask(
        ~new, np.where(has, "left the map", "closed")
    )


def _moves(every: pd.DataFrame, body: str) -> pd.Series:
    old, new = every[f"{body}_before"], every[f"{body}_after"]
    word = _BODIES[body]
    found = np.select(
        [old == new, (body == "pcn") & (old == NO_PCN), (body == "pcn") & (new == NO_PCN), old.isin(new)],
        ["", "joined a PCN", "left its PCN", f"moved {word}"],
        default="its PCN closed" if body == "pcn" else f"its {word} was replaced",
    )
    return pd.Series(found, index=every.index, dtype="str")


def _joined(parts: Sequence[pd.Series], index: pd.Index) -> pd.Series:
    """The words of each row, separated by commas; "" where there are none."""
    joined = pd.Series("", index=index, dtype="str")
    for words in parts:
        comma = np.where((joined != "") & (words != ""), ", ", "")
        joined = joined + comma + words
    return joined


def _summary(every: pd.DataFrame) -> pd.DataFrame:
    change = every["change"].replace("", UNCHANGED)
    counted = every.assign(change=change, practices=1).groupby("change")[["practices", *_PATIENTS]]
    # A sum over nobody known is unknown, not 0.
    table = counted.sum(min_count=1).astype({"practices": np.int64})
    last = table.loc[table.index == UNCHANGED].reindex([UNCHANGED])
    last["practices"] = last["practices"].fillna(0).astype(np.int64)
    total = every.assign(practices=1)[["practices", *_PATIENTS]].sum(min_count=1).to_frame(EVERY).T
    table = pd.concat([table.drop(UNCHANGED, errors="ignore"), last, total.astype({"practices": np.int64})])
    return table.rename_axis("change")


def _pcns(every: pd.DataFrame, compared: bool) -> pd.DataFrame:
    """The PCNs that changed; see `ReleaseComparison.pcns`."""
    codes = pd.Index(np.union1d(every["pcn_before"], every["pcn_after"]), name="pcn").drop(
        ["", NO_PCN], errors="ignore"
    )
    if not compared:
        codes = codes[:0]
    old, new = every["pcn_before"], every["pcn_after"]
    was, stays = old != "", new != ""

    def number(rows: pd.Series, by: pd.Series) -> pd.Series:
        return by[rows].value_counts().reindex(codes, fill_value=0)

    table = pd.DataFrame(index=codes)
    for day, code in (("before", old), ("after", new)):
        names = every.groupby(code)[f"pcn_name_{day}"].min()
        table[f"pcn_name_{day}"] = names.reindex(codes).fillna("")
    table["change"] = ""
    table["practices_before"], table["practices_after"] = number(was, old), number(stays, new)
    table["joined"] = number(was & stays & (old != new), new)
    table["left"] = number(was & stays & (old != new), old)
    table["opened"], table["closed"] = number(~was, new), number(~stays, old)
    for column, code in zip(_PATIENTS, (old, new), strict=True):
        table[column] = every.groupby(code)[column].sum(min_count=1).reindex(codes)
    remaining = every[was & stays].groupby("pcn_before")["pcn_after"].agg(["min", "max"]).reindex(codes)
    one = (remaining["min"] == remaining["max"]) & (remaining["min"] != NO_PCN)
    gone = table["practices_after"] == 0
    table["replaced_by"] = remaining["min"].where(one & gone, "").astype("str")

    words = [
        _word(table["practices_before"] == 0, "opened"),
        _word(gone, "closed"),
        _word(~_share_a_name(every, codes), "renamed"),
        _word(table["joined"] + table["left"] > 0, "practices moved"),
        _word(table["opened"] + table["closed"] > 0, "practices opened or closed"),
    ]
    lasting = _joined(words[2:], codes)
    table["change"] = (words[0] + words[1]).where((words[0] + words[1]) != "", lasting)
    return table[table["change"] != ""]


def _word(rows: pd.Series, word: str) -> pd.Series:
    return pd.Series(np.where(rows, word, ""), index=rows.index, dtype="str")


def _share_a_name(every: pd.DataFrame, codes: pd.Index) -> pd.Series:
    """Which PCNs have a name in common on both days, but for case and spaces; a map may give several."""
    sides = []
    for day in ("before", "after"):
        name = every[f"pcn_name_{day}"].str.upper().str.split().str.join(" ")
        sides.append(pd.MultiIndex.from_arrays([every[f"pcn_{day}"], name]).unique())
    common = sides[0].intersection(sides[1])
    return pd.Series(codes.isin(common.get_level_values(0)), index=codes)


def _successors(
    before: pd.Series | pd.DataFrame | None,
    after: pd.Series | pd.DataFrame | None,
    closed: pd.Index,
    opened: pd.Index,
    remaining: pd.Index,
) -> pd.DataFrame:
    """By closed practice: `likely_successor` among the `remaining` ones, and `successor_share`."""
    assert isinstance(before, pd.DataFrame)
    assert isinstance(after, pd.DataFrame)
    vintages = vintage_in(before), vintage_in(after)
    if vintages[0] != vintages[1]:
        raise VintageError(
            f"The patients before are by {vintages[0]}, those after by {vintages[1]}: bring them to one "
            "census with carry_registrations, or give their totals by practice."
        )
    practices = pd.Index(np.union1d(*(_categories(frame["practice"]) for frame in (before, after))))
    areas = english([*_categories(before[vintages[0]]), *_categories(after[vintages[0]])])
    lived, live = (_matrix(frame, vintages[0], practices, areas) for frame in (before, after))
    size, now = (np.asarray(of.sum(axis=1)).ravel() for of in (lived, live))
    # A practice that one of the lists lacks altogether has not lost or gained anybody: it is not known.
    gaining = (now > 0) & ((size > 0) | practices.isin(opened)) & practices.isin(remaining)
    leaving = np.flatnonzero((size >= SMALLEST) & (now == 0) & practices.isin(closed))
    gain = sparse.csr_array((live - lived).multiply(gaining[:, None]).maximum(0))
    held = _could_hold(lived[leaving], sparse.csr_array(gain.T))
    best = assign.first_past_the_post(held, np.full(len(practices), True)).entries
    closing = leaving[assign.rows_of(held)[best]]
    named = pd.DataFrame(
        {
            "likely_successor": practices[held.indices[best]],
            "successor_share": held.data[best] / size[closing],
        },
        index=practices[closing],
    )
    return named[named["successor_share"] >= LIKELY]


def _categories(column: pd.Series) -> npt.NDArray[np.str_]:
    return column.astype("category").cat.categories.to_numpy(np.str_)


def _matrix(
    registrations: pd.DataFrame, vintage: str, practices: pd.Index, areas: pd.Index
) -> sparse.csr_array:
    """Patients by practice and English area: sparse, (practices, areas)."""
    rows = []
    for name, index in (("practice", practices), (vintage, areas)):
        column = registrations[name].astype("category").cat
        rows.append(index.get_indexer(pd.Index(column.categories.astype("str")))[column.codes])
    here = rows[1] >= 0
    patients = registrations["patients"].to_numpy(np.float64)[here]
    return flow.flow_matrix(rows[0][here], rows[1][here], patients, (len(practices), len(areas)))


def _could_hold(lists: sparse.csr_array, gain: sparse.csr_array) -> sparse.csr_array:
    """`sum over areas of min(list, gain)` for each list (lists, areas) and gain (areas, practices)."""
    closed = lists.tocoo()
    # Every patient count of a closed list meets every gain in its area.
    meets = np.diff(gain.indptr)[closed.col]
    first = np.cumsum(meets) - meets
    entry = np.repeat(gain.indptr[closed.col] - first, meets) + np.arange(meets.sum())
    held = np.minimum(np.repeat(closed.data, meets), gain.data[entry])
    shape = lists.shape[0], gain.shape[1]
    return flow.flow_matrix(np.repeat(closed.row, meets), gain.indices[entry], held, shape)


def _systems(apart: Sequence[str]) -> list[str]:
    return [
        f"No {_BODIES[body]} code is in both maps: they use two systems of codes, and moves between "
        f"{_BODIES[body]}s were not compared."
        for body in apart
    ]


def _gaps(
    maps: tuple[pd.DataFrame, ...],
    patients: tuple[pd.Series, ...],
    given: tuple[pd.Series | pd.DataFrame | None, ...],
    on: tuple[date | None, ...],
) -> list[str]:
    """Practices without patients, patients without a practice, and days that differ."""
    notes = []
    known = maps[0].index.union(maps[1].index)
    for members, of, frame, day, name in zip(maps, patients, given, on, _PATIENTS, strict=True):
        if frame is None:
            continue
        lacking = members.index.difference(of.index)
        if len(lacking):
            notes.append(
                f"{len(lacking):,} of {len(members):,} practices of the map have no row in {name}: "
                f"{first_few(lacking)}. Their patients are not known."
            )
        lost = of[~of.index.isin(known) & (of > 0)]
        if len(lost):
            notes.append(
                f"{len(lost):,} practices of {name} ({lost.sum():,.0f} patients) are in neither map: "
                f"{first_few(lost.index)}. They are in no table here."
            )
        counted = frame.attrs.get("on")
        if counted and day and counted != day:
            notes.append(f"{name} are of {counted}, the map is of {day}.")
    return notes


__all__ = ["LIKELY", "SMALLEST", "ReleaseComparison", "compare_releases"]
