"""Area codes and their census vintages: recognise them, name the others, never mix two vintages.

England has 32,844 LSOAs of 2011 and 33,755 of 2021. A code that appears in both names the same area: an area
whose boundary changed got a new code in 2021, from E01033769 upwards. So two sets of codes may meet wherever
the codes agree.
"""

import re
from collections.abc import Iterable
from typing import Literal, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from needsalloc.errors import UnknownCodeError, VintageError, first_few

Vintage = Literal["lsoa11", "lsoa21"]

FIRST_2021_CODE = "E01033769"
AREAS_OF_ENGLAND: dict[Vintage, int] = {"lsoa11": 32_844, "lsoa21": 33_755}

ENGLAND = "England"
_ENGLISH = r"E01\d{6}"
_GROUPS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), group)
    for pattern, group in (
        (_ENGLISH, ENGLAND),
        (r"W01\d{6}", "Wales"),
        (r"S01\d{6}", "Scotland"),
        (r"95[A-Z]{2}\d{2}[SW]\d|N2[01]\d{6}", "Northern Ireland"),
        (r"NO(2011|2021)", "no area recorded ({code})"),
        (r"CLOSED", "closed (CLOSED)"),
        (r"EMPTY", "empty (EMPTY)"),
        (r"[A-Z]99999999", "pseudo-code ({code})"),
    )
)
NATIONS = (ENGLAND, "Wales", "Scotland", "Northern Ireland")
UNKNOWN = "unknown"
_USE_EXACT_FIT = "Their people would be lost: use the ONS exact-fit lookup (LSOA 2011 to LSOA 2021)."


def _group(code: object) -> str:
    text = str(code)
    return next((name.format(code=text) for pattern, name in _GROUPS if pattern.fullmatch(text)), UNKNOWN)


def classify(codes: Iterable[object]) -> npt.NDArray[np.str_]:
    """The group of each area code, in words fit for a coverage table.

    England, Wales, Scotland, Northern Ireland (super output areas `95…`, data zones `N20…`, `N21…`), and the
    pseudo-codes of the registration files under their own names; a code of none of these kinds is "unknown".
    One group per code, in the order given.
    """
    codes = pd.Series(codes)
    # Nearly all codes are English: only the others are looked at one by one.
    other = ~is_english(codes)
    position, distinct = pd.factorize(codes[other], use_na_sentinel=False)
    names = np.array([ENGLAND, *map(_group, distinct)], dtype=np.str_)
    group = np.full(len(codes), ENGLAND, dtype=names.dtype)
    group[other] = names[1:][position]
    return group


def is_english(codes: Iterable[object]) -> npt.NDArray[np.bool_]:
    """Which codes are LSOAs of England (E01 and six digits), in the order given."""
    # Not through `classify`, which takes each code in turn: joins ask this of every area, again and again.
    return pd.Series(codes).astype("str").str.fullmatch(_ENGLISH).to_numpy(np.bool_)


def english(codes: Iterable[object]) -> pd.Index:
    """The distinct English LSOA codes among `codes`, sorted."""
    distinct = pd.Index(pd.unique(pd.Series(codes)))
    return distinct[is_english(distinct)].sort_values()


def vintage_of(codes: Iterable[object]) -> Vintage:
    """The census vintage of area codes, from the English ones alone: "lsoa21" if any was first given in 2021.

    31,810 of the codes are in both vintages. A small set that holds only such codes reads as "lsoa11" and is
    right wherever it is joined, since those areas are the same; a reader's `vintage=` names it otherwise.

    Raises UnknownCodeError if no code is an English LSOA.
    """
    codes = pd.Series(codes)
    areas = codes[is_english(codes)].astype("str")
    if areas.empty:
        found = first_few(pd.unique(codes))
        raise UnknownCodeError(
            f"No code is an English LSOA (E01 and six digits); found: {found or 'nothing'}. "
            "Check that the column holds LSOA codes, not names, MSOAs (E02…) or postcodes."
        )
    return "lsoa21" if areas.max() >= FIRST_2021_CODE else "lsoa11"


def check_vintage(vintage: str) -> Vintage:
    """`vintage` itself if it is "lsoa11" or "lsoa21"; VintageError otherwise."""
    if vintage not in AREAS_OF_ENGLAND:
        raise VintageError(f"Unknown vintage {vintage!r}: choose {' or '.join(AREAS_OF_ENGLAND)}.")
    return vintage


def vintage_in(frame: pd.DataFrame) -> Vintage:
    """The vintage that a reader's frame names: by its index, else by its column `lsoa11` or `lsoa21`."""
    names = [name for name in (frame.index.name, *frame.columns) if name in AREAS_OF_ENGLAND]
    if len(names) != 1:
        raise VintageError(
            "The table must name one area vintage, lsoa11 or lsoa21, as its index or a column; "
            f"found: {first_few(names) or 'none'}. Read the file with a needsalloc reader."
        )
    return cast(Vintage, names[0])


def check_same_vintage(
    left: Iterable[object],
    right: Iterable[object],
    *,
    left_name: str = "the first",
    right_name: str = "the second",
) -> Vintage:
    """The common vintage of two sets of area codes that are about to be joined.

    Only English codes count. Two vintages are refused as soon as one code of `left` is missing from `right`.

    Raises VintageError naming both vintages and the number of codes that do not match.
    """
    left, right = pd.Series(left), pd.Series(right)
    vintages = vintage_of(left), vintage_of(right)
    if vintages[0] == vintages[1]:
        return vintages[0]
    ours = english(left)
    unmatched = ours.difference(english(right))
    if len(unmatched):
        raise VintageError(
            f"{left_name} and {right_name} are of two censuses, {_census(vintages[0])} and "
            f"{_census(vintages[1])}: "
            f"{len(unmatched):,} of {len(ours):,} codes do not match ({first_few(unmatched)}). "
            "Use files of one vintage, or carry one of them over (carry_counts, carry_rates, "
            "carry_registrations) with the ONS exact-fit lookup."
        )
    # A set of codes that are in both vintages reads as 2011; what it is joined to decides.
    return max(vintages)


def changes(lookup: pd.DataFrame) -> pd.Series:
    """How each pair of `lookup` (columns `lsoa11`, `lsoa21`) changed, told from the pairs alone.

    U unchanged, S split, M merged, X fragmented: parts of several areas of 2011 make up several of 2021. On
    the ONS exact-fit lookup these are the ONS change codes, pair for pair.
    """
    parts = lookup.groupby("lsoa11")["lsoa21"].transform("nunique")
    origins = lookup.groupby("lsoa21")["lsoa11"].transform("nunique")
    # Along a chain of more than one split or merger, an area meets its neighbour's pairs as well.
    parts = parts.groupby(lookup["lsoa21"]).transform("max")
    origins = origins.groupby(lookup["lsoa11"]).transform("max")
    found = np.select([(parts > 1) & (origins > 1), parts > 1, origins > 1], ["X", "S", "M"], default="U")
    return pd.Series(found, index=lookup.index, name="change", dtype="str")


def check_exact_fit(lookup: pd.DataFrame) -> None:
    """Refuse a best-fit lookup between 2011 and 2021 areas: it leaves out about a thousand areas of 2021.

    `lookup` has the columns `lsoa11` and `lsoa21`, and may have `change` (see `changes`). It is judged by the
    number of its areas, if it has more than half of England's; then, whatever its size, by its pairs: an area
    that alone makes up another keeps its code, so one that changed its code has further rows. A lookup of
    part of England that cuts through a changed area is refused too, since it loses people as well.

    Raises VintageError with the number of areas that are missing, and the first of them.
    """
    for vintage, whole in AREAS_OF_ENGLAND.items():
        found = len(english(lookup[vintage]))
        # Past half of England the file means to be national, so what is missing is lost.
        if whole / 2 < found < whole:
            raise VintageError(
                f"The lookup has {found:,} of England's {whole:,} areas in {vintage}: "
                f"{whole - found:,} are missing, as in a best-fit lookup. {_USE_EXACT_FIT}"
            )
    change = changes(lookup)
    alone = lookup[(change == "U") & (lookup["lsoa11"] != lookup["lsoa21"])]
    if len(alone):
        shown = (f"{pair.lsoa11} to {pair.lsoa21}" for pair in alone.itertuples())
        raise VintageError(
            f"{len(alone):,} areas of the lookup changed their code and have one row only: "
            f"{first_few(shown)}. The other parts are missing, as in a best-fit lookup. {_USE_EXACT_FIT}"
        )
    if "change" in lookup:
        other = lookup.loc[lookup["change"] != change, "lsoa11"]
        if len(other):
            raise VintageError(
                f"{len(other):,} rows of the lookup have a change code (U, S, M, X) that their pairs do not "
                f"bear out, first of {first_few(other)}: rows are missing, as in a best-fit lookup. "
                f"{_USE_EXACT_FIT}"
            )


def _census(vintage: Vintage) -> str:
    return {"lsoa11": "2011 (lsoa11)", "lsoa21": "2021 (lsoa21)"}[vintage]
