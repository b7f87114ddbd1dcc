"""The registry of official files: complete, consistent with the readers, and honest about what it knows."""

from urllib.parse import unquote, urlsplit

import pytest

import needsalloc
from needsalloc import sources
from needsalloc.errors import UnknownCodeError
from needsalloc.plan import InputsSection
from needsalloc.sources._kinds import kind_of
from needsalloc.sources.registry import files_of, find_series, newest, registry, releases

# The planner's own inputs, and one that its publisher lays out as a workbook.
NOT_OFFICIAL = {"by_team", "contacts", "counts", "current", "growth", "inequalities", "previous", "shares"}
NOT_OFFICIAL |= {"population_before"}
KIND = {"wards": "area_membership", "icbs": "area_membership"}


@pytest.fixture(scope="module")
def table():
    return registry()


def test_each_file_is_described_throughout(table):
    may_be_empty = {"part", "vintage", "member", "columns", "reader"}
    assert not (table.drop(columns=list(may_be_empty)) == "").any(axis=None)
    assert not table.duplicated(["name", "release", "part"]).any()
    assert not table["address"].duplicated().any()


def test_addresses_are_of_their_publishers(table):
    hosts = {
        "files.digital.nhs.uk",
        "assets.publishing.service.gov.uk",
        "www.ons.gov.uk",
        "services1.arcgis.com",
        "www.nomisweb.co.uk",
        "raw.githubusercontent.com",
    }
    parts = table["address"].map(urlsplit)
    assert set(parts.map(lambda part: part.scheme)) == {"https"}
    assert set(parts.map(lambda part: part.hostname)) == hosts
    portal = parts[parts.map(lambda part: part.hostname) == "services1.arcgis.com"]
    assert portal.map(lambda part: part.path.startswith("/ESMARspQHYMw9BZ9/")).all()  # the ONS's own number


def test_a_file_has_the_name_that_its_address_ends_in(table):
    files = table[table["kind"] == "file"]
    assert (files["file"] == files["address"].map(lambda address: unquote(address.rsplit("/", 1)[1]))).all()
    layers = table[table["kind"] == "features"]
    assert (
        layers["file"].map(lambda file: file.rsplit(".", 1)[0]) == layers["address"].str.split("/").str[-3]
    ).all()
    assert set(table["kind"]) == {"file", "features"}


def test_every_file_is_found_by_its_own_pattern(table):
    """What is saved from the landing page by hand is recognised by the same rule."""
    from importlib import import_module

    is_of = import_module("needsalloc.sources.fetch")._is_of
    for name, release in table[["name", "release"]].drop_duplicates().itertuples(index=False):
        for file in files_of(name, release):
            nameless = type(file)(file.series, file.release, file.part, file.kind, "", file.address)
            assert is_of(nameless, file.file), file.file


def test_a_released_file_says_its_own_month(table):
    """Where a file is dated by its name, the release is the month in it."""
    months = {"Jan": "01", "Apr": "04", "Jul": "07", "July": "07", "Oct": "10"}
    dated = table.query("name == 'registrations' and dated_by == 'file name'")
    said = dated["file"].str.extract(r"-([A-Z][a-z]+)-(\d\d)\.zip$")
    assert ("20" + said[1] + "-" + said[0].map(months) == dated["release"]).all()
    # The release of October 2025 announced that later ones are on LSOA 2021 alone.
    assert (dated.loc[dated["release"] >= "2025-10", "vintage"] == "LSOA 2021").all()


def test_the_columns_are_those_by_which_the_readers_tell_a_file(table):
    for row in table.drop_duplicates("name").itertuples():
        if not row.columns:
            continue
        header = [column.split("|")[0] for column in row.columns.split()]
        if row.name in ("wards", "icbs"):
            header.append({"wards": "WD24CD", "icbs": "ICB24CD"}[row.name])
        if row.name == "boundaries":
            continue
        assert kind_of(header).key == KIND.get(row.name, row.name)


def test_every_reader_is_there(table):
    for reader in {*table["reader"]} - {""}:
        assert callable(getattr(sources, reader))
    # A workbook has no header that is looked at from outside.
    assert (table["reader"] == "").equals(table["columns"] == "")


def test_every_official_input_of_a_plan_is_in_it():
    for role in InputsSection.model_fields:
        if role in NOT_OFFICIAL:
            with pytest.raises(UnknownCodeError, match="no official file"):
                find_series(role)
        else:
            assert files_of(role, newest(role)), role


def test_an_edition_before_is_the_older_one():
    assert (newest("deprivation"), newest("deprivation_before")) == ("2025", "2019")
    assert find_series("deprivation_before") is find_series("deprivation")
    assert releases("lookup")[-1] == newest("lookup") == "2022-12-v3"


def test_the_registry_fetches_nothing(monkeypatch):
    import socket

    monkeypatch.setattr(socket, "socket", None)
    assert len(registry()) > 30
    assert needsalloc.sources.registry is registry
