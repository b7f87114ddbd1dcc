"""Official files fetched from servers that misbehave: whole and as recorded, or not there at all."""

import errno
import hashlib
import importlib
import io
import itertools
import json
import sys
import threading
import time
import tomllib
import tracemalloc
import zipfile
from dataclasses import replace

import pandas as pd
import pytest

from kills import failing, killed
from misbehaving import serving
from needsalloc import sources
from needsalloc.errors import FetchError, OutputError, UnknownCodeError
from needsalloc.sources._download import Limits, download
from needsalloc.sources.fetch import fetch
from plan_folders import PLAN, command, england

pytestmark = pytest.mark.slow

fetching = importlib.import_module("needsalloc.sources.fetch")  # the function has the module's name

RELEASE, NAME = "2026-04", "gp-reg-pat-prac-lsoa-male-female-Apr-26.zip"
PLACE = f"registrations/{RELEASE}/{NAME}"
HURRY = Limits(connect=1.0, read=0.4, total=2.0, attempts=3, pause=0.01, stored=300_000)


def csv_of(rows=400, date="01Apr2026"):
    head = "PUBLICATION,EXTRACT_DATE,PRACTICE_CODE,PRACTICE_NAME,LSOA_CODE,SEX,NUMBER_OF_PATIENTS\n"
    lines = (f"GP_PRAC_PAT_LIST,{date},A{i:05},PRACTICE {i * i},E0100{i:04},ALL,{i}\n" for i in range(rows))
    return head + "".join(lines)


def zipped(**members):
    """A zip whose members are given by name, with - for _ and .csv after it; stored, not packed."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in members.items():
            archive.writestr(zipfile.ZipInfo(f"{name.replace('_', '-')}.csv"), text)
    return packed.getvalue()


GOOD = zipped(gp_reg_pat_prac_lsoa_all=csv_of(), gp_reg_pat_prac_lsoa_male="", gp_reg_pat_prac_lsoa_female="")


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(fetching, "LIMITS", HURRY)
    with serving() as running:
        running.body = GOOD
        yield running


def ask(server, way, to, **options):
    return fetch(
        "registrations", **{"release": RELEASE, "to": to, "from_": f"{server.address}/{way}", **options}
    )


def files_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def recorded(folder):
    return tomllib.loads((folder / "needsalloc.lock").read_text(encoding="utf-8"))


WELL = {  # the way of the server -> how often it is asked
    "good": 1,
    "chunks": 1,
    "packed": 1,
    "redirects": 1,
    "drops": 2,
    "drops-without-range": 2,
    "changes-between": 2,
    "sends-another-part": 3,
    "sends-a-shorter-part": 3,
    "refuses-the-part": 3,
    "500-once": 2,
    "503-once": 2,
}


@pytest.mark.parametrize(("way", "asked"), WELL.items())
def test_a_server_that_can_be_put_up_with(server, tmp_path, way, asked):
    found = ask(server, way, tmp_path)
    assert found.paths[0].read_bytes() == GOOD
    assert found.paths == (tmp_path / PLACE,)
    assert found.sha256 == (hashlib.sha256(GOOD).hexdigest(),)
    assert not found.was_there
    assert files_in(tmp_path) == ["needsalloc.lock", PLACE]
    assert sum(path.startswith(f"/{way}/") for path, _ in server.asked) == asked


def test_a_broken_download_goes_on_where_it_broke(server, tmp_path):
    ask(server, "drops", tmp_path)
    assert [part for _, part in server.asked] == [None, f"bytes={len(GOOD) // 2}-"]


BADLY = {
    "always-drops": "could not be fetched whole.*Try again later",
    "part-of-its-own": "another part than the one asked for",
    "says-too-little": "damaged archive.*Nothing was kept",
    "no-length": "does not say how long",
    "broken-chunks": "could not be fetched whole",
    "endless": "larger than 0 MB",
    "huge": "larger than 0 MB",
    "drip": "took longer than 2 seconds|could not be fetched whole",
    "hangs": "could not be fetched whole",
    "hangs-up": "could not be fetched whole",
    "no-http": "could not be fetched whole",
    "empty": "is empty.*Nothing was kept",
    "bomb": "larger than 0 MB",
    "packed-and-cut": "could not be fetched whole: what came is packed and was cut",
    "packed-and-damaged": "could not be fetched whole: what came is packed and damaged",
    "unknown-packing": "packed in a way",
    "page": "shows a web page.*patients-registered-at-a-gp-practice.*January, April, July or October.*--from",
    "disguised-page": "is a web page.*Nothing was kept.*patients-registered",
    "loops": "more than 5 other addresses",
    "leads-away": "no https address",
    "leads-to-a-file": "no https address",
    "always-500": "answers 500.*Try again later",
    "404": "nothing at .* any more .*404.*Nothing was kept. Look on https://digital.nhs.uk.*--from",
    "410": "nothing at .* any more",
    "403": "may not be read from here.*browser",
    "418": "answers 418",
}


@pytest.mark.parametrize(("way", "said"), BADLY.items())
def test_a_server_that_cannot(server, tmp_path, way, said):
    started = time.monotonic()
    with pytest.raises(FetchError, match=f"(?s){said}"):
        ask(server, way, tmp_path)
    assert time.monotonic() - started < HURRY.total + 3 * HURRY.read + 1
    assert files_in(tmp_path) == []
    # The fault leaves nothing behind that a good server would be held to.
    assert ask(server, "good", tmp_path).paths[0].read_bytes() == GOOD


def test_a_bomb_is_never_held_in_memory(server, tmp_path):
    tracemalloc.start()
    try:
        with pytest.raises(FetchError, match="larger than"):
            ask(server, "bomb", tmp_path)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 5_000_000  # it unpacks to 50,000,000 from one block


def test_nobody_listens(tmp_path, server):
    server.shutdown()
    server.server_close()
    with pytest.raises(FetchError, match="could not be fetched whole: Failed to establish a new connection"):
        ask(server, "good", tmp_path)


@pytest.mark.parametrize(
    "address",
    ["http://www.example.org/mirror", "http://127.0.0.1.example.org/", "https://[", "http://", "https:///x"],
)
def test_only_https_and_this_computer(address, tmp_path):
    with pytest.raises(FetchError, match="no https address"):
        fetch("registrations", release=RELEASE, to=tmp_path, from_=address)


def test_the_registry_may_not_name_http(tmp_path):
    with pytest.raises(FetchError, match="no https address"):
        download("http://127.0.0.1:9/x", io.BytesIO(), limits=HURRY)


def test_what_speaks_no_tls_is_not_reached(server, tmp_path):
    secure = server.address.replace("http://", "https://")
    with pytest.raises(FetchError, match="cannot be reached from this computer"):
        fetch("registrations", release=RELEASE, to=tmp_path, from_=f"{secure}/good")


def test_through_the_proxy_of_the_environment(server, tmp_path, monkeypatch):
    for name in ("no_proxy", "NO_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", server.address.replace("//", "//ann:s%20t@"))
    with pytest.raises(FetchError, match="set https_proxy"):
        fetch("registrations", release=RELEASE, to=tmp_path)
    assert server.asked == [("files.digital.nhs.uk:443", "Basic YW5uOnMgdA==")]  # ann:s t


def test_second_time_nothing_is_asked(server, tmp_path):
    ask(server, "good", tmp_path)
    server.asked.clear()
    again = ask(server, "404", tmp_path)
    assert again.was_there
    assert server.asked == []
    assert recorded(tmp_path)[f"registrations/{RELEASE}"] == {
        "file": NAME,
        "sha256": hashlib.sha256(GOOD).hexdigest(),
        "bytes": len(GOOD),
        "origin": f"{server.address}/good/{PLACE}",
        "first": time.strftime("%Y-%m-%d"),
    }


def test_a_file_that_changed_at_its_publisher_is_refused(server, tmp_path):
    first = ask(server, "good", tmp_path)
    first.paths[0].unlink()
    server.body = zipped(gp_reg_pat_prac_lsoa_all=csv_of(401))
    other = hashlib.sha256(server.body).hexdigest()
    with pytest.raises(
        FetchError, match=f"is {other}, recorded is {first.sha256[0]}.*take the section"
    ) as told:
        ask(server, "good", tmp_path)
    assert files_in(tmp_path) == ["needsalloc.lock"]
    # As the message says: without its section, the new file is the first.
    assert f'["registrations/{RELEASE}"]' in str(told.value)
    (tmp_path / "needsalloc.lock").write_text("", encoding="utf-8")
    assert ask(server, "good", tmp_path).sha256 == (other,)


def test_a_file_changed_in_its_place_is_refused_and_left(server, tmp_path):
    ask(server, "good", tmp_path)
    place = tmp_path / PLACE
    place.write_bytes(GOOD[:-1] + b"!")
    with pytest.raises(FetchError, match="Take the file away and fetch it again"):
        ask(server, "good", tmp_path)
    assert place.read_bytes() == GOOD[:-1] + b"!"
    place.unlink()
    assert ask(server, "good", tmp_path).paths[0].read_bytes() == GOOD


def test_a_file_put_in_its_place_by_hand_is_looked_at_and_recorded(server, tmp_path):
    (tmp_path / PLACE).parent.mkdir(parents=True)
    (tmp_path / PLACE).write_bytes(b"not a zip")
    with pytest.raises(FetchError, match="archive"):
        ask(server, "good", tmp_path)
    (tmp_path / PLACE).write_bytes(GOOD)
    assert ask(server, "404", tmp_path).was_there
    assert recorded(tmp_path)[f"registrations/{RELEASE}"]["origin"] == "found in the folder"


@pytest.mark.parametrize(
    "text",
    [
        "not toml [",
        "a = 1",
        '["registrations/2026-04"]\nfile = "x"',
        f'["registrations/{RELEASE}"]\nfile = "../../x"\nsha256 = ""\nbytes = 1\norigin = ""\nfirst = ""',
        "\0",
        "[" * 100_000,
    ],
)
def test_a_damaged_lock_file_stops_everything(server, tmp_path, text):
    (tmp_path / "needsalloc.lock").write_text(text, encoding="utf-8")
    with pytest.raises(FetchError, match=r"needsalloc\.lock"):
        ask(server, "good", tmp_path)
    assert server.asked == []


SHAPES = {
    "another-file": (zipped(gp_reg_pat_prac_map="PRACTICE_CODE\n"), "holds 0 files called"),
    "two": (zipped(a_lsoa_all="x\n", b_lsoa_all="x\n"), "holds 2 files called"),
    "other-columns": (
        zipped(x_lsoa_all="PRACTICE_CODE,LSOA_CODE\nA,B\n"),
        "lacks 1 columns.*NUMBER_OF_PATIENTS",
    ),
    "no-rows": (zipped(x_lsoa_all=""), "lacks 3 columns.*It has none"),
    "another-month": (zipped(x_lsoa_all=csv_of(date="01-Jan-26")), "it is release 2026-01, not 2026-04"),
    "cut": (GOOD[:-50], "damaged archive"),
    "bit-flipped": (GOOD.replace(b"PRACTICE 100,", b"PRACTICE 101,"), "damaged archive"),
}


@pytest.mark.parametrize("case", SHAPES)
def test_a_file_of_another_shape_is_not_kept(server, tmp_path, case):
    server.body, said = SHAPES[case]
    with pytest.raises(FetchError, match=f"{said}.*Nothing was kept"):
        ask(server, "good", tmp_path)
    assert files_in(tmp_path) == []


def test_two_at_once_fetch_once(server, tmp_path):
    found, faults = [], []

    def run():
        try:
            found.append(ask(server, "good", tmp_path))
        except Exception as fault:
            faults.append(fault)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert sorted(one.was_there for one in found) == [False, True, True, True]
    assert len(server.asked) == 1


def whole_or_absent(to):
    """No half file under its name, none without a record; and the next fetch leaves nothing else."""
    if (to / PLACE).exists():
        assert (to / PLACE).read_bytes() == GOOD
        assert recorded(to)[f"registrations/{RELEASE}"]["sha256"] == hashlib.sha256(GOOD).hexdigest()


def steps(saved, place, harm):
    """Harm a fetch at its first, second, third … touch of a file, until there is none left to harm."""
    for step in itertools.count(1):
        to = place / str(step)
        ended = harm(lambda to=to: fetch("registrations", release=RELEASE, to=to, from_=saved), step)
        whole_or_absent(to)
        found = fetch("registrations", release=RELEASE, to=to, from_=saved)
        assert found.paths[0].read_bytes() == GOOD
        assert files_in(to) == ["needsalloc.lock", PLACE]
        yield ended
        if ended == "done":
            return


@pytest.fixture
def saved(tmp_path):
    folder = tmp_path / "saved"
    folder.mkdir()
    (folder / NAME).write_bytes(GOOD)
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_killed_at_any_step_it_succeeds_the_next_time(saved, tmp_path):
    ends = list(steps(saved, tmp_path, lambda action, step: killed(action, step=step)))
    assert len(ends) > 8
    assert set(ends[:-1]) == {"killed"}


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_a_full_disk_at_any_step_is_an_error_of_ours(saved, tmp_path):
    full = OSError(errno.ENOSPC, "No space left on device")
    ends = list(steps(saved, tmp_path, lambda action, step: failing(action, full, step=step)))
    assert len(ends) > 8
    assert "broken" not in ends


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
@pytest.mark.parametrize("after", [0.02, 0.1, 0.2])
def test_killed_while_it_comes_it_succeeds_the_next_time(server, tmp_path, after):
    assert killed(lambda: ask(server, "drip", tmp_path), after=after) == "killed"
    assert not (tmp_path / PLACE).exists()
    assert ask(server, "good", tmp_path).paths[0].read_bytes() == GOOD
    assert files_in(tmp_path) == ["needsalloc.lock", PLACE]


def test_a_folder_that_cannot_be_written(server, tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(OutputError, match="--to"):
        ask(server, "good", tmp_path / "file")


class TestFromFolder:
    """Files that were saved by hand, and folders that were fetched into."""

    def test_under_its_published_name(self, tmp_path):
        (tmp_path / NAME).write_bytes(GOOD)
        found = fetch("registrations", release=RELEASE, to=tmp_path / "to", from_=tmp_path)
        assert found.paths[0].read_bytes() == GOOD

    def test_from_an_earlier_fetch(self, server, tmp_path):
        ask(server, "good", tmp_path / "one")
        server.asked.clear()
        found = fetch("registrations", release=RELEASE, to=tmp_path / "two", from_=tmp_path / "one")
        assert found.paths[0].read_bytes() == GOOD
        assert server.asked == []

    def test_as_a_browser_renames_it(self, tmp_path):
        (tmp_path / "gp-reg-pat-prac-lsoa-male-female-Apr-26 (1).zip").write_bytes(GOOD)
        (tmp_path / f"{NAME}.crdownload").write_bytes(b"half")
        assert fetch("registrations", release=RELEASE, to=tmp_path / "to", from_=tmp_path).paths

    def test_several_that_may_be_it(self, tmp_path):
        for month in ("Oct-25", "Jan-26"):
            (tmp_path / f"gp-reg-pat-prac-lsoa-male-female-{month}.zip").write_bytes(GOOD)
        with pytest.raises(FetchError, match=r"holds 2 files that may be registrations 2026-04: .*--from"):
            fetch("registrations", release=RELEASE, to=tmp_path / "to", from_=tmp_path)

    def test_none_says_what_to_look_for(self, tmp_path):
        with pytest.raises(FetchError, match=r"holds 0 files.*Look on https://digital.nhs.uk"):
            fetch("registrations", release=RELEASE, to=tmp_path / "to", from_=tmp_path)

    def test_no_such_folder(self, tmp_path):
        with pytest.raises(FetchError, match="no folder or file"):
            fetch("registrations", release=RELEASE, to=tmp_path / "to", from_=tmp_path / "none")

    def test_a_release_that_the_registry_does_not_know(self, tmp_path):
        file = tmp_path / "gp-reg-pat-prac-lsoa-male-female-July-27.zip"
        file.write_bytes(zipped(x_lsoa_all=csv_of(date="2027-07-01")))
        for from_ in (tmp_path, file):
            found = fetch("registrations", release="2027-07", to=tmp_path / "to", from_=from_)
            assert found.paths == (tmp_path / "to/registrations/2027-07" / file.name,)

    def test_two_parts_are_never_one_file(self, tmp_path):
        head = "ORG_CODE,SEX,AGE,NUMBER_OF_PATIENTS\n"
        for sex in ("female", "male"):
            name = f"gp-reg-pat-prac-sing-age-{sex}"
            (tmp_path / f"{name}.zip").write_bytes(zipped(**{name: head}))
        with pytest.raises(FetchError, match="does not say that it is the male part of lists"):
            fetch("lists", to=tmp_path / "to", from_=tmp_path / "gp-reg-pat-prac-sing-age-female.zip")
        found = fetch("lists", to=tmp_path / "to", from_=tmp_path)
        assert [path.name for path in found.paths] == sorted(path.name for path in tmp_path.glob("*.zip"))

    @pytest.mark.parametrize("name", ["x.parquet", "x.xlsx", "x.csv.gz", "x"])
    def test_another_format(self, tmp_path, name):
        (tmp_path / name).write_bytes(zipped(x_lsoa_all="") if name == "x.xlsx" else b"PAR1")
        with pytest.raises(FetchError, match=r"no CSV file|holds 1 files|lacks|holds 0"):
            fetch("registrations", release=RELEASE, to=tmp_path / "to", from_=tmp_path / name)

    def test_too_large(self, tmp_path, server):
        (tmp_path / NAME).write_bytes(bytes(HURRY.stored + 1))
        with pytest.raises(FetchError, match="larger than"):
            fetch("registrations", release=RELEASE, to=tmp_path / "to", from_=tmp_path)


def test_a_later_release_from_its_own_address(server, tmp_path):
    server.body = zipped(x_lsoa_all=csv_of(date="01Jul2027"))
    address = f"{server.address}/good/AB/123456/gp-reg-pat-prac-lsoa-male-female-Jul-27.zip"
    found = fetch("registrations", release="2027-07", to=tmp_path, from_=address)
    assert found.line == 'registrations = "registrations/2027-07/gp-reg-pat-prac-lsoa-male-female-Jul-27.zip"'
    assert [path for path, _ in server.asked] == [
        "/good/AB/123456/gp-reg-pat-prac-lsoa-male-female-Jul-27.zip"
    ]


@pytest.mark.parametrize("name", ["gp-reg-pat-prac-lsoa%2F..%2F..%2Fx.zip", "gp-reg-pat-prac-lsoa%0A.zip"])
def test_a_name_from_an_address_is_no_path(server, tmp_path, name):
    with pytest.raises(FetchError, match="does not end in a name"):
        fetch("registrations", release="2027-07", to=tmp_path, from_=f"{server.address}/good/{name}")
    assert files_in(tmp_path) == []


def test_the_name_may_stand_in_the_question(server, tmp_path):
    server.body = zipped(x_lsoa_all=csv_of(date="01Jul2027"))
    address = f"{server.address}/good/file?uri=/datasets/gp-reg-pat-prac-lsoa-X.zip"
    found = fetch("registrations", release="2027-07", to=tmp_path, from_=address)
    assert found.paths[0].name == "gp-reg-pat-prac-lsoa-X.zip"


def test_a_later_release_from_a_mirror_needs_its_name(server, tmp_path):
    with pytest.raises(FetchError, match="does not end in a name such as gp-reg-pat-prac-lsoa"):
        ask(server, "good", tmp_path, release="2027-07")


@pytest.mark.parametrize("release", ["2027-07", "July 2027"])
def test_an_unknown_release_names_those_that_are_known(release, tmp_path):
    with pytest.raises(UnknownCodeError, match=r"no release .*2023-07, .*2026-04\. Look on https"):
        fetch("registrations", release=release, to=tmp_path)


@pytest.mark.parametrize("release", ["../../x", "a/b", "..", "x" * 99, "a\\b", "C:"])
def test_a_release_is_no_path(release, tmp_path):
    with pytest.raises(UnknownCodeError, match="is no release"):
        fetch("registrations", release=release, to=tmp_path, from_=tmp_path)


def test_unknown_names(tmp_path):
    with pytest.raises(UnknownCodeError, match="Did you mean 'registrations'"):
        fetch("registration", to=tmp_path)
    with pytest.raises(UnknownCodeError, match=r"your own: docs/plan\.md"):
        fetch("current", to=tmp_path)


def test_the_cache_is_the_users(monkeypatch, tmp_path, server):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if sys.platform == "linux":
        assert ask(server, "good", None).folder == tmp_path / "needsalloc"


def save_as_published(england, folder, working):
    """Every table of a synthetic England that the registry knows, packed and named as its publisher does."""
    paths = england.write(working)
    folder.mkdir()
    text = {name: path.read_text(encoding="utf-8") for name, path in paths.items()}

    def pack(file, **members):
        with zipfile.ZipFile(folder / file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, table in members.items():
                archive.writestr(f"{name}.csv", table)

    pack("gp-reg-pat-prac-lsoa-male-female-X.zip", **{"gp-reg-pat-prac-lsoa-all": text["registrations"]})
    pack("gp-reg-pat-prac-map.zip", **{"gp-reg-pat-prac-map": text["membership"]})
    pack("QOF2324.zip", ACHIEVEMENT_2324="x\n", PREVALENCE_2324=text["conditions"])
    lists = pd.read_csv(paths["lists"])
    for sex in ("female", "male"):
        rows = lists[lists["SEX"] == sex.upper()].to_csv(index=False)
        pack(f"gp-reg-pat-prac-sing-age-{sex}.zip", **{f"gp-reg-pat-prac-sing-age-{sex}": rows})
    bands = england.population.T.groupby(lambda age: min(age // 5 * 5, 85)).sum().T
    names = {age: f"Age: Aged {age} to {age + 4} years" for age in bands}
    names |= {0: "Age: Aged 4 years and under", 85: "Age: Aged 85 years and over"}
    census = bands.rename(columns=names).astype(int).rename_axis("geography code").reset_index()
    census.insert(1, "Age: Total", census.drop(columns="geography code").sum(axis=1))
    pack("census2021-ts007a.zip", **{"census2021-ts007a-lsoa": census.to_csv(index=False)})
    file_7 = "File_7_IoD2025_All_Ranks_Scores_Deciles_Population_Denominators.csv"
    (folder / file_7).write_text(text["deprivation"], encoding="utf-8")
    return f"{england.registrations.attrs['on']:%Y-%m}"


def test_read_from_the_folder_as_published(synthetic, tmp_path):
    saved = tmp_path / "saved"
    release = save_as_published(synthetic, saved, tmp_path / "plain")

    def get(name, of=release):
        return fetch(name, release=of, to=tmp_path / "to", from_=saved)

    read = {
        "registrations": sources.read_registrations(*get("registrations").paths),
        "membership": sources.read_membership(*get("membership").paths),
        "conditions": sources.read_conditions(*get("conditions", "2023-24").paths),
        "lists": sources.read_lists(*get("lists").paths),
        "deprivation": sources.read_deprivation(*get("deprivation", "2025").paths),
    }
    for name, frame in read.items():
        pd.testing.assert_frame_equal(frame, getattr(synthetic, name), check_categorical=False)
    two = get("lists")
    assert two.line == (
        f'lists = ["lists/{release}/gp-reg-pat-prac-sing-age-female.zip", '
        f'"lists/{release}/gp-reg-pat-prac-sing-age-male.zip"]'
    )
    assert set(recorded(tmp_path / "to")) > {f"lists/{release}/female", f"lists/{release}/male"}


def test_patience_is_bounded_from_the_first_byte_to_the_last(server):
    """The limit on the whole holds though every single read is quick."""
    server.body = bytes(200)
    patient = replace(HURRY, total=0.5, attempts=1)
    started = time.monotonic()
    with pytest.raises(FetchError, match="took longer than"):
        download(f"{server.address}/drip/x", io.BytesIO(), limits=patient, mirror=True)
    assert time.monotonic() - started < 1.5


def test_the_command_fetches_and_says_what_to_write(server, tmp_path):
    place = f"{server.address}/good"
    asked = ["fetch", "registrations", "--release", RELEASE, "--to", tmp_path, "--from", place]
    ended = command(*asked)
    assert (ended.code, ended.err) == (0, "")
    assert "registrations, release 2026-04: fetched" in ended.out
    assert f'registrations = "{PLACE}"' in ended.out
    assert str(tmp_path / PLACE) in ended.out.replace("\n", "")
    assert hashlib.sha256(GOOD).hexdigest() in ended.out
    assert "Contains public sector information licensed under the Open Government Licence v3.0." in ended.out
    assert "here, unchanged" in command(*asked).out


def test_the_command_says_where_to_look_and_ends_with_2(server, tmp_path):
    place = f"{server.address}/404"
    ended = command("fetch", "registrations", "--release", RELEASE, "--to", tmp_path, "--from", place)
    assert ended.code == 2
    assert ended.err.startswith("needsalloc: There is nothing at")
    assert "https://digital.nhs.uk" in ended.err
    assert files_in(tmp_path) == []


def test_the_command_lists_what_there_is():
    ended = command("sources")
    assert ended.code == 0
    assert "registrations" in ended.out
    assert "2026-04" in ended.out
    listed = json.loads(command("sources", "--json").out)
    assert {"name", "release", "address", "attribution", "landing", "columns"} <= set(listed[0])
    pd.testing.assert_frame_equal(pd.DataFrame(listed), sources.registry())


def test_files_as_published_are_taken_from_a_folder_and_read(real_data, tmp_path):
    """The zips of the shared data are as NHS England published them; their totals are known."""
    bands = fetch("lists_by_band", release="2026-07", to=tmp_path, from_=real_data / "lists-2026")
    assert sources.read_lists_by_band(*bands.paths).to_numpy().sum() == 63_436_508
    staff = fetch("workforce", release="2026-06", to=tmp_path, from_=real_data / "workforce")
    assert sources.read_workforce(*staff.paths)["pcn"].nunique() == 1_271
    with pytest.raises(FetchError, match="it is release 2026-07, not 2026-04"):
        fetch("lists_by_band", release="2026-04", to=tmp_path, from_=real_data / "lists-2026")


def test_what_fetch_prints_makes_a_plan_that_runs(tmp_path):
    saved, data = tmp_path / "saved", tmp_path / "data"
    release = save_as_published(england(), saved, tmp_path / "plain")
    lines = []
    for role, of in {
        "registrations": release,
        "membership": release,
        "lists": release,
        "population": "2021",
        "conditions": "2023-24",
        "deprivation": "2025",
    }.items():
        ended = command("fetch", role, "--release", of, "--from", saved, "--to", data)
        assert ended.code == 0, ended.err
        (line,) = [
            line.removeprefix("Plan      ") for line in ended.out.splitlines() if line.startswith("Plan")
        ]
        path = line.removeprefix("deprivation = ")
        lines.append(line if path == line else f'deprivation = {{ path = {path}, edition = "synthetic" }}')
    plan = tmp_path / "plan.toml"
    head, _, _ = PLAN.partition("[inputs]")
    rest = '[need]\nbase = "icb"\n\n[report]\nout = "report"\n'
    plan.write_text("\n".join([head, "[inputs]", *lines, "", rest]), encoding="utf-8")
    ended = command("run", plan, "--data", data, "--out", tmp_path / "out")
    assert ended.code == 0, ended.err
    posts = pd.read_csv(tmp_path / "out" / "tables" / "allocation.csv")
    assert posts["posts"].sum() == 20.0
    # What the report says of a file is what was recorded when it was fetched.
    said = json.loads((tmp_path / "out" / "provenance.json").read_text(encoding="utf-8"))
    record = recorded(data)[f"registrations/{release}"]
    assert record["sha256"] in json.dumps(said)
    assert record["file"] in json.dumps(said)
