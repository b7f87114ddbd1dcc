"""Conditions of a practice's adults from its QOF registers, on the scale of the paper's cohort.

A register is not the paper's variable. Each one used is divided by the practice's adult list and rescaled so
that Liverpool's adults have the share that the paper prints (table `open-data-concordance`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from needsalloc import reference
from needsalloc.assumptions import Assumption
from needsalloc.errors import InvalidValueError, first_few

Floats = NDArray[np.float64]

ADULT_LIST = "18OV"
# A share of 1 has no log odds; the few practices near it are care homes and hospices.
MOST_PREVALENT = 0.95


def prevalence(practices: pd.Index, conditions: pd.DataFrame) -> tuple[pd.DataFrame, list[Assumption]]:
    """Share of adults with each rescaled condition: index `practices`, a column for each term.

    conditions: QOF registers in long form (see `read_conditions`). A practice without registers, or with a
    register larger than its list, is given the mean of the others, and named in the notes.

    Raises InvalidValueError if no practice has both registers and an adult list.
    """
    register = _wide(conditions, "register")
    too_large = register > _wide(conditions, "list_size")
    adult_rows = conditions[conditions["list_type"] == ADULT_LIST]
    adults = adult_rows.groupby("practice")["list_size"].max()
    here = practices.intersection(adults.index[adults > 0])
    if here.empty:
        raise InvalidValueError(
            f"None of the {len(practices):,} practices has a register and a list of people aged 18 and over "
            "in the QOF file. Use the QOF file (PREVALENCE) of the year before the registrations."
        )
    usable = register.where(~too_large).reindex(here)
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
    odd = too_large.reindex(practices, fill_value=False)
    odd = odd[odd.any(axis=1)]
    odd_names = [
        f"{name} ({', '.join(odd.columns[row])})" for name, row in zip(odd.index, odd.to_numpy(), strict=True)
    ]
    notes = _notes(list(shares), held_down, lacking, absent, odd_names)
    return pd.DataFrame(shares, index=practices), notes


def _wide(conditions: pd.DataFrame, value: str) -> pd.DataFrame:
    return conditions.pivot_table(index="practice", columns="condition", values=value, aggfunc="max")


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
        (odd, "Practices with a register larger than its list, given the mean of the others"),
    )
    notes += [
        Assumption(f"{what}: {len(names):,} ({first_few(names)})", "As published", "gap", "QOF")
        for names, what in gaps
        if names
    ]
    return notes


__all__ = ["prevalence"]
