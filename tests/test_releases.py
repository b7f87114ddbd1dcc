"""Two releases of the map of practices: who opened, closed and moved, and with how many patients."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

import needsalloc as na
from needsalloc.errors import InvalidValueError, UnknownCodeError, VintageError
from needsalloc.releases import compare_releases
from needsalloc.vintages import carry_registrations
from small_worlds import law

BODIES = ["pcn", "sub_icb", "icb"]


def members(rows: dict[str, tuple[str, str, str]], on: date | None = None, **names: str) -> pd.DataFrame:
    """The frame of `read_membership` from practice -> (PCN, sub-ICB location, ICB); names of PCNs by code."""
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=BODIES, dtype="str")
    frame = frame.rename_axis("practice").reset_index()
    frame["practice_name"] = "Practice " + frame["practice"]
    frame["pcn_name"] = frame["pcn"].map(lambda code: names.get(code, f"{code} PCN"))
    frame.attrs = {"on": on}
    return frame


BEFORE = members(
    {
        "A": ("P1", "S1", "I1"), "B": ("P1", "S1", "I1"), "C": ("P2", "S1", "I1"), "D": ("P2", "S1", "I1"),
        "E": ("P3", "S2", "I2"), "F": ("P3", "S2", "I2"), "G": ("U", "S2", "I2"), "H": ("P4", "S2", "I2"),
        "K": ("P5", "S3", "I3"),
    },
    date(2025, 1, 1),
)  # fmt: skip
AFTER = members(
    {
        # A goes to another PCN and ICB; B stays; C's PCN is gone and D closed; P3 has a new name.
        "A": ("P3", "S2", "I2"), "B": ("P1", "S1", "I1"), "C": ("P6", "S1", "I1"),
        "E": ("P3", "S2", "I2"), "F": ("U", "S2", "I2"), "G": ("P4", "S1", "I2"), "H": ("P4", "S2", "I2"),
        # I3 is gone, its location stays; N is new.
        "K": ("P5", "S3", "I4"), "N": ("P1", "S1", "I1"),
    },
    date(2025, 4, 1),
    P3="Renamed PCN", P1="p1   pcn",
)  # fmt: skip
PATIENTS = pd.Series({p: 1_000.0 * (i + 1) for i, p in enumerate("ABCDEFGHK")})


def patients(rows: dict[tuple[str, str], float], vintage: str = "lsoa21") -> pd.DataFrame:
    frame = pd.DataFrame(
        [(*key, number) for key, number in rows.items()], columns=["practice", vintage, "patients"]
    )
    return frame.astype({"practice": "category", vintage: "category"})


X, Y, Z = "E01033801", "E01033802", "E01033803"


def test_each_practice_that_changed_has_a_row_that_says_how():
    found = compare_releases(BEFORE, AFTER, patients_before=PATIENTS)
    assert found.table.set_index("practice")["change"].to_dict() == {
        "A": "moved PCN, moved ICB",
        "C": "its PCN closed",
        "D": "closed",
        "F": "left its PCN",
        "G": "joined a PCN, moved sub-ICB location",
        "K": "its ICB was replaced",
        "N": "opened",
    }
    a, n = (found.table.set_index("practice").loc[code] for code in "AN")
    assert (a["practice_name"], a["pcn_before"], a["pcn_after"]) == ("Practice A", "P1", "P3")
    assert (a["icb_before"], a["icb_after"], a["patients_before"]) == ("I1", "I2", 1_000)
    assert (n["icb_before"], n["icb_after"]) == ("", "I1")
    assert found.table[["patients_after", "successor_share"]].isna().all(axis=None)
    assert np.isnan(n["patients_before"])
    assert repr(found) == (
        "<Practices of 1 Jan 2025 and 1 Apr 2025: 1 opened, 1 closed, 4 in another PCN, 2 in another ICB; "
        "3 of 10 unchanged>"
    )


def test_the_summary_adds_up_to_every_practice_and_patient():
    found = compare_releases(BEFORE, AFTER, patients_before=PATIENTS).summary
    assert found.index[-2:].to_list() == ["unchanged", "all practices"]
    assert found.loc["all practices"].to_list()[:2] == [10, PATIENTS.sum()]
    assert found["practices"].iloc[:-1].sum() == 10
    assert found["patients_before"].iloc[:-1].sum() == PATIENTS.sum()
    assert found["patients_after"].isna().all()
    assert np.isnan(found.at["opened", "patients_before"])


def test_the_pcns_that_changed_and_why():
    found = compare_releases(BEFORE, AFTER, patients_before=PATIENTS).pcns
    assert found["change"].to_dict() == {
        "P1": "practices moved, practices opened or closed",
        "P2": "closed",
        "P3": "renamed, practices moved",
        "P4": "practices moved",
        "P6": "opened",
    }
    assert found.loc["P2", "replaced_by"] == "P6"
    assert (found["replaced_by"] != "").sum() == 1
    counts = found[["practices_before", "practices_after", "joined", "left", "opened", "closed"]]
    assert counts.loc["P1"].to_list() == [2, 2, 0, 1, 1, 0]
    assert counts.loc["P2"].to_list() == [2, 0, 0, 1, 0, 1]
    assert (
        counts.eval("practices_before + joined - left + opened - closed") == counts["practices_after"]
    ).all()
    assert found.loc["P3", ["pcn_name_before", "pcn_name_after"]].to_list() == ["P3 PCN", "Renamed PCN"]
    assert found.loc["P1", "patients_before"] == 3_000


def test_the_same_map_twice_has_no_change():
    found = compare_releases(BEFORE, BEFORE)
    assert (len(found.table), len(found.pcns), found.notes) == (0, 0, ())
    assert found.summary["practices"].to_dict() == {"unchanged": 9, "all practices": 9}


def test_another_system_of_codes_moves_nobody_and_is_said():
    recoded = BEFORE.assign(icb="E54" + BEFORE["icb"], sub_icb="not given")
    found = compare_releases(BEFORE, recoded)
    assert found.table.empty
    assert len(found.notes) == 2
    assert found.notes[1].startswith("No ICB code is in both maps")
    assert "2 notes" in repr(found)
    without_pcns = compare_releases(BEFORE, BEFORE.assign(pcn="N" + BEFORE["pcn"]))
    assert (len(without_pcns.table), len(without_pcns.pcns)) == (0, 0)


def test_practices_with_patients_do_not_open_or_close_but_enter_or_leave_the_map():
    later = pd.Series({"D": 3_900.0, "N": 50.0})
    found = compare_releases(BEFORE, AFTER, patients_before=PATIENTS.rename({"K": "N"}), patients_after=later)
    change = found.table.set_index("practice")["change"]
    assert (change["D"], change["N"]) == ("left the map", "entered the map")
    assert found.notes == (
        "1 of 9 practices of the map have no row in patients_before: K. Their patients are not known.",
        "8 of 9 practices of the map have no row in patients_after: A, B, C, E, F and 3 more. "
        "Their patients are not known.",
    )


def test_patients_of_practices_in_neither_map_and_of_another_day_are_noted():
    lost = pd.concat([PATIENTS, pd.Series({"Q": 70.0})])
    lost.attrs["on"] = date(2024, 7, 1)
    notes = compare_releases(BEFORE, AFTER, patients_before=lost).notes
    assert notes[0].startswith("1 practices of patients_before (70 patients) are in neither map: Q.")
    assert notes[1] == "patients_before are of 2024-07-01, the map is of 2025-01-01."


def test_a_successor_is_inferred_from_where_the_gain_is():
    before = patients(
        {("D", X): 300, ("D", Y): 100, ("C", X): 50, ("E", Y): 80, ("B", X): 90, ("D", "CLOSED"): 9}
    )
    # C gains 250 of D's 300 in X, E 60 of its 100 in Y; B, which gains more in another area, holds none.
    after = patients({("C", X): 300, ("E", Y): 140, ("B", X): 90, ("B", Z): 900, ("N", X): 20})
    found = compare_releases(BEFORE, AFTER, patients_before=before, patients_after=after)
    d = found.table.set_index("practice").loc["D"]
    assert (d["change"], d["likely_successor"]) == ("closed", "C")
    assert d["successor_share"] == pytest.approx(250 / 400)
    assert (found.table["likely_successor"] != "").sum() == 1


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # Spread over several; too small to tell; one that the earlier lists lack; not in the later map.
        ({("D", X): 300, ("C", X): 50, ("E", X): 10}, {("C", X): 190, ("E", X): 150}),
        ({("D", X): 99, ("C", X): 50}, {("C", X): 400}),
        ({("D", X): 300}, {("C", X): 400}),
        ({("D", X): 300, ("Q", X): 1}, {("Q", X): 400}),
        # Another area.
        ({("D", X): 300, ("C", X): 50}, {("C", X): 50, ("C", Y): 400}),
    ],
)
def test_no_successor_is_named_without_evidence(before, after):
    found = compare_releases(BEFORE, AFTER, patients_before=patients(before), patients_after=patients(after))
    assert (found.table["likely_successor"] == "").all()
    assert found.table["successor_share"].isna().all()


def test_a_practice_with_a_new_code_is_its_own_successor():
    before = patients({("D", X): 300, ("D", Y): 80})
    found = compare_releases(
        BEFORE, AFTER, patients_before=before, patients_after=patients({("N", X): 290, ("N", Y): 85})
    )
    d = found.table.set_index("practice").loc["D"]
    assert (d["likely_successor"], d["successor_share"]) == ("N", pytest.approx(370 / 380))


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"before": AFTER, "after": BEFORE}, InvalidValueError, "give the earlier first"),
        (
            {"after": pd.concat([AFTER, AFTER[:1]])},
            InvalidValueError,
            "1 practices stand twice in the second map: A",
        ),
        (
            {"after": AFTER.assign(practice="Z" + AFTER["practice"])},
            UnknownCodeError,
            "No practice is in both maps",
        ),
        ({"patients_before": -PATIENTS}, InvalidValueError, "9 practices have a negative or missing number"),
        ({"patients_before": pd.concat([PATIENTS] * 2)}, InvalidValueError, "9 practices stand twice"),
        (
            {"patients_before": patients({("D", X): 1}), "patients_after": patients({("C", X): 1}, "lsoa11")},
            VintageError,
            "carry_registrations",
        ),
    ],
)
def test_wrong_use_is_refused(given, error, message):
    with pytest.raises(error, match=message):
        compare_releases(**({"before": BEFORE, "after": AFTER} | given))


def test_lists_by_age_and_registrations_give_the_same_totals(synthetic):
    totals = synthetic.registrations.groupby("practice", observed=True)["patients"].sum()
    later = synthetic.membership.iloc[:-1]
    for given in (synthetic.registrations, synthetic.lists, totals):
        found = compare_releases(synthetic.membership, later, patients_before=given)
        assert found.summary.at["all practices", "patients_before"] == totals.sum()
        assert found.table.loc[0, "patients_before"] == totals[synthetic.membership["practice"].iloc[-1]]


codes = st.fixed_dictionaries(
    {}, optional={p: st.tuples(*(st.sampled_from([f"{b}1", f"{b}2", "U"]) for b in "PSI")) for p in "ABCDEF"}
)


@law(codes, codes)
def test_every_practice_is_counted_once_and_pcns_balance(before, after):
    stays = {"Z": ("P1", "S1", "I1")}
    found = compare_releases(members(before | stays), members(after | stays))
    everybody = set(before) | set(after) | {"Z"}
    number = found.summary["practices"]
    assert number.iloc[:-1].sum() == number["all practices"] == len(everybody)
    assert len(found.table) + number["unchanged"] == len(everybody)
    changed = {p for p in everybody if (before | stays).get(p) != (after | stays).get(p)}
    assert set(found.table["practice"]) == changed
    flow = found.pcns.eval("practices_before + joined - left + opened - closed - practices_after")
    assert (flow == 0).all()


# England


@pytest.fixture(scope="module")
def maps(real_data) -> dict[str, pd.DataFrame]:
    england, staffordshire = real_data / "england-2023", real_data / "staffordshire-2025"
    return {
        "2022-01": na.read_membership(england / "gp-reg-pat-prac-map_2022-01.csv.gz"),
        "2023-07": na.read_membership(england / "gp-reg-pat-prac-map_for_2023-07.csv.gz"),
        "2025-10": na.read_membership(staffordshire / "gp-reg-pat-prac-map_2025-10.csv.gz"),
        "2026-01": na.read_membership(staffordshire / "gp-reg-pat-prac-map_2026-01.csv.gz"),
    }


@pytest.fixture(scope="module")
def july_2023(real_data) -> pd.DataFrame:
    return na.read_registrations(real_data / "england-2023/gp-reg-pat-prac-lsoa-all_2023-07.csv.gz")


@pytest.mark.parametrize(
    ("first", "second"), [("2022-01", "2023-07"), ("2023-07", "2025-10"), ("2025-10", "2026-01")]
)
def test_real_releases_against_a_plain_outer_join(maps, first, second):
    found = compare_releases(maps[first], maps[second])
    joined = maps[first].merge(maps[second], on="practice", how="outer", indicator="side")
    both = joined[joined["side"] == "both"]
    number = found.summary["practices"]
    assert number["all practices"] == len(joined)
    assert number.get("opened", 0) == (joined["side"] == "right_only").sum()
    assert number["closed"] == (joined["side"] == "left_only").sum()
    same = np.logical_and.reduce([both[f"{body}_x"] == both[f"{body}_y"] for body in BODIES])
    assert number["unchanged"] == same.sum()
    assert found.notes == ()


def test_new_names_for_ccgs_and_stps_move_no_practice_to_another_icb(maps):
    # Every name of an ICB changed between these maps and no code did; 43 practices changed code.
    found = compare_releases(maps["2022-01"], maps["2023-07"])
    assert "43 in another ICB" in repr(found)
    assert not found.table["change"].str.contains("replaced").any()


def test_patients_of_england_by_change(maps, july_2023, real_data):
    lists = na.read_lists(real_data / "lists-2026/single_age_sex_practice_2026-04.csv.gz")
    found = compare_releases(
        maps["2023-07"], maps["2026-01"], patients_before=july_2023, patients_after=lists
    )
    total = found.summary.loc["all practices"]
    assert total["patients_before"] == 62_581_556
    assert total["patients_after"] == lists.to_numpy().sum()
    closed = set(maps["2023-07"]["practice"]) - set(maps["2026-01"]["practice"])
    expected = july_2023.loc[july_2023["practice"].isin(closed), "patients"].sum()
    assert found.summary.at["closed", "patients_before"] == expected
    assert any("have no row in patients_after" in note for note in found.notes)


def test_a_real_closure_leads_to_the_practice_next_door(maps, july_2023, real_data):
    # Burntwood Health & Wellbeing Centre is the one practice of QNC that closed between these releases; the
    # other practice of its PCN grew by 4,360 patients against its list of 4,709.
    lookup = na.read_area_lookup(real_data / "england-2023/lookup_lsoa11_lsoa21_ltla22.csv.gz")
    census = pd.read_csv(
        real_data / "staffordshire-2025/census21_lsoa21_age6.csv.gz", index_col="lsoa21_code"
    ).sum(axis=1)
    later = na.read_registrations(
        real_data / "staffordshire-2025/gp-reg-pat-prac-lsoa-all_2025-10_QNC.csv.gz"
    )
    found = compare_releases(
        maps["2023-07"],
        maps["2025-10"],
        patients_before=carry_registrations(july_2023, lookup, to="lsoa21", people=census),
        patients_after=later,
    )
    named = found.table[found.table["likely_successor"] != ""].set_index("practice")
    assert named["likely_successor"].to_dict() == {"Y02414": "M83617"}
    pcn = maps["2025-10"].set_index("practice")["pcn"]
    assert pcn["M83617"] == named.at["Y02414", "pcn_before"]
    assert 0.5 <= named.at["Y02414", "successor_share"] <= 1
