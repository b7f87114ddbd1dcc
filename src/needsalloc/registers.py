"""Conditions of a practice's adults from its QOF registers, on the scale of the paper's cohort.

A register is not the paper's variable. Each one used is divided by the practice's adult list and rescaled so
that Liverpool's adults have the share that the paper prints (table `open-data-concordance`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc import gradients, reference
from needsalloc.ages import FlowAges
from needsalloc.alignment import numbers, refuse_twice
from needsalloc.assumptions import Assumption
from needsalloc.catchment import Catchment
from needsalloc.errors import FormulaError, InvalidValueError, UnknownCodeError, first_few
from needsalloc.kernels import flow

Floats = NDArray[np.float64]

ADULT_LIST = "18OV"
# A share of 1 has no log odds; the few practices near it are care homes and hospices.
MOST_PREVALENT = 0.95
# Published files hold one practice with a register larger than its list; many are a wrong column.
MOST_OVER = 0.01


def prevalence(practices: pd.Index, conditions: pd.DataFrame) -> tuple[pd.DataFrame, list[Assumption]]:
    """Share of adults with each rescaled condition: index `practices`, a column for each term.

    conditions: QOF registers in long form (see `read_conditions`). A practice without registers is given the
    mean of the others, and named in the notes. One with a register larger than its list keeps it, up to the
    largest share that there can be, and is named too.

    Raises InvalidValueError if no practice has both registers and an adult list, or more than 1 % have a
    register larger than its list.
    """
    if below := int((conditions["register"] < 0).sum()):
        raise InvalidValueError(f"{below:,} registers of the QOF file are negative: mend those rows.")
    register = by_practice(conditions, "register")
    odd = larger_than_lists(conditions)
    adult_rows = conditions[conditions["list_type"] == ADULT_LIST]
    adults = adult_rows.groupby("practice")["list_size"].max()
    here = practices.intersection(adults.index[adults > 0])
    if here.empty:
        raise InvalidValueError(
            f"None of the {len(practices):,} practices has a register and a list of people aged 18 and over "
            "in the QOF file. Use the QOF file (PREVALENCE) of the year before the registrations."
        )
    usable = register.reindex(here)
    rules = reference.read("open-data-concordance").frame.set_index("term")
    shares, lacking, held_down = {}, [], 0
    for term, rule in rules[rules["rule"] == "rescaled"].iterrows():
        codes = str(rule["registers"]).split("|")
        if not set(codes) <= set(register.columns):
            lacking.append(f"{term} ({', '.join(codes)})")
            continue
        scale = _scale(str(term), str(rule["liverpool_register"]))
        share = _shares_of_adults(usable[codes], adults[here]).reindex(practices) * scale
        everywhere = _mean_of(usable[codes], adults[here]) * scale
        share = share.fillna(everywhere)
        held_down += int((share > MOST_PREVALENT).sum())
        shares[str(term)] = share.clip(upper=MOST_PREVALENT)
    absent = practices.difference(here)
    odd = odd[odd["practice"].isin(here)]
    odd_names = (odd["practice"].astype("str") + " (" + odd["condition"].astype("str") + ")").tolist()
    notes = _notes(list(shares), held_down, lacking, absent, odd_names)
    return pd.DataFrame(shares, index=practices), notes


def own_shares(shares: pd.DataFrame, catchment: Catchment, ages: FlowAges) -> tuple[pd.DataFrame, Assumption]:
    """The user's shares of adults by practice (practices, terms), and what to say of them.

    Raises FormulaError for columns that are no condition, InvalidValueError for shares that are none or rows
    that stand twice, UnknownCodeError if not every practice, or every area, has a row.
    """
    if not isinstance(shares, pd.DataFrame):
        raise InvalidValueError(
            "The shares must be a pandas DataFrame: a row for each practice or area, a column for each "
            "condition."
        )
    refuse_twice(shares.index, "the shares", "rows")
    known = gradients.conditions()
    strange = [str(name) for name in shares if name not in known]
    if strange:
        raise FormulaError(
            f"{len(strange)} columns of the shares are no condition of the formula: {first_few(strange)}. "
            f"Conditions: {', '.join(known)}."
        )
    values = numbers(shares, "the shares")
    odd = shares.index[((values >= 0) & (values <= 1)).sum(axis=1) < values.shape[1]]
    if len(odd):
        raise InvalidValueError(
            f"{len(odd):,} of {len(shares):,} rows have a share that is missing, below 0 or above 1: "
            f"{first_few(odd)}. Shares are parts of all adults, such as 0.012; leave out columns with gaps."
        )
    by_area = shares.index.isin(catchment.areas).any()
    wanted = catchment.areas if by_area else catchment.practices
    lacking = wanted.difference(shares.index)
    if len(lacking):
        raise UnknownCodeError(
            f"{len(lacking):,} of {len(wanted):,} {'areas' if by_area else 'practices'} have no row in the "
            f"shares: {first_few(lacking)}. Give every one its row."
        )
    found = shares.loc[wanted].clip(upper=MOST_PREVALENT).astype(np.float64)
    if by_area:
        adults = ages.on_flows(ages.adults("registered"))
        of_practice = flow.column_shares(adults.tocsr()).T @ found.to_numpy()
        everywhere = np.average(found, axis=0, weights=flow.total_by_row(adults))
        some = flow.total_by_column(adults) > 0
        found = pd.DataFrame(
            np.where(some[:, None], of_practice, everywhere), catchment.practices, found.columns
        )
    averaged = "Averaged over each practice's adults, since use takes conditions from the practice; "
    note = Assumption(
        f"The planner's own shares of adults stand for {', '.join(map(str, found.columns))}",
        (averaged if by_area else "") + "by age they follow the one slope that each condition has",
        "choice",
        str(shares.attrs.get("source", {}).get("file", "the planner's shares")),
    )
    return found, note


def larger_than_lists(conditions: pd.DataFrame) -> pd.DataFrame:
    """The registers that are larger than the list they are of: `practice, condition, register, list_size`.

    Raises InvalidValueError if more than 1 % of practices have one.
    """
    over = conditions.loc[
        conditions["register"] > conditions["list_size"], ["practice", "condition", "register", "list_size"]
    ]
    practices, names = conditions["practice"].nunique(), over["practice"].unique()
    if len(names) > MOST_OVER * practices:
        raise InvalidValueError(
            f"{len(names):,} of {practices:,} practices have a register larger than its list: "
            f"{first_few(names)}. One or two are found in published files; this many are registers and "
            "lists of different years or columns. Check the file."
        )
    return over.reset_index(drop=True)


def by_practice(conditions: pd.DataFrame, value: str) -> pd.DataFrame:
    """A column of the registers as a frame (practices, conditions)."""
    wide = conditions.pivot_table(index="practice", columns="condition", values=value, aggfunc="max")
    return wide.rename_axis(columns=None)


def _union(share: Floats) -> Floats:
    """Share of people with any of several conditions (…, conditions), independent of each other."""
    any_of: Floats = 1.0 - np.prod(1.0 - share, axis=-1)
    return any_of


def _shares_of_adults(registers: pd.DataFrame, adults: pd.Series) -> pd.Series:
    """(practices,) share of adults on any of the registers; NaN where one is not usable."""
    return pd.Series(_union(registers.div(adults, axis=0).to_numpy(np.float64)), index=registers.index)


def _mean_of(registers: pd.DataFrame, adults: pd.Series) -> float:
    """The same share over all practices whose registers are usable."""
    whole = registers.dropna()
    return float(_union(whole.sum().to_numpy(np.float64) / adults[whole.index].sum()))


def _scale(term: str, liverpool_registers: str) -> float:
    """The paper's share of adults over Liverpool's, by the same registers."""
    paper = reference.read("filipe-2024-table1").frame.set_index("variable")["number"]
    listed = reference.read("liverpool-calibration").frame["listed_adults"].iloc[0]
    counts = np.array([float(count) for count in liverpool_registers.split("|")])
    return float(paper[term] / paper["n_individuals"] / _union(counts / listed))


def _notes(
    terms: list[str], held_down: int, lacking: list[str], absent: pd.Index, odd: list[str]
) -> list[Assumption]:
    notes = [
        Assumption(
            f"QOF registers stand for {', '.join(terms)}",
            "Each register over the list of people aged 18 and over, times the paper's share over that of "
            "Liverpool's registers of 2021/22, whatever the year of the file; "
            f"{held_down:,} values are held at {MOST_PREVALENT:.0%}",
            "inference",
            "open-data-concordance",
        ),
        Assumption(
            "Conditions change with age by one labelled slope each: constants of fit, not prevalences by age",
            "QOF registers have no ages. The slopes were set so that the paper's users by age band come out "
            "within a tenth; five bands do not determine them, and those of GP consultations and mental "
            "health run against what is known of these",
            "inference",
            "age-gradients",
        ),
        Assumption(
            "All other terms, use of services among them, are held at the paper's share or mean by age",
            "No open file gives them by area or practice",
            "gap",
            "open-data-concordance",
        ),
    ]
    gaps = (
        (lacking, "Terms whose register the file lacks, held at the paper's share"),
        (list(absent), "Practices without QOF registers, given the mean of the others"),
        (odd, "Practices with a register larger than its list, which they keep"),
    )
    notes += [
        Assumption(f"{what}: {len(names):,} ({first_few(names)})", "As published", "gap", "QOF")
        for names, what in gaps
        if names
    ]
    return notes


__all__ = ["by_practice", "larger_than_lists", "own_shares", "prevalence"]
