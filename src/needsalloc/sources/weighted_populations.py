"""NHS England's practice weighted populations and the places that are drawn on them: the files of the
place-based allocation tool."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from needsalloc.errors import InputFileError, InvalidValueError, MissingColumnError, first_few
from needsalloc.sources._opening import as_text, checksum, read_bytes
from needsalloc.sources._reading import SourceFile

# The components of the allocation formula, and what is mixed of them.
COMPONENTS = (
    "general_and_acute",
    "community",
    "mental_health",
    "maternity",
    "health_inequalities",
    "prescribing",
    "core",
    "primary_medical_care",
    "primary_medical_care_final",
)

# 2023/24 and 2024/25, 2025/26, 2026/27 and after; "pop 2022/23" is the people's year, not the edition's.
FIELDS = {
    "practice": ("PRACTICE_CODE",),
    "practice_name": ("GP_PRACTICE_NAME",),
    "icb": ("ICS22", "ICB"),
    "icb_name": ("ICS22NAME", "ICBNAME"),
    "population": ("POP_2022_23", "POPULATION", "REGISTERED_PATIENTS"),
    "general_and_acute": ("G_A_WP",),
    "community": ("CS_WP",),
    "mental_health": ("MH_WP",),
    "maternity": ("MAT_WP",),
    "health_inequalities": ("HEALTH_INEQ_WP",),
    "prescribing": ("PRESCR_WP",),
    "core": ("FINAL_WP", "CORE_WP"),
    "primary_medical_care": ("PRIMARY_MEDICAL_CARE_WP",),
    "primary_medical_care_final": ("FINAL_PMC_WP",),
}
_LISTS_OF_PLACES = ("places", "group_list")


def read_weighted_populations(path: str | Path, *, edition: str | None = None) -> pd.DataFrame:
    """One row per practice: `practice, practice_name, icb, icb_name, population`, then the `COMPONENTS`.

    All headers since 2023/24 are read. Every component is in people: the population as the formula of that
    service weights it, so that over England each one sums to the population. `primary_medical_care` is its
    need alone, `primary_medical_care_final` what is allocated by; `core` is the mix of the services.

    edition: the year that the file allocates for, such as "2024/25". No file states it (2023/24 and 2024/25
        have one header, and both name the population "pop 2022/23"), so it is what you say or None.

    attrs: `edition`; `source`, file name, sha256 and rows.

    Raises InputFileError, MissingColumnError or InvalidValueError (a practice on two rows, an ICB with two
    names, a figure that is none).
    Source: NHS England, ICB place-based allocation tool, data/<year>.csv.
    """
    file = SourceFile(path, "practice weighted populations")
    table = file.read(file.find(FIELDS))
    table.refuse_repeated("practice")
    frame = pd.DataFrame(
        {
            "practice": table.codes("practice").astype(str),
            "practice_name": table.words("practice_name").astype(str),
            "icb": table.codes("icb").astype(str),
            "icb_name": table.words("icb_name").astype(str),
            "population": table.numbers("population"),
            **{component: table.numbers(component) for component in COMPONENTS},
        }
    )
    names = frame.groupby("icb")["icb_name"].nunique()
    if (names > 1).any():
        raise InvalidValueError(
            f"{file.path.name}: {int((names > 1).sum()):,} ICBs have more than one name: "
            f"{first_few(names.index[names > 1])}. Keep one."
        )
    frame.attrs = table.attrs(edition=edition)
    return frame


def read_places(path: str | Path) -> pd.DataFrame:
    """The places that somebody saved in the tool, a row per place and practice.

    Columns, all text: `place`, `practice`, `practice_name`, and `icb_name`, as the tool named the ICB then.
    Places may overlap: a practice can be in several. Both generations are read, with the list of places under
    "places" or under "group_list"; what the list does not name is not a place, as in the tool.

    attrs: `source`, file name, sha256 and rows.

    Raises InputFileError if it is no such file, InvalidValueError for a listed place that is not there, or
    without practices, or with one twice.
    Source: NHS England, AIF_Allocation_Tool, docs/json_format_primer.md; ICB_Place_Based_Tool_2627-2829,
    ICB_Place_Based_Tool.py ("Download session data as JSON").
    """
    path = Path(path)
    stored = read_bytes(path)
    session = _session(as_text(stored, path), path)
    rows = [
        (name, *map(str.strip, text.partition(":")[::2]), place["icb"].strip())
        for name, place in session.items()
        for text in place["gps"]
    ]
    frame = pd.DataFrame(rows, columns=["place", "practice", "practice_name", "icb_name"], dtype="str")
    frame["practice"] = frame["practice"].str.upper()
    codeless = frame["practice"] == ""
    twice = frame.duplicated(["place", "practice"])
    if codeless.any() or twice.any():
        wrong = frame[codeless | twice]
        raise InvalidValueError(
            f"{path.name}: {len(wrong):,} practices have no code or stand twice in a place: "
            f"{first_few(wrong['practice'] + ' in ' + wrong['place'])}. Keep each once."
        )
    frame.attrs = {"source": {"file": path.name, "sha256": checksum(stored), "rows": len(frame)}}
    return frame


def _session(text: bytes, path: Path) -> dict[str, dict[str, Any]]:
    """The listed places by name, each with its `gps` and `icb`."""
    try:
        session = json.loads(text.decode().removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise InputFileError(
            f"{path.name} is no JSON ({error}). Give the file that the tool saves as session data."
        ) from error
    session = session if isinstance(session, dict) else {}
    listed = next((session[key] for key in _LISTS_OF_PLACES if key in session), None)
    if not isinstance(listed, list) or not listed or not all(isinstance(name, str) for name in listed):
        raise MissingColumnError(
            f'{path.name} has no list of places ("places", formerly "group_list"). Give the file that the '
            "tool saves as session data."
        )
    wrong = [name for name in listed if not _is_place(session.get(name))]
    wrong += [name for name in dict.fromkeys(listed) if listed.count(name) > 1]
    if wrong:
        raise InvalidValueError(
            f"{path.name}: {len(wrong):,} listed places stand twice, or lack their practices (gps) or ICB "
            f"(icb): {first_few(wrong)}. Save them in the tool again."
        )
    return {name: session[name] for name in listed}


def _is_place(place: object) -> bool:
    if not isinstance(place, dict) or not isinstance(place.get("icb"), str):
        return False
    practices = place.get("gps")
    return (
        isinstance(practices, list) and bool(practices) and all(isinstance(text, str) for text in practices)
    )


__all__ = ["COMPONENTS", "read_places", "read_weighted_populations"]
