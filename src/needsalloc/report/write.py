"""The whole folder, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet

from needsalloc.errors import InputFileError, OutputError, first_few
from needsalloc.report import schema
from needsalloc.report.bundle import Bundle
from needsalloc.report.log import log
from needsalloc.report.provenance import PROVENANCE, provenance, read_provenance
from needsalloc.report.table_schema import SCHEMA, table_schema
from needsalloc.report.texts import documents
from needsalloc.spreadsheet import AS_TEXT, FORMULA_START
from needsalloc.whole import whole_folder
from needsalloc.withheld import disclose

Progress = Callable[[str], None]


def write(bundle: Bundle, folder: str | Path, *, progress: Progress | None = None) -> dict[str, Path]:
    """Write page, workbook, tables, maps, documents, log, provenance and plan of a run into a folder.

    The same bundle gives the same bytes, whoever writes it and whenever. The folder appears whole or not at
    all; one that is there already is replaced only when it is empty or holds nothing but an earlier report.

    Parameters
    ----------
    folder:
        Where to write. Its parents are made.
    progress:
        Called with a few words before each part.

    Returns
    -------
    Name within the folder ("index.html", "tables/need.csv", ...) -> where it is.

    Raises
    ------
    OutputError
        The folder holds other people's files or cannot be written, or a table has an undescribed column.
    DisclosureError
        The report is for the public and holds posts now of small teams.
    """
    say = progress or (lambda _: None)
    bundle = disclose(bundle)
    bundle = replace(bundle, texts=documents(bundle))  # of what is disclosed
    schema.dictionary(bundle)  # an undescribed column must fail before anything is written
    folder = Path(folder).resolve()
    with whole_folder(folder, before=_refuse_strangers) as draft:
        say("tables")
        for name in bundle.tables:
            _write_table(bundle.table(name), draft / "tables", name)
        _write_text(draft / "tables" / SCHEMA, table_schema(bundle))
        say("workbook")
        from needsalloc.report.workbook import write_workbook

        write_workbook(bundle, draft / "plan.xlsx")
        say("maps")
        from needsalloc.report.geo import write_geo

        write_geo(bundle, draft / "geo")
        say("page")
        from needsalloc.report.page import page
        from needsalloc.report.team_sheets import team_sheets

        _write_text(draft / "index.html", page(bundle))
        _write_text(draft / "teams.html", team_sheets(bundle))
        _write_text(draft / "log.md", log(bundle))
        for name, text in bundle.texts.items():
            _write_text(draft / f"{name}.md", text)
        _write_text(draft / "plan.toml", bundle.effective_plan)
        _write_text(draft / PROVENANCE, provenance(bundle, checksums(draft)))
        names = _files_in(draft)
    return {name: folder / name for name in names}


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _write_table(frame: pd.DataFrame, folder: Path, name: str) -> None:
    folder.mkdir(exist_ok=True)
    plain = frame.copy(deep=False)
    plain.attrs = {}
    table = pa.Table.from_pandas(plain, preserve_index=False).replace_schema_metadata(None)
    pa.parquet.write_table(table, folder / f"{name}.parquet", compression="zstd")
    for position, field in enumerate(table.schema):
        column = table.column(position)
        if pa.types.is_dictionary(field.type):
            column = column.cast(field.type.value_type)
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column = pa.compute.replace_substring_regex(column, FORMULA_START, AS_TEXT)
        table = table.set_column(position, field.name, column)
    pa.csv.write_csv(table, folder / f"{name}.csv", pa.csv.WriteOptions(quoting_style="needed"))


def checksums(folder: Path) -> dict[str, str]:
    """Name within the folder -> sha256, of every file but its provenance."""
    return {
        name: sha256((folder / name).read_bytes()).hexdigest()
        for name in _files_in(folder)
        if name != PROVENANCE
    }


def _files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


def _refuse_strangers(folder: Path) -> None:
    """Refuse a folder whose contents are not a report of ours, or not only that."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise OutputError(f"{folder} is a file, not a folder. Choose another output folder.")
    present = [name for name in _files_in(folder) if not Path(name).name.startswith((".", "~$"))]
    strangers = sorted(set(present) - _files_of_report(folder / PROVENANCE))
    if strangers:
        raise OutputError(
            f"{folder} holds {len(strangers):,} file(s) that needsalloc did not write: "
            f"{first_few(strangers)}. Move them away, or choose another output folder."
        )


def _files_of_report(path: Path) -> set[str]:
    try:
        return {PROVENANCE, *read_provenance(path).files}
    except InputFileError:
        return set()
