"""Published need measures beside ours: NHS England's weighted populations for any practices or areas.

index = (weighted population / population) / (base's weighted population / base's population)

Every component sums to the population of England, so that its England index is 1 by construction. How
components are mixed into one figure is a `Combination`.

Source: NHS England, ICB place-based allocation tool (utils.py, get_index: there over the ICB alone).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc import reference
from needsalloc import teams as of_teams
from needsalloc.catchment import Catchment
from needsalloc.display import sentence_and_table
from needsalloc.errors import (
    FormulaError,
    InvalidValueError,
    MissingColumnError,
    UnknownCodeError,
    first_few,
)
from needsalloc.grouping import OF_AREAS
from needsalloc.kernels import flow
from needsalloc.sources.weighted_populations import COMPONENTS
from needsalloc.teams import NOT_IN_MAP

Floats = NDArray[np.float64]
BaseName = Literal["england", "icb"]

NO_PATIENTS_HERE = "no patients in these areas"
NOT_IN_FILE = "not in the weighted populations"
IN_SEVERAL_PLACES = "in several places"
_COUNTED = ["population", *COMPONENTS]
# Published totals agree to the last printed digit of 6,500 practices; a part of the file is far further off.
_WHOLE = 1e-6
_ROUNDED_SHARES = 5e-4


@dataclass(frozen=True, eq=False)
class RelativeNeed:
    """Weighted populations and need indices of practices, of areas, or of groups of either.

    Attributes
    ----------
    table:
        Index `practice`, the areas' vintage, or `team`. `icb` (of most of its population, as the file has
        it) and `icb_name`; for groups `team_name`, `is_team`, the number of `practices` or `areas` in it and
        of those `missing`, which the map names and the data lack; for areas `covered`, the share of their
        patients whose practice is in the file. Then `population` and every component in people, and for each
        `<component>_index_england` and `<component>_index_icb`, NaN where there is nobody (for groups that
        are no team the latter too).
    bases:
        Index "england" and the codes of ICBs: `population` and components of all practices in the file.
    exceptions:
        Who could not be matched, a row each: `code`, `what`, `team` and `people` (of the file; for practices
        that are not in it, their patients).
    edition:
        The year that the file allocates for, as the reader was told, or None.
    unit:
        "practices" or "areas": what groups are made of.
    elsewhere:
        `population` and components of practices that have no patients in the areas; nobody, for practices.
    """

    table: pd.DataFrame
    bases: pd.DataFrame
    exceptions: pd.DataFrame
    edition: str | None
    unit: Literal["practices", "areas"]
    elsewhere: pd.Series

    def index(self, component: str, base: BaseName = "england") -> pd.Series:
        """The index of one component over one base, by row of `table`; FormulaError for unknown names."""
        if component not in COMPONENTS or base not in ("england", "icb"):
            raise FormulaError(
                f"There is no index of {component!r} over {base!r}. Components: {', '.join(COMPONENTS)}; "
                "bases: england, icb."
            )
        return self.table[f"{component}_index_{base}"]

    @property
    def summary(self) -> pd.DataFrame:
        """Exceptions counted by kind: index `what`; `codes` and `people`."""
        by = self.exceptions.groupby("what")
        return pd.DataFrame({"codes": by.size(), "people": by["people"].sum()})

    def regroup(self, groups: pd.Series | pd.DataFrame, *, teams: str = "pcn") -> RelativeNeed:
        """The same for groups of these practices or areas, each in one group.

        groups: a Series, index the codes and values the name of each one's group; or a map of practices
            (`read_membership`) with the column `teams`. A practice or area without a group is kept in the row
            "not in map"; practices without patients in the areas are a row too. What the map names and the
            data lack counts in `missing`. All are in `exceptions`.

        Raises InvalidValueError for a code that has two groups or if these are groups already,
        MissingColumnError, UnknownCodeError if no code is known.
        """
        pairs = self._pairs(groups, teams)
        twice = pairs.loc[pairs["code"].duplicated(), "code"].unique()
        if len(twice):
            raise InvalidValueError(
                f"{len(twice):,} {self.unit} have more than one group: {first_few(twice)}. Keep each in one, "
                "or use of_places for groups that may overlap."
            )
        return self._grouped(pairs)

    def of_places(self, places: pd.DataFrame) -> RelativeNeed:
        """The same for places (`read_places`), which may overlap: rows then add up to more.

        Practices in no place are the row "not in map"; those in several are in `exceptions`, once for each.

        Raises as `regroup`, but for practices in two places.
        """
        pairs = self._pairs(places, "place").drop_duplicates(["code", "team"], ignore_index=True)
        several = pairs[pairs["code"].duplicated(keep=False)]
        found = self._grouped(pairs)
        people = self.table["population"].reindex(several["code"]).fillna(0.0)
        overlap = _exceptions(several["code"], IN_SEVERAL_PLACES, several["team"], people)
        return replace(found, exceptions=pd.concat([found.exceptions, overlap], ignore_index=True))

    def _pairs(self, groups: pd.Series | pd.DataFrame, teams: str) -> pd.DataFrame:
        """Rows of `code, team, team_name`, those without a team left out."""
        if self.table.index.name == "team":
            raise InvalidValueError(
                "These are groups already. Regroup the practices or areas they came from."
            )
        if isinstance(groups, pd.DataFrame):
            lacking = [name for name in ("practice", teams) if name not in groups]
            if lacking or self.unit != "practices":
                raise MissingColumnError(
                    f"A map with the columns practice and {teams!r} groups practices; this one has "
                    f"{first_few(groups, 12)}, and it is for {self.unit}. Give a Series for areas."
                )
            name = groups.get(f"{teams}_name", groups[teams])
            columns = [groups["practice"], groups[teams], name]
        else:
            columns = [groups.index.to_series(), groups, groups]
        code, team, name = (pd.Series(np.asarray(values, dtype=object)) for values in columns)
        missing = code.isna() | team.isna()
        code, team, name = (values.astype("str").str.strip() for values in (code, team, name))
        code = code.where(code.isin(self.table.index), code.str.upper())
        pairs = pd.DataFrame({"code": code, "team": team, "team_name": name})
        pairs = pairs[~missing & (pairs["team"] != "")].reset_index(drop=True)
        if not pairs["code"].isin(self.table.index).any():
            raise UnknownCodeError(
                f"None of the {len(pairs):,} {self.unit} of the groups ({first_few(pairs['code'])}) is among "
                f"these: {first_few(self.table.index)}. Check the codes."
            )
        return pairs

    def _grouped(self, pairs: pd.DataFrame) -> RelativeNeed:
        here = pairs["code"].isin(self.table.index)
        rest = self.table.index.difference(pd.Index(pairs["code"]), sort=False)
        alone = pd.DataFrame(
            {"code": rest, "team": NOT_IN_MAP, "team_name": f"{self.unit.title()} in no group"}
        )
        rows = pd.concat([pairs[here], alone], ignore_index=True)
        # In the order of the bases' sums: all of England is then England to the last digit, and its index 1.
        rows = rows.iloc[np.argsort(self.table.index.get_indexer(pd.Index(rows["code"])), kind="stable")]
        of = self.table.loc[rows["code"]]
        people = of["population"].to_numpy()
        position, teams = of_teams.labelled(
            rows["team"], rows["team_name"], of["icb"].to_numpy(), of["icb_name"].to_numpy(), people
        )
        teams[self.unit] = np.bincount(position, minlength=len(teams))
        teams[_COUNTED] = of[_COUNTED].groupby(position).sum().to_numpy()
        absent = pairs[~here]
        teams = _with_rows(teams, absent.drop_duplicates("team").set_index("team")["team_name"])
        lacked = absent["team"].value_counts().reindex(teams.index).fillna(0).astype(np.int64)
        teams.insert(list(teams.columns).index(self.unit) + 1, "missing", lacked)
        if self.elsewhere["population"] > 0:
            name = pd.Series({NO_PATIENTS_HERE: "Practices without patients in these areas"})
            teams = _with_rows(teams, name, is_team=False)
            teams.loc[NO_PATIENTS_HERE, _COUNTED] = self.elsewhere
        lacking = NOT_IN_FILE if self.unit == "practices" else "not in the registrations"
        found = [
            self.exceptions,
            _exceptions(rest, NOT_IN_MAP, NOT_IN_MAP, self.table.loc[rest, "population"]),
            _exceptions(absent["code"], lacking, absent["team"], 0.0),
        ]
        table = _indexed(teams.rename_axis("team"), self.bases)
        return replace(self, table=table, exceptions=pd.concat(found, ignore_index=True))

    def __repr__(self) -> str:
        what = self.unit if self.table.index.name != "team" else f"groups of {self.unit}"
        core = self.table["core_index_england"]
        of = "weighted populations" if self.edition is None else f"weighted populations of {self.edition}"
        found = "".join(f"; {row.codes:,} {row.Index}" for row in self.summary.itertuples())
        return (
            f"<RelativeNeed by {of}: {len(self.table):,} {what}, core need from {core.min():.2f} to "
            f"{core.max():.2f}, England = 1.00{found}>"
        )

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.table)


def relative_need(
    populations: pd.DataFrame, groups: pd.Series | pd.DataFrame | None = None, *, teams: str = "pcn"
) -> RelativeNeed:
    """NHS England's need indices of practices, or of groups of them, over England and over their ICB.

    populations: a row per practice of all England (`read_weighted_populations`).
    groups, teams: as in `RelativeNeed.regroup`; the practices themselves where None.

    Raises MissingColumnError, InvalidValueError if the file is not whole (some component does not sum to the
    population, so that no England base can be made of it), and what `regroup` raises.
    """
    practices, bases = _read(populations)
    table = _indexed(practices, bases)
    need = RelativeNeed(
        table, bases, _no_exceptions(), populations.attrs.get("edition"), "practices", _sums(practices[:0])
    )
    return need if groups is None else need.regroup(groups, teams=teams)


def relative_need_by_area(populations: pd.DataFrame, catchment: Catchment) -> RelativeNeed:
    """NHS England's need indices of areas: each practice's people, weighted and not, carried where its
    patients live.

    populations: as in `relative_need`. catchment: of any teams of practices; its flows are used, whatever its
        method.

    All of a practice's weighted population goes to the areas, that of patients who live outside them too.
    Practices that have no patient there are in `exceptions` and `elsewhere`. The patients of practices that
    are not in the file carry no need: `covered` is the share of an area's patients who are with the others.

    Raises as `relative_need`; InvalidValueError for a catchment that is not made of practices,
    UnknownCodeError if none of its practices is in the file.
    """
    practices, bases = _read(populations)
    catchment.refuse_shares_alone()
    if catchment.practices.name == OF_AREAS:
        raise InvalidValueError(
            "This catchment is of groups of areas. Use the one it was made from, and regroup the result."
        )
    lists = flow.total_by_column(catchment.registered)
    position = catchment.practices.get_indexer(practices.index)
    placed = (position >= 0) & (lists[position] > 0)
    if not placed.any():
        raise UnknownCodeError(
            f"None of the {len(practices):,} practices of the file ({first_few(practices.index)}) has "
            "patients in this catchment. Use registrations of a date near the file's."
        )
    known = practices[placed]
    share = flow.column_shares(catchment.registered)[:, position[placed]]
    icb, icbs = pd.factorize(known["icb"], sort=True)
    of_icb = np.zeros((len(known), len(icbs)))
    of_icb[np.arange(len(known)), icb] = known["population"]
    main = np.asarray((share @ of_icb).argmax(axis=1))
    areas = pd.DataFrame({"icb": icbs[main]}, index=catchment.areas)
    areas["icb_name"] = areas["icb"].map(known.drop_duplicates("icb").set_index("icb")["icb_name"])
    with np.errstate(invalid="ignore"):
        areas["covered"] = (
            flow.total_by_row(catchment.registered[:, position[placed]]) / catchment.size_of_area
        )
    areas[_COUNTED] = share @ known[_COUNTED].to_numpy()
    areas.loc[areas["population"] == 0, ["icb", "icb_name"]] = ""
    away = practices[~placed]
    unknown = ~catchment.practices.isin(practices.index) & (lists > 0)
    found = [
        _exceptions(away.index, NO_PATIENTS_HERE, "", away["population"]),
        _exceptions(catchment.practices[unknown], NOT_IN_FILE, "", lists[unknown]),
    ]
    return RelativeNeed(
        _indexed(areas, bases),
        bases,
        pd.concat(found, ignore_index=True),
        populations.attrs.get("edition"),
        "areas",
        _sums(away),
    )


@dataclass(frozen=True, slots=True)
class Combination:
    """How components are mixed into one weighted population.

    sum over components of share x cost x ((1 - inequalities) x component + inequalities x its index)

    `shares`: part of the spending that each component stands for, summing to 1 before the part for health
    inequalities replaces `inequalities` of every one. `costed`: the components that the cost factors of a
    place multiply (hospital and community services, not prescribing). `normaliser`: "population" rescales
    so that the result sums to the people, as the published ones do; "none" leaves the sum. `result` is the
    published component that it stands for, if any.

    >>> rule = Combination.published("primary_medical_care_final", "2023/24")
    >>> dict(rule.shares), rule.inequalities
    ({'primary_medical_care': 1.0}, 0.15)
    """

    name: str
    shares: Mapping[str, float]
    inequalities: float = 0.0
    costed: tuple[str, ...] = ()
    normaliser: Literal["population", "none"] = "population"
    result: str = ""
    source: str = "your own"

    def __post_init__(self) -> None:
        unknown = [name for name in (*self.shares, *self.costed) if name not in COMPONENTS]
        if unknown or not set(self.costed) <= set(self.shares):
            raise FormulaError(
                f"{self.name}: {first_few(unknown or self.costed)} are no components that it has a share of. "
                f"There are: {', '.join(COMPONENTS)}."
            )
        values = np.array([*self.shares.values(), self.inequalities], dtype=np.float64)
        total = float(values[:-1].sum())
        if not (np.isfinite(values).all() and (values >= 0).all() and abs(total - 1) <= _ROUNDED_SHARES):
            raise FormulaError(
                f"{self.name}: the shares sum to {total:.4f}. They must be no less than 0 and sum to 1."
            )
        if self.inequalities > 1 or self.normaliser not in ("population", "none"):
            raise FormulaError(
                f"{self.name}: inequalities must be a share (it is {self.inequalities}), and the normaliser "
                f'"population" or "none" (it is {self.normaliser!r}).'
            )
        # Printed shares are rounded, and what is missing to 1 would be missing from the total.
        whole = {name: share / total for name, share in self.shares.items()}
        object.__setattr__(self, "shares", MappingProxyType(whole))

    @classmethod
    def published(cls, result: Literal["primary_medical_care_final", "core"], edition: str) -> Combination:
        """NHS England's rule of an edition, such as "2023/24".

        "primary_medical_care_final" is exact. "core" has shares that were inferred from the published
        results, and cost factors that are not published by practice: without these (`weigh`) it misses by
        3 % of a head on average; see `implied_cost`.

        Raises FormulaError for a rule or an edition that is not there.
        """
        names = {"primary_medical_care_final": "nhse-primary-medical-care", "core": "nhse-core-shares"}
        if result not in names:
            raise FormulaError(f"No published rule makes {result!r}: choose {' or '.join(names)}.")
        table = reference.read(names[result])
        rows = table.frame[table.frame["edition"] == edition].set_index("component")
        if rows.empty:
            raise FormulaError(
                f"There is no rule for {result} of {edition!r}: choose "
                f"{', '.join(table.frame['edition'].unique())}."
            )
        share = rows["share"].drop("health_inequalities")
        return cls(
            f"{result} {edition}",
            dict(zip(share.index, share / share.sum(), strict=True)),
            float(rows["share"].to_numpy()[rows.index == "health_inequalities"].item()),
            tuple(rows.index[rows["costed"] == "yes"]),
            "none" if result == "primary_medical_care_final" else "population",
            result,
            table.cite(),
        )

    def weigh(self, populations: pd.DataFrame, *, cost: pd.Series | None = None) -> pd.Series:
        """The mixed weighted population by practice.

        populations: `practice, population` and the components (`read_weighted_populations`). cost: the cost
            factor of each practice, index practice; 1 where None.

        Raises MissingColumnError; FormulaError for cost factors where none apply, UnknownCodeError or
        InvalidValueError if a practice has none or one that is not above 0.
        """
        costed, free = self._blocks(populations)
        if cost is not None:
            if not self.costed:
                raise FormulaError(
                    f"{self.name} has no component that cost factors apply to. Leave them out."
                )
            costed = costed * _factors(cost, costed.index)
        mixed = costed + free
        if self.normaliser == "population":
            mixed = mixed * (populations["population"].sum() / mixed.sum())
        return mixed.rename(self.result or self.name)

    def implied_cost(self, populations: pd.DataFrame) -> pd.Series:
        """The cost factor of each practice that turns this rule into the published `result`, mean 1.

        What is left over between two published figures: cost, and whatever else the rule lacks. It says
        nothing about this rule in the year that it comes from; put into another edition, it does.

        Raises FormulaError if the rule has no published result or no costed component.
        """
        if not (self.result and self.costed):
            raise FormulaError(f"{self.name} has no published result, or no component that cost applies to.")
        costed, free = self._blocks(populations)
        target = populations.set_index("practice")[self.result]
        with np.errstate(divide="ignore", invalid="ignore"):
            return ((target - free) / costed).rename("implied_cost")

    def _blocks(self, populations: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
        """What cost factors multiply, and what they do not, each with its part for inequalities."""
        needed = ["practice", "population", "health_inequalities", *self.shares]
        frame = populations.set_index("practice") if "practice" in populations else populations
        lacking = [name for name in needed if name not in populations]
        if lacking:
            raise MissingColumnError(f"{self.name} needs the columns {first_few(lacking)}.")
        inequality = frame["health_inequalities"]
        blocks = {True: inequality * 0.0, False: inequality * 0.0}
        for name, share in self.shares.items():
            block = (1 - self.inequalities) * frame[name] + self.inequalities * inequality
            blocks[name in self.costed] = blocks[name in self.costed] + share * block
        return blocks[True], blocks[False]


def _read(populations: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Practices by code, and the sums of England and of each ICB."""
    needed = ["practice", "icb", "icb_name", *_COUNTED]
    lacking = [name for name in needed if name not in populations]
    if lacking:
        raise MissingColumnError(
            f"The weighted populations lack {len(lacking)} columns: {first_few(lacking)}. Read them with "
            "read_weighted_populations."
        )
    practices = populations.set_index("practice")[needed[1:]]
    if practices.index.has_duplicates:
        twice = practices.index[practices.index.duplicated()].unique()
        raise InvalidValueError(
            f"{len(twice):,} practices stand twice: {first_few(twice)}. Keep one row each."
        )
    england = _sums(practices)
    off = (england[list(COMPONENTS)] / england["population"] - 1).abs()
    if not (off <= _WHOLE).all():
        raise InvalidValueError(
            f"{int((~(off <= _WHOLE)).sum())} components do not sum to the population "
            f"({england['population']:,.0f}): {first_few(off.index[~(off <= _WHOLE)])}. These are not all "
            "practices of England, so they make no England base. Give the whole file; choose by groups."
        )
    bases = pd.concat([england.to_frame("england").T, practices.groupby("icb")[_COUNTED].sum()])
    return practices, bases.rename_axis("base")


def _sums(practices: pd.DataFrame) -> pd.Series:
    return practices[_COUNTED].groupby(np.zeros(len(practices))).sum().sum()


def _indexed(table: pd.DataFrame, bases: pd.DataFrame) -> pd.DataFrame:
    """The table with the index of every component over both bases."""
    per_head = _per_head(table)
    england = per_head / _per_head(bases.loc[["england"]])
    own_base = _per_head(bases.reindex(table["icb"]))
    own = per_head / np.where(own_base > 0, own_base, np.nan)
    columns = {}
    for at, component in enumerate(COMPONENTS):
        columns[f"{component}_index_england"] = england[:, at]
        columns[f"{component}_index_icb"] = own[:, at]
    return table.assign(**columns)


def _per_head(table: pd.DataFrame) -> Floats:
    """(rows, components) weighted people per person; NaN where there is nobody."""
    people = table[["population"]].to_numpy(np.float64)
    return np.asarray(table[list(COMPONENTS)].to_numpy(np.float64) / np.where(people > 0, people, np.nan))


def _with_rows(teams: pd.DataFrame, names: pd.Series, *, is_team: bool = True) -> pd.DataFrame:
    """The table with rows of nobody for the groups of `names` that it lacks."""
    new = names[~names.index.isin(teams.index)]
    if new.empty:
        return teams
    nobody = pd.DataFrame(0, index=new.index, columns=teams.columns).astype(teams.dtypes.to_dict())
    nobody[["icb", "icb_name"]] = ""
    nobody["team_name"], nobody["is_team"] = new, is_team
    return pd.concat([teams, nobody])


def _exceptions(
    codes: pd.Index | pd.Series, what: str, team: pd.Series | str, people: pd.Series | Floats | float
) -> pd.DataFrame:
    columns = {"code": np.asarray(codes), "what": what, "team": team, "people": people}
    arrays = {
        name: value.to_numpy() if isinstance(value, pd.Series) else value for name, value in columns.items()
    }
    frame = pd.DataFrame(arrays, index=range(len(codes)))
    return frame.astype({"code": "str", "what": "str", "team": "str", "people": "float64"})


def _no_exceptions() -> pd.DataFrame:
    return _exceptions(pd.Index([]), "", "", 0.0)


def _factors(cost: pd.Series, practices: pd.Index) -> pd.Series:
    if cost.index.has_duplicates or not practices.isin(cost.index).all():
        missing = practices.difference(cost.index[~cost.index.duplicated(keep=False)])
        raise UnknownCodeError(
            f"{len(missing):,} of {len(practices):,} practices have no cost factor, or several: "
            f"{first_few(missing)}. Give one for each."
        )
    found = cost.reindex(practices)
    wrong = practices[~(np.isfinite(found) & (found > 0))]
    if len(wrong):
        raise InvalidValueError(
            f"{len(wrong):,} practices have a cost factor that is not above 0: {first_few(wrong)}."
        )
    return found


__all__ = ["Combination", "RelativeNeed", "relative_need", "relative_need_by_area"]
