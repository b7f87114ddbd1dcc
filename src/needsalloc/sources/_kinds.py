"""Which published file a header is: told from its columns, never from the name of the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass


def plain(name: str) -> str:
    """A column name without case, spaces or punctuation: "LSOA code (2011)" -> "LSOA_CODE_2011"."""
    return re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_")


@dataclass(frozen=True, slots=True)
class Kind:
    """A file that a reader knows.

    `key`: its word in a plan and in reports; `what`: the same in words; `reader`: the function; `is_it`:
    whether a header, as `plain` spells its columns, is of this kind.
    """

    key: str
    what: str
    reader: str
    is_it: Callable[[Collection[str]], bool]


def _any_of(*signatures: set[str]) -> Callable[[Collection[str]], bool]:
    return lambda header: any(names <= set(header) for names in signatures)


def _with(signature: set[str], pattern: str) -> Callable[[Collection[str]], bool]:
    """A header with these columns and one that matches."""
    return lambda header: signature <= set(header) and any(re.fullmatch(pattern, name) for name in header)


_AREA = re.compile(r"(F_)?LSOA(_NAME)?(_?(20)?[12]1)?_?(CODE|CD)?(_(20)?[12]1)?|(AREA|GEOGRAPHY)_CODE")
_AGE = re.compile(
    r"[FM]?\d{1,2}|(AGE_)?(AGED?_)?\d{1,2}(_TO_|_)\d{1,2}(_YEARS?)?"
    r"|(AGE_)?(AGED?_)?\d{1,3}_YEARS?(_AND_(UNDER|OVER))?"
)
_BODY = re.compile(r"(SICBL|ICB|LAD|LTLA|WD|WARD)\d\d_?(CD|CODE)")
_RURALITY = re.compile(r"RUC(11|21)_?(CD|CODE)")


def _has_area(header: Collection[str]) -> bool:
    return any(_AREA.fullmatch(name) for name in header)


# The first that fits is the kind: a header that holds another's columns and more stands before it.
KINDS = (
    Kind(
        "registrations",
        "patients by practice and LSOA",
        "read_registrations",
        _any_of({"PRACTICE_CODE", "LSOA_CODE", "NUMBER_OF_PATIENTS"}),
    ),
    Kind(
        "lists_by_band",
        "practice lists by five-year age band",
        "read_lists_by_band",
        _any_of({"ORG_CODE", "SEX", "AGE_GROUP_5"}),
    ),
    Kind(
        "lists",
        "practice lists by single year of age",
        "read_lists",
        _any_of({"ORG_CODE", "SEX", "AGE"}, {"PRACTICE_CODE", "SEX", "0", "95"}),
    ),
    Kind(
        "conditions", "QOF registers", "read_conditions", _any_of({"PRACTICE_CODE", "GROUP_CODE", "REGISTER"})
    ),
    Kind(
        "weighted_populations",
        "practice weighted populations",
        "read_weighted_populations",
        _any_of({"PRACTICE_CODE", "CS_WP"}),
    ),
    Kind(
        "payments",
        "NHS payments to practices",
        "read_payments",
        _any_of({"PRACTICE_CODE", "TOTAL_NHS_PAYMENTS_TO_GENERAL_PRACTICE"}),
    ),
    Kind("workforce", "staff of PCNs", "read_workforce", _any_of({"PCN_CODE", "STAFF_ROLE", "FTE"})),
    Kind(
        "pcn_partners",
        "partners of PCNs",
        "read_pcn_partners",
        _any_of({"PARTNER_ORGANISATION_CODE", "PCN_CODE"}),
    ),
    Kind(
        "membership",
        "the map of practices to PCNs",
        "read_membership",
        _any_of({"PRACTICE_CODE", "PCN_CODE"}),
    ),
    Kind(
        "lookup",
        "the lookup from LSOA 2011 to LSOA 2021",
        "read_area_lookup",
        _any_of({"LSOA11_CODE", "LSOA21_CODE"}, {"LSOA11CD", "LSOA21CD"}, {"F_LSOA11CD", "LSOA21CD"}),
    ),
    Kind(
        "deprivation",
        "the Index of Multiple Deprivation",
        "read_deprivation",
        _any_of({"IMD_SCORE"}, {"INDEX_OF_MULTIPLE_DEPRIVATION_IMD_SCORE"}),
    ),
    Kind(
        "health_domain",
        "scores of the domains of the Indices of Deprivation",
        "read_health_domain",
        _any_of({"HEALTH_DEPRIVATION_AND_DISABILITY_SCORE"}),
    ),
    Kind(
        "disability",
        "residents by disability and LSOA",
        "read_disability",
        _any_of({"DISABILITY", "N"}, {"GEOGRAPHY_CODE", "DISABILITY_DISABLED_UNDER_THE_EQUALITY_ACT"}),
    ),
    Kind("rurality", "rural and urban areas", "read_rurality", _with(set(), _RURALITY.pattern)),
    Kind(
        "trust_shares",
        "shares of areas' admissions by trust",
        "read_trust_shares",
        _any_of({"MSOA_CODE", "TRUST_CODE", "PROPORTION"}),
    ),
    Kind(
        "population",
        "residents by LSOA and age",
        "read_population",
        lambda header: _has_area(header) and sum(bool(_AGE.fullmatch(name)) for name in header) > 1,
    ),
    Kind(
        "area_membership",
        "the bodies that areas belong to",
        "read_area_membership",
        lambda header: _has_area(header) and any(_BODY.fullmatch(name) for name in header),
    ),
    Kind(
        "current",
        "posts in place by team",
        "read_current",
        lambda header: "TEAM" in header and bool({"CURRENT", "BASIS"} & set(header)),
    ),
)


def kind_of(header: Collection[str]) -> Kind | None:
    """The kind of file that has these columns, None if no reader knows it."""
    names = {plain(name) for name in header}
    return next((kind for kind in KINDS if kind.is_it(names)), None)


__all__ = ["KINDS", "Kind", "kind_of", "plain"]
