"""The verbs `sources` and `fetch` of the command."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from needsalloc.sources import fetch, registry

if TYPE_CHECKING:
    from argparse import ArgumentParser, _SubParsersAction


def add_source_verbs(verbs: _SubParsersAction[ArgumentParser]) -> None:
    """Add both verbs to the parser of the command."""
    known = verbs.add_parser(
        "sources", help="list the official files that can be fetched, and their releases"
    )
    known.add_argument(
        "--json", action="store_true", help="every file with all that is known, for other programs"
    )
    known.set_defaults(verb=_sources)

    fetched = verbs.add_parser(
        "fetch",
        help="fetch an official file, as it is published, and record its checksum",
        description="Nothing is fetched that is here. Checksums are in needsalloc.lock of the folder.",
    )
    fetched.add_argument("name", help="a name of `needsalloc sources`, or an input of a plan")
    fetched.add_argument("--release", help="such as 2026-04 (default: the newest that is listed)")
    fetched.add_argument("--to", type=Path, help="folder to fetch into (default: your cache)")
    fetched.add_argument(
        "--from",
        dest="from_",
        metavar="PLACE",
        help="folder in which it was saved, the saved file, a mirror, or the file's own https address",
    )
    fetched.set_defaults(verb=_fetch)


def _sources(options: argparse.Namespace) -> int:
    table = registry()
    if options.json:
        print(table.to_json(orient="records", indent=2, force_ascii=False))
        return 0
    from rich.console import Console
    from rich.table import Table

    shown = Table(title="Official files that needsalloc fetch gets", show_lines=True)
    for label in ("Name", "What", "Publisher", "Releases"):
        shown.add_column(label, overflow="fold")
    for name, files in table.groupby("name", sort=False):
        first = files.iloc[0]
        releases = ", ".join(dict.fromkeys(files["release"]))
        shown.add_row(str(name), first["title"], first["publisher"], releases)
    Console(highlight=False, markup=False).print(shown)
    print("Addresses, licences, and the line that acknowledges each: needsalloc sources --json")
    return 0


def _fetch(options: argparse.Namespace) -> int:
    from rich.console import Console

    from needsalloc.plan_sections import InputsSection

    with Console(stderr=True).status("starting") as status:
        found = fetch(
            options.name,
            release=options.release,
            to=options.to,
            from_=options.from_,
            progress=lambda step: status.update(f"{step} …"),
        )
    print(f"{found.name}, release {found.release}: {'here, unchanged' if found.was_there else 'fetched'}")
    for path, sha256 in zip(found.paths, found.sha256, strict=True):
        print(f"File      {path}\nsha256    {sha256}")
    if found.name in InputsSection.model_fields:
        print(f"Plan      {found.line}\n          (run with --data {found.folder})")
    print(f"Licence   {found.attribution}")
    return 0


__all__ = ["add_source_verbs"]
