"""What the files of a plan are and whether they belong together, before anything is run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

import needsalloc
from needsalloc import published
from needsalloc.allocate import whole_steps
from needsalloc.assumptions import Assumption
from needsalloc.checks import input_checks
from needsalloc.display import sentence_and_table
from needsalloc.errors import InputFileError, NeedsallocError, PlanError
from needsalloc.findings import assumed
from needsalloc.found_files import FIELDS, about_file, described
from needsalloc.in_place import in_place
from needsalloc.index import refuse_part_of_england
from needsalloc.inputs import Inputs, Progress, days_of, formula_of, read_inputs, read_role
from needsalloc.matching import matching_checks, unmatched_practices
from needsalloc.plan import InputFile, Plan, read_plan
from needsalloc.plan_people import catchment_of, of_icb, people_of, teams_of
from needsalloc.report import Check
from needsalloc.run_tables import scores_before
from needsalloc.sources.inspection import inspect_file

Status = Literal["pass", "warnings", "fail"]

EXIT_CODES: Mapping[Status, int] = {"pass": 0, "warnings": 1, "fail": 2}
FORMAT = 1
"""Of `Reconciliation.to_dict`: another number if a key is taken away or means something else."""

_WIDE = 18
_COVERAGE = {"patients": "{:,.0f}".format, "share": "{:.2%}".format}
_VERDICTS: Mapping[Status, str] = {
    "pass": "Nothing is odd.",
    "warnings": "Look at the warnings; the plan can be run.",
    "fail": "A run would be refused: mend what fails first.",
}


@dataclass(frozen=True, eq=False)
class Reconciliation:
    """The files of a plan: what each was found to be, and how they fit each other and what is published.

    Attributes
    ----------
    title:
        Of the plan.
    files:
        A row for each input: `role`, `status` ("pass", "warning" or "fail"), `file`, what it was `found` to
        be, its `rows`, the day or edition it is of (`on`), `vintage` ("lsoa11", "lsoa21" or ""), its `total`
        of what is `counted` (NaN where nothing is), `sha256`, and its `fault`: why it could not be read, or
        what was odd in it.
    checks:
        What should hold, what was found, what was expected.
    practices:
        Practices that one file has and another lacks, or that are of another size there: `practice`,
        `practice_name`, `finding`, `registered` (patients of the registrations), `there` (patients of the
        other file).
    coverage:
        Patients by what becomes of them (`Catchment.coverage`); empty if the files could not be put together.
    assumptions:
        What a run of the plan will assume; empty if the files could not be put together.
    """

    title: str
    files: pd.DataFrame
    checks: tuple[Check, ...]
    practices: pd.DataFrame
    coverage: pd.DataFrame
    assumptions: tuple[Assumption, ...]

    @property
    def status(self) -> Status:
        """ "fail" if a run would be refused, "warnings" if it should wait for a look, else "pass"."""
        found = {*self.files["status"], *(check.status for check in self.checks)}
        return "fail" if "fail" in found else "warnings" if "warning" in found else "pass"

    @property
    def warnings(self) -> tuple[Check, ...]:
        """The checks that should be looked at, those that stop a run first."""
        return tuple(check for kind in ("fail", "warning") for check in self.checks if check.status == kind)

    @property
    def table(self) -> pd.DataFrame:
        """The checks as a table: `status, name, found, expected`, what should be looked at first."""
        order = {status: place for place, status in enumerate(("fail", "warning", "note", "pass"))}
        rows = sorted(self.checks, key=lambda check: order[check.status])
        return pd.DataFrame(
            [asdict(check) for check in rows], columns=["status", "name", "found", "expected"]
        )

    def lines(self) -> list[str]:
        """All of it as lines of text, as `needsalloc check` prints them; practices as counts by finding."""
        checks = [
            f"{row['status']:8} {row['name']}: {row['found']} (expected: {row['expected']})"
            for row in _records(self.table)
        ]
        coverage = self.coverage.to_string(index=False, formatters=_COVERAGE).split("\n")
        assumed = [f"{found.kind:10} {found.what}" for found in self.assumptions]
        parts = [
            [f"{self.title}: {len(self.files):,} files"],
            [line for row in _records(self.files) for line in _lines_of_file(row)],
            checks,
            _lines_of_practices(self.practices),
            coverage if len(self.coverage) else [],
            ["A run will assume:", *assumed] if assumed else [],
            [_VERDICTS[self.status]],
        ]
        return [line for part in parts if part for line in (*part, "")][:-1]

    def to_dict(self) -> dict[str, Any]:
        """All of it in plain lists, numbers and text: what `check --json` prints (docs/check.md)."""
        return {
            "needsalloc": needsalloc.__version__,
            "format": FORMAT,
            "plan": self.title,
            "status": self.status,
            "exit_code": EXIT_CODES[self.status],
            "files": _records(self.files),
            "checks": _records(self.table),
            "practices": _records(self.practices),
            "coverage": _records(self.coverage),
            "assumptions": [asdict(found) for found in self.assumptions],
        }

    def __repr__(self) -> str:
        unread = int((self.files["status"] == "fail").sum())
        number = {
            kind: sum(check.status == kind for check in self.checks) for kind in ("pass", "warning", "fail")
        }
        read = f"{len(self.files) - unread:,} of {len(self.files):,} files read"
        return (
            f"<Reconciliation: {self.status}; {read}, {int(self.files['rows'].sum()):,} rows; "
            f"{number['pass']:,} checks hold, {number['warning']:,} warnings, {number['fail']:,} fail; "
            f"{len(self.assumptions):,} assumptions>"
        )

    def _repr_html_(self) -> str:
        return sentence_and_table(self, self.table)


def check_inputs(
    plan: Plan | str | Path, folder: str | Path | None = None, *, progress: Progress | None = None
) -> Reconciliation:
    """Read every file of a plan and hold them against each other and against what is published.

    No need and no posts are computed. A file that cannot be read is a row of its own, with its fault, and the
    others are reported all the same.

    plan: a plan, or the path of its file. folder: of its inputs; by default the plan file's own.

    Raises InputFileError or PlanError if the plan itself cannot be read, and if there is no such folder.
    """
    if not isinstance(plan, Plan):
        folder = Path(plan).parent if folder is None else folder
        plan = read_plan(plan)
    if folder is None or not Path(folder).is_dir():
        raise InputFileError(f"The data folder {folder} does not exist. Name the folder of the files.")
    say = progress or (lambda _: None)
    frames, rows = _read(plan, Path(folder), say)
    checks: list[Check] = []
    coverage = pd.DataFrame(columns=["group", "practices", "areas", "patients", "share"])
    assumptions: tuple[Assumption, ...] = ()
    if all(row["status"] != "fail" for row in rows):
        try:
            inputs = read_inputs(plan, folder, frames=frames)
            checks, coverage, assumptions = _together(inputs, say)
        except NeedsallocError as fault:
            checks = [_refused("The plan and its files together", fault)]
    if not assumptions:  # the files could not be put together: what can be said of them one by one
        checks += matching_checks(frames, days_of(plan, frames))
    files = pd.DataFrame(rows, columns=list(FIELDS))
    return Reconciliation(
        plan.plan.title, files, tuple(checks), unmatched_practices(frames), coverage, assumptions
    )


def _read(plan: Plan, folder: Path, say: Progress) -> tuple[dict[str, pd.DataFrame], list[dict[str, Any]]]:
    """The frames that could be read by role, and a row for each input and for a formula in a file."""
    frames, rows = {}, []
    for role, file in plan.inputs.files().items():
        say(f"reading {role}")
        try:
            frames[role] = read_role(folder, role, file)
        except NeedsallocError as fault:
            known = {} if isinstance(fault, PlanError) else _looks_like(folder, file)
            rows.append(about_file(role, file, status="fail", fault=str(fault), **known))
        else:
            rows.append(about_file(role, file, **described(role, file, frames[role])))
    if plan.need.formula not in published.NAMES:
        file = InputFile(path=plan.need.formula)
        try:
            formula, own = formula_of(plan, folder)
        except NeedsallocError as fault:
            rows.append(about_file("formula", file, status="fail", fault=str(fault)))
        else:
            own = own or {}
            known = {"rows": own.get("rows", 0), "sha256": own.get("sha256", "")}
            rows.append(about_file("formula", file, found=formula.name, **known))
    return frames, rows


def _looks_like(folder: Path, file: InputFile) -> dict[str, Any]:
    """What a file that its reader refused seems to be, if it is of any known layout."""
    reports = [inspect_file(folder / path) for path in file.paths]
    return {
        "found": " and ".join(dict.fromkeys(report.what for report in reports if report.kind)),
        "sha256": " ".join(report.sha256 for report in reports if report.sha256),
    }


def _together(inputs: Inputs, say: Progress) -> tuple[list[Check], pd.DataFrame, tuple[Assumption, ...]]:
    """Checks, coverage and assumptions of files that can all be put together."""
    whole_steps(inputs.plan.plan.total, inputs.plan.plan.step)
    catchment = catchment_of(inputs)
    if inputs.plan.need.base == "england":
        refuse_part_of_england(catchment)
    if "deprivation_before" in inputs.frames:
        scores_before(inputs, catchment)
    say("people of these areas and practices")
    people = people_of(inputs, catchment)
    teams, icb = teams_of(inputs, catchment).teams, inputs.plan.catchment.icb
    own = of_icb(teams, icb) if icb else teams.index
    lists = of_icb(catchment.teams, icb) if icb else None
    checks = [*input_checks(inputs, people), *_posts(inputs, own[teams.loc[own, "is_team"]])]
    return checks, catchment.coverage(lists), tuple(assumed(inputs, people))


def _posts(inputs: Inputs, teams: pd.Index) -> list[Check]:
    """The sheet of posts in place against the teams and the total of the plan."""
    if "current" not in inputs.frames:
        return [Check("Posts in place now", "note", "not given", "targets are shown, and no changes")]
    posts = in_place(inputs.frames["current"], teams).current
    missing, now, plan = int(posts.isna().sum()), float(posts.sum()), inputs.plan.plan
    return [
        Check(
            "Teams without a figure of posts now",
            "warning" if missing else "pass",
            f"{missing:,} of {len(teams):,}",
            "0",
        ),
        Check(
            "Posts in place now",
            "note",
            f"{now:,.1f} {plan.unit}",
            f"the plan shares {plan.total:,g} {plan.unit}",
        ),
    ]


def _refused(name: str, fault: NeedsallocError) -> Check:
    return Check(name, "fail", str(fault), "that a run takes them")


def _lines_of_file(row: Mapping[str, Any]) -> list[str]:
    """What one input is: its file, then what it was found to be, or its fault."""
    total = f"{row['total']:,.0f} {row['counted']}" if row["counted"] else ""
    said = "; ".join(filter(None, (row["found"], total, row["on"])))
    if row["status"] == "fail":
        said = f"seems to be {row['found']}" if row["found"] else ""
    lines = [f"{row['role']:{_WIDE}} {row['file']}: {row['rows']:,} rows", said, row["fault"]]
    return [lines[0], *(f"{'':{_WIDE}} {line}" for line in lines[1:] if line)]


def _lines_of_practices(practices: pd.DataFrame) -> list[str]:
    counted = practices.groupby("finding", sort=False)["registered"].agg(["size", "sum"])
    return [
        f"Practices {finding}: {number:,.0f}, with {patients:,.0f} registered patients"
        for finding, number, patients in counted.reset_index().itertuples(index=False)
    ]


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table in plain numbers and text, None where there is none."""
    plain = table.astype(object).where(table.notna(), None)
    return [
        {str(name): value.item() if hasattr(value, "item") else value for name, value in row.items()}
        for row in plain.to_dict("records")
    ]


__all__ = ["EXIT_CODES", "FORMAT", "Reconciliation", "check_inputs"]
