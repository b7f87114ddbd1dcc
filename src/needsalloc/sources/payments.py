"""What the NHS paid to general practice in a year, by practice (NHS England, yearly), and by team."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from needsalloc.errors import InvalidValueError, UnknownCodeError, first_few
from needsalloc.sources._kinds import plain
from needsalloc.sources._reading import SourceFile
from needsalloc.sources._table import TextTable
from needsalloc.sources.membership import NO_PCN, NO_PCN_NAME

# The columns named "Code" and "CCG NAME" hold the PCN in 2022/23; "CCG Code" and "Sub ICB NAME" the sub-ICB.
_FIELDS = {
    "practice": ("PRACTICE_CODE",),
    "practice_name": ("PRACTICE_NAME",),
    "pcn": ("PCN_CODE", "CODE"),
    "pcn_name": ("PCN_NAME", "CCG_NAME"),
    "sub_icb": ("SUB_ICB_CODE", "CCG_CODE"),
    "sub_icb_name": ("SUB_ICB_NAME",),
    "contract": ("CONTRACT_TYPE",),
    "rurality": ("PRACTICE_RURALITY",),
    "registered": (
        "NUMBER_OF_REGISTERED_PATIENTS_LAST_KNOWN_FIGURE",
        "AVERAGE_NUMBER_OF_REGISTERED_PATIENTS",
    ),
    "weighted": ("NUMBER_OF_WEIGHTED_PATIENTS_LAST_KNOWN_FIGURE", "AVERAGE_NUMBER_OF_WEIGHTED_PATIENTS"),
    "global_sum": ("GLOBAL_SUM",),
    "practice_payments": ("TOTAL_NHS_PAYMENTS_TO_GENERAL_PRACTICE",),
    "with_pcn": ("TOTAL_NHS_PAYMENTS_INCLUDING_PCN_WORKFORCE_LEADERSHIP_AND_SUPPORT",),
}
_REQUIRED = {"practice", "registered", "practice_payments"}
_TEXT = ("practice_name", "pcn_name", "sub_icb_name", "contract", "rurality")
_CODES = ("practice", "pcn", "sub_icb")
_PEOPLE = ("registered", "weighted")
# Paid to a practice of the PCN on behalf of all; participation is the practice's own.
_TO_PCNS = (
    "PCN_LEADERSHIP", "PCN_SUPPORT", "PCN_EXTENDED_HOURS_ACCESS", "PCN_WORKFORCE",
    "PCN_INVESTMENT_AND_IMPACT_FUND", "PCN_CARE_HOME_PREMIUM", "PCN_ENHANCED_ACCESS",
)  # fmt: skip
_PENCE = 0.05
MONEY = ("practice_payments", "pcn_payments", "all_payments")


def read_payments(path: str | Path) -> pd.DataFrame:
    """One row per practice: `practice`, those of `practice_name, pcn, pcn_name, sub_icb, sub_icb_name,
    contract, rurality` that the file has, then people and £ of the year (float64).

    `registered` and `weighted` are patients, as the file counts them. `practice_payments` are the total NHS
    payments to the practice before deductions; `pcn_payments` what it received for its PCN (leadership,
    support, workforce, extended and enhanced access, care homes, investment and impact), and `all_payments`
    both. COVID payments are in none of them. Payments can be negative: money taken back.

    A PCN's money stands with whichever of its practices received it: add practices up to teams
    (`payments_by_team`) before comparing. A practice without a PCN has "U".

    attrs: `source`; `quality`.

    Raises InputFileError, MissingColumnError, or InvalidValueError (a practice on two rows, a total that its
    parts do not sum to). Source: NHS England, NHS Payments to General Practice.
    """
    file = SourceFile(path, "NHS payments to practices")
    columns = file.find(_FIELDS, optional=set(_FIELDS) - _REQUIRED)
    if "pcn" not in columns:
        columns.pop("pcn_name", None)  # then it is the CCG that it says
    spelling = {plain(name): name for name in reversed(file.header)}
    parts = {name: spelling[name] for name in _TO_PCNS if name in spelling}
    table = file.read(columns | parts)
    table.refuse_repeated("practice")
    frame = pd.DataFrame(
        {
            name: pd.Series(
                table.codes(name, may_lack=name != "practice") if name in _CODES else table.words(name)
            ).astype("str")
            for name in _FIELDS
            if name in table and name in (*_CODES, *_TEXT)
        }
    )
    for name in (*_PEOPLE, "global_sum", "practice_payments"):
        if name in table:
            frame[name] = table.numbers(name, signed=name not in _PEOPLE)
    if "pcn" in frame:
        _without_pcn(frame, table)
    if parts:
        frame["pcn_payments"] = np.sum([table.numbers(name, signed=True) for name in parts], axis=0).round(2)
        frame["all_payments"] = (frame["practice_payments"] + frame["pcn_payments"]).round(2)
        _compare(frame, table)
    negative = (frame["practice_payments"] < 0).to_numpy()
    table.note("practices were paid less than nothing: money taken back", negative, "practice")
    frame.attrs = table.attrs()
    return frame


def payments_by_team(
    payments: pd.DataFrame, membership: pd.DataFrame | None = None, *, money: str = "all_payments"
) -> pd.DataFrame:
    """£ of the year by PCN as what is in place now: `team, team_name, current`, as of `read_current`.

    payments: of `read_payments`.
    membership: of `read_membership`, for the PCN of each practice on another day than the year of the
        payments, or where the file has none; every practice must be in it.
    money: "all_payments", "practice_payments" or "pcn_payments".

    Practices without a PCN are left out, with their money in attrs `left_out`; attrs `basis` is "paid".

    Raises UnknownCodeError if a practice is not in the map, InvalidValueError for other money, or if there is
    no PCN in the file and no map.
    """
    if money not in MONEY or money not in payments:
        raise InvalidValueError(
            f"money={money!r} is not in these payments: choose one of "
            f"{', '.join(name for name in MONEY if name in payments)}."
        )
    if membership is not None:
        links = membership.set_index("practice")[["pcn", "pcn_name"]]
        missing = payments.loc[~payments["practice"].isin(links.index), "practice"]
        if len(missing):
            raise UnknownCodeError(
                f"{len(missing):,} of {len(payments):,} practices that were paid are not in the map: "
                f"{first_few(missing)}. Use the map of that year, or leave those practices out yourself."
            )
        payments = payments.drop(columns=["pcn", "pcn_name"], errors="ignore").join(links, on="practice")
    elif "pcn" not in payments:
        raise InvalidValueError("These payments name no PCN. Give the map of practices as membership.")
    outside = payments["pcn"] == NO_PCN
    teams = payments[~outside].groupby("pcn").agg(team_name=("pcn_name", "first"), current=(money, "sum"))
    frame = teams.round({"current": 2}).rename_axis("team").reset_index()
    frame.attrs = {
        "basis": "paid",
        "on": None,
        "source": payments.attrs.get("source", {}),
        "left_out": {NO_PCN_NAME: round(float(payments.loc[outside, money].sum()), 2)},
    }
    return frame


def _without_pcn(frame: pd.DataFrame, table: TextTable) -> None:
    outside = ~frame["pcn"].str.fullmatch(r"U\d{5}")
    if outside.all():
        raise InvalidValueError(
            f"{table.file}: column {table.header['pcn']} holds no PCN (U and five digits): "
            f"{first_few(frame['pcn'].unique())}. Use the published file of practices."
        )
    frame.loc[outside, "pcn"] = NO_PCN
    if "pcn_name" in frame:
        frame.loc[outside, "pcn_name"] = NO_PCN_NAME


def _compare(frame: pd.DataFrame, table: TextTable) -> None:
    """The total with PCN payments that the file states is that of the parts, row by row."""
    if "with_pcn" not in table:
        return
    wrong = np.abs(table.numbers("with_pcn", signed=True) - frame["all_payments"].to_numpy()) > _PENCE
    if wrong.any():
        table.refuse(
            "with_pcn",
            wrong,
            "are not the sum of their parts",
            "Columns are missing or moved.",
        )


__all__ = ["MONEY", "payments_by_team", "read_payments"]
