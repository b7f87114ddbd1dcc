"""The command: verbs over plans. Exit codes: 0 done, 1 done with warnings (`check`), 2 not done."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from needsalloc import __version__, read_membership, synthetic, write_template
from needsalloc.cli_sources import add_source_verbs
from needsalloc.errors import NeedsallocError, OutputError, PlanError, first_few
from needsalloc.whole import whole_file, whole_folder

if TYPE_CHECKING:
    from needsalloc.inputs import Progress
    from needsalloc.plan import Plan
    from needsalloc.report.provenance import Provenance
    from needsalloc.run import Result

DEMO_PLAN = """\
[plan]
title = "District nursing in a made-up ICB"
total = {total}
step = 0.5

[inputs]
registrations = "gp-reg-pat-prac-lsoa-all.csv"
membership = "gp-reg-pat-prac-map.csv"
population = "population.csv"
deprivation = {{ path = "imd-file-7.csv", edition = "synthetic" }}
lists = "gp-reg-pat-prac-sing-age.csv"
conditions = "PREVALENCE.csv"
current = "current.csv"
boundaries = "boundaries.parquet"

[need]
base = "icb"

# Staff stay where they are until they leave; posts that fall vacant go where need is.
[pace]
years = 3
moves = "vacancies"
turnover = 0.1
source = "made up, like everything here"

[[options]]
name = "The formula as printed"
why = "The paper's count table taken as it stands, which its own text speaks against"
need = {{ formula = "district-nursing/liverpool-2024-as-printed" }}

[[options]]
name = "Nobody loses over 5 %"
why = "Teams keep at least 95 % of the posts that they have"
[[options.allocate.limits]]
name = "at least 95 % of posts now"
kind = "minimum"
value = 0.95
basis = "share of current"
reason = "no team should be unsettled in one year"
owner = "made up"

[report]
out = "report"
"""
_SHOWN_TEAMS = 12


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the console script ends with what this returns."""
    options = _parser().parse_args(arguments)
    # A file on Windows may have an encoding without the minus sign; a "?" is better than no answer.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        code = int(options.verb(options))
        sys.stdout.flush()
        return code
    except NeedsallocError as error:
        print(f"needsalloc: {error}", file=sys.stderr)
    except ModuleNotFoundError as error:
        print(
            f'needsalloc: {error.name} is not installed. Run: pip install "needsalloc[all]".', file=sys.stderr
        )
    except BrokenPipeError:
        # Whoever reads the output has seen enough; Python must not try to write the rest when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print("needsalloc: stopped; nothing was written.", file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="needsalloc",
        description="Share community nursing posts between NHS neighbourhoods in proportion to need.",
    )
    parser.add_argument("--version", action="version", version=f"needsalloc {__version__}")
    verbs = parser.add_subparsers(required=True, metavar="verb")

    demo = verbs.add_parser("demo", help="make up an ICB, plan for it, and write the finished folder")
    demo.add_argument(
        "--out", type=Path, default=Path("needsalloc-demo"), help="folder to write (default: needsalloc-demo)"
    )
    demo.add_argument("--seed", type=int, default=1, help="another seed makes up another ICB (default: 1)")
    demo.set_defaults(verb=_demo)

    run = verbs.add_parser(
        "run", help="run a plan file and write its folder, or repeat a report from its provenance.json"
    )
    _add_plan(run)
    run.add_argument("--out", type=Path, help="folder to write (default: where the plan says)")
    run.set_defaults(verb=_run)

    check = verbs.add_parser(
        "check",
        help="read the files of a plan, run nothing, and say what they are and whether they fit each other",
        description="Ends with 0 if nothing is odd, 1 if something should be looked at first, "
        "2 if a run would be refused.",
    )
    _add_plan(check)
    check.add_argument("--json", action="store_true", help="print it for another program (docs/check.md)")
    check.set_defaults(verb=_check)

    template = verbs.add_parser("template", help="write the sheet of posts in place that a planner fills in")
    template.add_argument("sheet", type=Path, help="file to write, .xlsx or .csv")
    template.add_argument(
        "--map", type=Path, help="practice map, for a row for each PCN (gp-reg-pat-prac-map.csv)"
    )
    template.add_argument("--icb", help="only the PCNs of this ICB, such as QHM")
    template.set_defaults(verb=_template)
    add_source_verbs(verbs)
    return parser


def _add_plan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("plan", type=Path, help="plan file (.toml), or the provenance.json of a report")
    parser.add_argument(
        "--data", type=Path, help="folder of the input files (default: the plan's own folder)"
    )


def _demo(options: argparse.Namespace) -> int:
    from needsalloc.plan import read_plan

    data, plan = options.out / "data", options.out / "plan.toml"
    england = synthetic.england(seed=options.seed)
    text = DEMO_PLAN.format(total=round(float(england.current["current"].sum()), 0))
    _refuse_own_files(data, plan)
    # The plan comes first: by it the next demo knows that what a killed one has left is a demo's.
    with whole_file(plan) as draft:
        draft.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text, encoding="utf-8")
    with whole_folder(data) as draft:
        england.write(draft, boundaries=True)
        _refuse_strangers(data, draft)
    return _run_and_write(read_plan(plan), data, options.out / "report")


def _refuse_own_files(data: Path, plan: Path) -> None:
    """The demo takes the place of an earlier demo, and of nothing else."""
    after_total = DEMO_PLAN.format(total=0).partition("step")[2]
    is_demo = plan.is_file() and plan.read_text(errors="replace").partition("step")[2] == after_total
    if (plan.exists() or data.exists()) and not is_demo:
        raise OutputError(
            f"{plan.parent} holds a plan or data that are not the demo's. Choose another folder with --out."
        )


def _refuse_strangers(data: Path, draft: Path) -> None:
    """Refuse to replace data that hold more than the demo's files."""
    files = {path.name for path in draft.iterdir()}
    strangers = (
        sorted(path.name for path in data.iterdir() if path.name not in files) if data.exists() else []
    )
    if strangers:
        raise OutputError(
            f"{data} holds {len(strangers):,} files that are not the demo's: {first_few(strangers)}. "
            "Move them away, or choose another folder with --out."
        )


def _run(options: argparse.Namespace) -> int:
    from needsalloc.plan import read_plan
    from needsalloc.report.provenance import PROVENANCE, read_provenance

    plan = read_plan(options.plan)
    is_report = options.plan.suffix.lower() == ".json"
    earlier = read_provenance(options.plan) if is_report else None  # its folder may be written anew
    out = options.out or Path(plan.report.out)
    code = _run_and_write(plan, options.data or options.plan.parent, out)
    if earlier is not None:
        print(_compared(earlier, read_provenance(out / PROVENANCE)))
    return code


def _compared(earlier: Provenance, now: Provenance) -> str:
    """Whether a repeated run gave the same files, and if not, which differ and with what software."""
    differing = earlier.differing(now.files)
    if not differing:
        return f"Same      all {len(now.files):,} files are those of the earlier run, byte for byte"
    other = [
        f"{name} {earlier.software.get(name, 'none')} then, {now.software.get(name, 'none')} now"
        for name in {**earlier.software, **now.software}
        if earlier.software.get(name) != now.software.get(name)
    ]
    return (
        f"Differs   {len(differing):,} of {len(now.files):,} files: {first_few(differing)} "
        f"({'; '.join(other) or 'with the same software'})"
    )


def _run_and_write(plan: Plan, data: Path, out: Path) -> int:
    from needsalloc.run import run_plan

    with _progress() as say:
        result = run_plan(plan, data, progress=say)
        paths = result.write(out, progress=say)
    _show(result)
    print(
        f"\nPage      {paths['index.html']}\nWorkbook  {paths['plan.xlsx']}\n"
        f"Tables    {paths['tables/need.csv'].parent}\nLog       {paths['log.md']}"
    )
    return 0


def _show(result: Result) -> None:
    """The headline sentences and a short table of teams."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from needsalloc.report import schema

    bundle = result.bundle
    console = Console(highlight=False, markup=False)
    for warning in bundle.warnings:
        console.print(f"! {warning}", style="bold")
    for sentence in bundle.sentences[:3]:
        console.print(sentence)
    names = {
        "team": "Team",
        "team_name": "Name",
        f"{bundle.people}_adults": "Adults",
        bundle.need_index: "Need",
        "target": "Target",
        "posts": "Plan",
    }
    names |= {"current": "Now", "change": "Change"} if bundle.has_current else {"per_head": "Per head"}
    described = schema.columns(bundle, "allocation")
    table = Table(
        title=Text(f"{bundle.title} ({bundle.status}): {bundle.unit}, need of {bundle.base_name} = 1")
    )
    for name, label in names.items():
        table.add_column(label, justify="left" if described[name].form == "text" else "right")
    for row in bundle.allocation[list(names)].head(_SHOWN_TEAMS).itertuples(index=False):
        table.add_row(*(Text(described[name].show(value)) for name, value in zip(names, row, strict=True)))
    console.print(table)
    if len(bundle.allocation) > _SHOWN_TEAMS:
        console.print(f"and {len(bundle.allocation) - _SHOWN_TEAMS:,} more in the workbook")
    held, warned, noted = (
        sum(check.status == status for check in bundle.checks) for status in ("pass", "warning", "note")
    )
    console.print(f"Checks: {held:,} hold, {warned:,} warn; notes: {noted:,}. All are in the log")


def _check(options: argparse.Namespace) -> int:
    from needsalloc.check import EXIT_CODES, check_inputs

    with _progress() as say:
        found = check_inputs(options.plan, options.data or options.plan.parent, progress=say)
    if options.json:
        print(json.dumps(found.to_dict(), ensure_ascii=False, allow_nan=False, indent=1))
    else:
        print("\n".join(found.lines()))
    return EXIT_CODES[found.status]


def _template(options: argparse.Namespace) -> int:
    from needsalloc.teams import practices_in

    if options.map is None:
        if options.icb:
            raise PlanError("--icb needs the practice map, to find its PCNs. Give it with --map.")
        print(write_template(options.sheet, []))
        return 0
    teams = read_membership(options.map)
    if options.icb:
        practices_in(teams, "icb", options.icb)
        # The map has no patients, so a PCN across a border goes where most of its practices are.
        main_icb = teams.groupby("pcn")["icb"].agg(lambda icbs: icbs.mode().iloc[0])
        teams = teams[teams["pcn"].map(main_icb) == options.icb]
    print(write_template(options.sheet, teams))
    return 0


@contextmanager
def _progress() -> Iterator[Progress]:
    """A line on the terminal that says what is being done; nothing where the output is a file."""
    from rich.console import Console

    console = Console(stderr=True)
    with console.status("starting") as status:
        yield lambda step: status.update(f"{step} …")


if __name__ == "__main__":
    sys.exit(main())
