"""A plan file is read whole or refused by name; what it leaves out is written into the effective plan."""

import tomllib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from needsalloc.errors import InputFileError, PlanError
from needsalloc.plan import Plan, check_plan, read_plan
from plan_folders import PLAN

EXAMPLES = Path(__file__).parents[1] / "examples"
SECTIONS = {
    name: list(field.annotation.model_fields)
    for name, field in Plan.model_fields.items()
    if hasattr(field.annotation, "model_fields")
}
KEYS = [(section, key) for section, keys in SECTIONS.items() for key in keys]
HEADINGS = list(Plan.model_fields)


def write(folder: Path, text: str) -> Path:
    path = folder / "plan.toml"
    path.write_text(text, encoding="utf-8")
    return path


def smallest() -> dict[str, dict[str, object]]:
    """The least that a plan must say."""
    files = dict.fromkeys(("registrations", "membership", "population", "deprivation", "lists"), "a.csv")
    return {"plan": {"title": "A", "total": 10}, "inputs": dict(files), "report": {"out": "out"}}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_example_is_a_plan(path):
    plan = read_plan(path)
    assert plan.plan.total > 0
    assert check_plan(tomllib.loads(plan.to_toml())) == plan


def test_what_a_plan_leaves_out_is_in_the_effective_plan():
    plan = check_plan(smallest())
    effective = tomllib.loads(plan.to_toml())
    assert effective["plan"] | {"title": "A", "total": 10.0} == effective["plan"]
    assert (effective["plan"]["step"], effective["plan"]["unit"]) == (1.0, "FTE")
    assert plan.status == "for discussion"
    assert effective["catchment"] == {"teams": "pcn", "method": "proportional"}
    assert effective["need"]["base"] == "england"
    assert effective["allocate"] == {
        "rule": "webster",
        "minimum": 0.0,
        "posts_without_pcn": False,
        "inequalities": 0.0,
        "limits": [],
        "reserves": [],
        "adjustments": [],
    }
    assert effective["report"] == {"out": "out", "audience": "internal"}
    assert effective["disclosure"] == {"threshold": 8, "round_to": 5, "reason": ""}
    assert effective["options"] == []


def test_a_file_is_a_path_or_a_table_that_names_its_columns():
    given = smallest()
    given["inputs"]["deprivation"] = {"path": "imd.csv", "area": "lsoa11_code", "score": "IMD_score"}
    files = check_plan(given).inputs.files()
    assert set(files) == {"registrations", "membership", "population", "deprivation", "lists"}
    assert files["lists"].path == "a.csv"
    assert files["lists"].named_columns == {}
    assert files["deprivation"].named_columns == {"area": "lsoa11_code", "score": "IMD_score"}


def test_a_plan_from_windows_is_read(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_bytes(b"\xef\xbb\xbf" + PLAN.replace("\n", "\r\n").encode())
    assert read_plan(path) == read_plan(write(tmp_path, PLAN))


words = st.text(st.characters(codec="utf-8"), max_size=20)
amounts = st.floats(0.001, 1e6) | st.integers(1, 10**6)


@given(title=words, out=words, path=words, column=words, total=amounts, step=amounts, icb=st.none() | words)
def test_an_effective_plan_is_the_plan(title, out, path, column, total, step, icb):
    given_plan = smallest()
    given_plan["plan"] = {"title": title, "total": total, "step": step}
    given_plan["inputs"]["registrations"] = {"path": path, "area": column}
    given_plan["report"]["out"] = out
    if icb is not None:
        given_plan["catchment"] = {"icb": icb}
    plan = check_plan(given_plan)
    assert check_plan(tomllib.loads(plan.to_toml())) == plan


@pytest.mark.parametrize(("section", "key"), KEYS)
def test_a_misspelt_key_is_refused_and_the_right_one_named(section, key):
    wrong = smallest()
    wrong.setdefault(section, {})[key[:-1]] = "value"
    with pytest.raises(PlanError) as caught:
        check_plan(wrong, "mine.toml")
    message = str(caught.value)
    assert message.startswith("mine.toml has 1 fault")
    assert f"[{section}] has an unknown key {key[:-1]!r}; did you mean {key!r}?" in message


@pytest.mark.parametrize("section", HEADINGS)
def test_a_misspelt_section_is_refused_and_the_right_one_named(section):
    with pytest.raises(PlanError, match=rf"unknown key '{section[:-1]}'; did you mean '{section}'\?"):
        check_plan(smallest() | {section[:-1]: {}})


def test_a_key_like_no_other_is_answered_with_the_known_ones():
    wrong = smallest() | {"need": {"zzz": 1}}
    with pytest.raises(PlanError, match="unknown key 'zzz'; it knows formula, hold, base, people"):
        check_plan(wrong)


@pytest.mark.parametrize("section", ["plan", "inputs", "report"])
def test_a_missing_section_is_named(section):
    lacking = smallest()
    del lacking[section]
    with pytest.raises(PlanError, match=rf"1 fault: the section \[{section}\] is missing"):
        check_plan(lacking)


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ("plan", "title"),
        ("plan", "total"),
        ("report", "out"),
        *(("inputs", name) for name in smallest()["inputs"]),
    ],
)
def test_a_missing_key_is_named(section, key):
    lacking = smallest()
    del lacking[section][key]
    with pytest.raises(PlanError, match=rf"1 fault: \[{section}\] lacks '{key}'"):
        check_plan(lacking)


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("plan", "total", -1, "greater than 0"),
        ("plan", "total", 0, "greater than 0"),
        ("plan", "total", float("nan"), "finite"),
        ("plan", "total", float("inf"), "finite"),
        ("plan", "total", "twenty", "valid number"),
        ("plan", "total", "20", "valid number"),
        ("plan", "total", True, "valid number"),
        ("plan", "total", [20], "valid number"),
        ("plan", "step", 0, "greater than 0"),
        ("plan", "step", -0.5, "greater than 0"),
        ("plan", "step", float("nan"), "finite"),
        ("plan", "step", float("inf"), "finite"),
        ("plan", "title", 5, "valid string"),
        ("plan", "service", "health-visiting", "'district-nursing'"),
        ("catchment", "teams", "gp", "'pcn'"),
        ("catchment", "method", "threshold", "'proportional'"),
        ("need", "base", "wales", "'england' or 'icb'"),
        ("need", "people", "all", "'registered' or 'resident'"),
        ("allocate", "rule", "hare", "'webster', 'hamilton', 'huntington-hill', 'adams' or 'jefferson'"),
        ("allocate", "minimum", -1, "greater than or equal to 0"),
        ("allocate", "minimum", float("inf"), "finite"),
        ("allocate", "posts_without_pcn", "yes", "valid boolean"),
        ("report", "out", 1, "valid string"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_what_can(section, key, value, message):
    wrong = smallest()
    wrong.setdefault(section, {})[key] = value
    with pytest.raises(PlanError) as caught:
        check_plan(wrong)
    assert f"[{section}] {key} = {value!r}" in str(caught.value)
    assert message in str(caught.value)


def test_every_fault_is_named_at_once():
    wrong = smallest()
    wrong["plan"] = {"title": "A", "totl": 3, "step": -1}
    with pytest.raises(PlanError) as caught:
        check_plan(wrong)
    message = str(caught.value)
    assert "3 faults" in message
    assert all(part in message for part in ("lacks 'total'", "did you mean 'total'", "step = -1"))


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (b"", PlanError, r"3 faults: the section \[plan\] is missing"),
        (b"[plan\n", PlanError, r"not valid TOML: .*line 1"),
        (b"[plan]\ntotal = \n", PlanError, r"not valid TOML: .*line 2"),
        (b"[plan]\nstep = 1\nstep = 2\n", PlanError, r"not valid TOML"),
        (b"x = " + b"[" * 100_000, PlanError, "not valid TOML"),
        (b"\xff\xfea\x00", InputFileError, "not UTF-8 text"),
    ],
)
def test_a_file_that_is_no_plan(tmp_path, data, error, message):
    path = tmp_path / "mine.toml"
    path.write_bytes(data)
    with pytest.raises(error, match=message) as caught:
        read_plan(path)
    assert "mine.toml" in str(caught.value)


def test_no_plan_and_a_folder(tmp_path):
    with pytest.raises(InputFileError, match=r"absent\.toml cannot be read: No such file"):
        read_plan(tmp_path / "absent.toml")
    with pytest.raises(InputFileError, match="cannot be read: Is a directory"):
        read_plan(tmp_path)


@given(cut=st.integers(0, len(PLAN)), length=st.integers(0, 40), put=st.binary(max_size=6))
def test_a_damaged_plan_is_read_or_refused_by_name(tmp_path_factory, cut, length, put):
    path = tmp_path_factory.mktemp("damaged") / "plan.toml"
    path.write_bytes(PLAN.encode()[:cut] + put + PLAN.encode()[cut + length :])
    with suppress(PlanError, InputFileError):
        plan = read_plan(path)
        assert check_plan(tomllib.loads(plan.to_toml())) == plan
