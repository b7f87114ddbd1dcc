"""The files of a plan: read by their readers from one folder, and where each came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from needsalloc import reference, sources
from needsalloc.errors import InputFileError, PlanError
from needsalloc.need import NeedFormula
from needsalloc.plan import InputFile, Plan
from needsalloc.report import Source

Progress = Callable[[str], None]

OGL = "Open Government Licence v3.0"


@dataclass(frozen=True, slots=True)
class _Role:
    """What a file of a plan is: its reader, and who publishes it under what title."""

    reader: Callable[..., pd.DataFrame]
    publisher: str
    title: str


_LISTS = "Patients registered at a GP practice"
_ROLES: Mapping[str, _Role] = {
    "registrations": _Role(sources.read_registrations, "NHS England", f"{_LISTS}: by practice and LSOA"),
    "membership": _Role(sources.read_membership, "NHS England", f"{_LISTS}: practice to PCN and ICB"),
    "population": _Role(sources.read_population, "Office for National Statistics", "People by LSOA and age"),
    "deprivation": _Role(sources.read_deprivation, "MHCLG", "English Indices of Deprivation"),
    "lists": _Role(sources.read_lists, "NHS England", f"{_LISTS}: by single year of age and sex"),
    "conditions": _Role(sources.read_conditions, "NHS England", "Quality and Outcomes Framework: registers"),
    "current": _Role(sources.read_current, "the planner", "Posts in place now"),
    "boundaries": _Role(sources.read_boundaries, "Office for National Statistics", "LSOA boundaries"),
}
_IN_PARTS = "lists"  # women's and men's lists are published in two files
_TABLES_USED = (
    "open-data-concordance",
    "age-gradients",
)


@dataclass(frozen=True, eq=False)
class Inputs:
    """The files of a plan as the readers return them, by role."""

    plan: Plan
    frames: Mapping[str, pd.DataFrame]

    def dated(self, role: str) -> str:
        """The day or edition of a file, as it says itself, else as the plan says."""
        attrs = self.frames[role].attrs
        said = attrs.get("on") or attrs.get("edition") or self.plan.inputs.files()[role].on
        return str(said or "not stated in the file or the plan")


def read_inputs(plan: Plan, folder: str | Path, *, progress: Progress | None = None) -> Inputs:
    """Read every file of the plan from `folder`.

    Raises InputFileError if there is no such folder, PlanError for a path that leads out of it or a column
    that no reader knows, and whatever the readers refuse.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputFileError(
            f"The data folder {folder} does not exist. Name the folder of the files with --data."
        )
    frames = {}
    for role, file in plan.inputs.files().items():
        if progress:
            progress(f"reading {role}")
        paths = _inside(folder, role, file)
        try:
            frames[role] = _ROLES[role].reader(*paths, **file.named_columns)
        except TypeError as error:
            if "unexpected keyword" not in str(error):
                raise
            word = str(error).rsplit(" ", 1)[-1]
            raise PlanError(
                f"[inputs.{role}] names {word}, which the reader of that file does not know. "
                "docs/plan.md lists the words it knows."
            ) from error
    return Inputs(plan, frames)


def _inside(folder: Path, role: str, file: InputFile) -> list[Path]:
    """The file or files of an input, none of them outside the folder."""
    if not file.paths:
        raise PlanError(f"[inputs] {role} names no file. Give its path, or take the line out.")
    if len(file.paths) > 1 and role != _IN_PARTS:
        raise PlanError(f"[inputs] {role} names {len(file.paths)} files; only {_IN_PARTS} may have several.")
    found = []
    for name in file.paths:
        if "\0" in name:
            raise PlanError(f"[inputs] {role} = {name!r} is no path of a file. Write its name.")
        path = (folder / name).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise PlanError(
                f"[inputs] {role} = {name!r} leads out of the data folder. Put the file inside that folder, "
                "or name another folder with --data."
            )
        found.append(path)
    return found


def cited(inputs: Inputs, formula: NeedFormula, *, made_up: bool) -> tuple[Source, ...]:
    """Every file and published table that the figures of a run rest on."""
    found = []
    for role, frame in inputs.frames.items():
        about, source = _ROLES[role], frame.attrs["source"]
        licence = "made up" if made_up else "the planner's own" if role == "current" else OGL
        publisher = "needsalloc (made up)" if made_up else about.publisher
        found.append(
            Source(
                role,
                source["file"],
                publisher,
                about.title,
                inputs.dated(role),
                licence,
                source["sha256"],
                source["rows"],
            )
        )
    day = inputs.frames["registrations"].attrs.get("on")
    for name in (*formula.tables, *_TABLES_USED):
        table = reference.read(name, on=day)
        rows = len(table.frame)
        found.append(
            Source(
                "reference table",
                f"{name}.csv",
                table.source,
                table.title,
                table.on,
                table.licence,
                table.sha256,
                rows,
            )
        )
    return tuple(found)


__all__ = ["OGL", "Inputs", "Progress", "cited", "read_inputs"]
