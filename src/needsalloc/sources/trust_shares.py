"""The share of each area's admitted patients that goes to each hospital trust (OHID catchments)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from needsalloc.errors import InvalidValueError, first_few
from needsalloc.sources._reading import SourceFile

_FIELDS = {
    "msoa": ("MSOA_CODE", "MSOA"),
    "trust": ("TRUST_CODE", "TRUST"),
    "share": ("PROPORTION", "SHARE"),
}


def read_trust_shares(
    path: str | Path, *, msoa: str | None = None, trust: str | None = None, share: str | None = None
) -> pd.DataFrame:
    """An area's patients by trust, a row per area and trust: `msoa, trust` (text), `share` (float64).

    For `Catchment.from_flows(frame, area="msoa", team="trust", share="share", remainder=…)`. Small flows are
    left out of the published file, so the shares of an area sum to less than 1 (2019: 0.977 on average).

    attrs: `source`; `quality`, with the areas whose shares sum to least.

    Raises InputFileError, MissingColumnError, or InvalidValueError (a pair twice, a share above 1, shares of
    an area that sum to more than 1).
    Source: OHID, NHS acute hospital trust catchment populations.
    """
    file = SourceFile(path, "shares of areas' admissions by trust")
    table = file.read(file.find(_FIELDS, named={"msoa": msoa, "trust": trust, "share": share}))
    table.refuse_repeated("msoa", "trust")
    frame = pd.DataFrame(
        {
            "msoa": table.codes("msoa").astype(str),
            "trust": table.codes("trust").astype(str),
            "share": table.numbers("share"),
        }
    )
    above = (frame["share"] > 1).to_numpy()
    if above.any():
        table.refuse("share", above, "are above 1", "Give shares of 1, not per cent or people.")
    total = frame.groupby("msoa")["share"].sum()
    wrong = total.index[total > 1 + 1e-6]
    if len(wrong):
        raise InvalidValueError(
            f"{table.file}: the shares of {len(wrong):,} areas sum to more than 1: {first_few(wrong)}. Give "
            "the shares of one year and one kind of admission."
        )
    half = np.asarray(frame["msoa"].map(total) < 0.5)
    table.note("rows are of areas whose shares sum to less than a half", half, "msoa")
    frame.attrs = table.attrs()
    return frame


__all__ = ["read_trust_shares"]
