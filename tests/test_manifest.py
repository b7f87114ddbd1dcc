"""Every file of the shared data is read by its reader, with the totals that MANIFEST.csv states for it."""

from __future__ import annotations

import csv
import hashlib
import os
import re
import zipfile
from datetime import date
from functools import lru_cache
from pathlib import Path

import pandas as pd
import pytest

from needsalloc import sources
from needsalloc.sources import QualityReport, inspect_file

# The file's end of its path -> why there is no reader.
WITHOUT = {"boundaries_icb22.parquet": "an ICB is drawn of its areas, whose boundaries are read"}
# What each total of a report is called in a check of the manifest.
CHECKS = {
    "patients": r"sum NUMBER_OF_PATIENTS ([\d,]+)|\d practices, ([\d,]+) patients",
    "practices": r"([\d,]+) practices",
    "conditions": r"(\d+) conditions",
    "people on whole lists": r"all-age list ([\d,]+)",
    "registered": r"sum Number of Registered Patients \(Last Known Figure\) ([\d,]+)",
    "weighted": r"sum Number of Weighted Patients \(Last Known Figure\) ([\d,]+)",
    "population": r"sum (?:pop 2022/23|Population) ([\d,]+)",
    "community": r"sum CS WP ([\d,]+)",
    "core": r"sum Final WP ([\d,]+)",
}
_FOLDER = os.environ.get("NEEDSALLOC_DATA", "")


def manifest() -> list[dict[str, str]]:
    path = Path(_FOLDER) / "MANIFEST.csv"
    if not _FOLDER or not path.is_file():
        return []
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


ROWS = manifest()


@lru_cache
def inspected(path: Path) -> QualityReport:
    pytest.importorskip("openpyxl")
    pytest.importorskip("geopandas")
    return inspect_file(path)


def stated(pattern: str, checks: str) -> int | None:
    found = re.search(pattern, checks)
    return int(next(group for group in found.groups() if group).replace(",", "")) if found else None


@pytest.fixture
def frame_of(real_data: Path):
    def read(name: str) -> pd.DataFrame:
        path = next(real_data.glob(f"*/{name}"))
        report = inspected(path)
        assert report.reader is not None
        return getattr(sources, report.reader)(path)

    return read


def test_every_file_has_a_row(real_data: Path) -> None:
    listed = {row["file"] for row in ROWS}
    assert listed == {path.relative_to(real_data).as_posix() for path in real_data.glob("*/*")}
    assert len(listed) == 31


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=[row["file"] for row in ROWS])
def test_each_file_is_told_read_and_adds_up_to_the_manifest(real_data: Path, row: dict[str, str]) -> None:
    path = real_data / row["file"]
    report = inspected(path)
    assert report.sha256 == row["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    if path.name in WITHOUT:
        assert not report.ok
        return
    assert report.ok, report.errors
    assert report.rows == int(row["rows"])
    for name, pattern in CHECKS.items():
        expected = stated(pattern, row["checks"])
        if name in report.totals and expected is not None and report.kind != "pcn_partners":
            assert report.totals[name] == pytest.approx(expected, abs=0.5), name  # printed to whole people


def test_the_manifest_states_totals_that_are_compared() -> None:
    if ROWS:
        assert (
            sum(stated(pattern, row["checks"]) is not None for row in ROWS for pattern in CHECKS.values())
            >= 31
        )


@pytest.mark.slow
def test_what_only_the_frames_say(frame_of) -> None:
    """The checks of the manifest that are no total of a report."""
    assert frame_of("PREVALENCE_2122.csv.gz").query("condition == 'DEM'")["register"].sum() == 443_902
    assert frame_of("PREVALENCE_2425.csv.gz").query("condition == 'DEM'")["register"].sum() == 498_887
    assert frame_of("ePCN_2023-02.xlsx")["pcn"].nunique() == 1_264, "PCNs that are open"
    bands = frame_of("gp-reg-pat-prac-quin-age_2026-07.zip")
    assert (bands.to_numpy().sum(), bands.index.get_level_values("practice").nunique()) == (63_436_508, 6_139)
    lists = frame_of("single_age_sex_practice_2026-04.csv.gz")
    over = [lists.loc[:, age:].to_numpy().sum() for age in (0, 65, 85)]
    assert over == [63_673_685, 11_672_634, 1_543_560]
    people = frame_of("population20_lsoa11.csv.gz")
    assert [people.to_numpy().sum(), people.loc[:, 65:].to_numpy().sum()] == [56_550_138, 10_464_019]
    census = frame_of("census21_lsoa21_age6.csv.gz")
    assert census.to_numpy().sum() + census.attrs["left_out"]["Wales"] == 59_597_114
    for name, low, high in (("imd2019_lsoa11", 0.541, 92.735), ("imd2025_england_lsoa21", 0.165, 94.223)):
        scores = frame_of(f"{name}.csv.gz")["imd_score"]
        assert (scores.min(), scores.max()) == (low, high)
    places = {
        "lookup_lsoa11_sicbl22_icb22_ltla22": {
            "sub_icb": 106,
            "sub_icb_ons": 106,
            "icb": 42,
            "district": 309,
        },
        "lookup_lsoa21_icb24": {"sub_icb": 106, "icb": 42, "icb_ons": 42},
    }
    for name, numbers in places.items():
        frame = frame_of(f"{name}.csv.gz")
        assert {body: frame[body].nunique() for body in numbers} == numbers
    # The ward lookup is of England and Wales; 318 districts of both are 296 in England.
    assert frame_of("lookup_lsoa21_ward24_ltla24.csv.gz")["district"].nunique() == 296
    for name, codes in (("ruc11_lsoa11", 8), ("ruc21_lsoa21", 6)):
        assert frame_of(f"{name}.csv.gz")["code"].nunique() == codes
    shares = frame_of("trust_msoa_proportions.csv.gz")
    assert shares.groupby("msoa")["share"].sum().mean() == pytest.approx(0.977, abs=0.0005), "the README says"
    lookup = frame_of("lookup_lsoa11_lsoa21_ltla22.csv.gz")
    assert (lookup["lsoa11"].nunique(), lookup["lsoa21"].nunique(), lookup["change"].nunique()) == (
        34_753,
        35_672,
        4,
    )


@pytest.mark.slow
def test_money_and_staff_in_place(frame_of) -> None:
    """Against the sums of the raw columns, taken here without a reader."""
    paid = frame_of("nhspayments_gp_22-23.csv.gz")
    path = next(Path(_FOLDER).glob("*/nhspayments_gp_22-23.csv.gz"))
    raw = pd.read_csv(path, dtype={"Practice Code": str})
    whole = "Total NHS Payments including PCN Workforce, Leadership and Support"
    assert paid["all_payments"].sum() == pytest.approx(raw[whole].sum(), abs=0.01)
    teams = sources.payments_by_team(paid)
    in_pcn = raw["Code"].str.fullmatch(r"U\d{5}")
    assert len(teams) == raw.loc[in_pcn, "Code"].nunique() == 1_272
    assert teams["current"].sum() == pytest.approx(
        raw.loc[in_pcn, whole].sum(), abs=1
    )  # pence of 1,272 teams
    assert teams.attrs["left_out"].popitem()[1] == pytest.approx(raw.loc[~in_pcn, whole].sum(), abs=0.01)
    staff = frame_of("PCNWFIndividualCSV_2026-06.zip")
    path = next(Path(_FOLDER).glob("*/PCNWFIndividualCSV_2026-06.zip"))
    assert (staff["records"].sum(), staff["pcn"].nunique()) == (39_940, 1_271)
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".csv"))
        records = pd.read_csv(archive.open(name), encoding="utf-8-sig")
    assert staff["fte"].sum() == pytest.approx(records["FTE"].sum(), rel=1e-12)
    nurses = sources.workforce_by_team(staff, ["Other Nurses"])
    expected = records.loc[records["STAFF_GROUP"] == "Other Nurses"].groupby("PCN_CODE")["FTE"].sum()
    found = nurses.set_index("team")["current"]
    pd.testing.assert_series_equal(
        found[found > 0], expected.round(6), check_names=False, check_dtype=False, rtol=0, atol=2e-6
    )


def test_links_and_map_of_a_year_before_agree(frame_of) -> None:
    """The ePCN workbook on 1 January 2022 and the map published for that day: the same PCNs."""
    path = next(Path(_FOLDER).glob("*/ePCN_2023-02.xlsx"))
    links = sources.read_pcn_partners(path, on=date(2022, 1, 1)).set_index("practice")["pcn"]
    mapped = frame_of("gp-reg-pat-prac-map_2022-01.csv.gz").set_index("practice")["pcn"]
    both = links.index.intersection(mapped.index[mapped != "U"])
    assert len(both) > 6_400
    # Two sources of one fact: 4 of 6,453 practices are in another PCN.
    assert (links[both] != mapped[both]).sum() == 4
