"""The checklist asks every team the same, and answers nothing."""

from __future__ import annotations

import pandas as pd
import pytest

from needsalloc.checklist import QUESTIONS, SAID, SOURCES, checklist
from needsalloc.errors import MissingColumnError

# methods, section 5: the framework's domains and the syntheses' factors
DOMAINS = [
    "Host", "Enablers", "Partnership", "Core workforce", "Areas of work", "Services", "Delivering workforce",
]  # fmt: skip
FACTORS = {
    "Shared vision", "Leadership", "Trust", "Clear roles", "Funding by need", "Learning", "Co-location",
    "Protected meeting time", "Shared records", "Patients and public", "General practice", "Care navigators",
    "Enough staff", "Working culture",
}  # fmt: skip


def test_every_domain_and_factor_is_asked_about_once() -> None:
    domains, factors, questions = zip(*QUESTIONS, strict=True)
    assert list(dict.fromkeys(domains)) == DOMAINS
    assert FACTORS <= set(factors)
    assert len(set(factors)) == len(set(questions)) == len(QUESTIONS)
    assert all(question.endswith("?") for question in questions)
    assert [domain for domain in domains if domain == "Enablers"] == ["Enablers"] * 4  # they stand together
    assert SAID
    assert SOURCES


def test_every_team_has_every_question_in_its_order_and_no_answer() -> None:
    teams = pd.DataFrame({"team": ["U2", "U1"], "team_name": ["B", "A"], "posts": [1.0, 2.0]}, index=[5, 5])
    found = checklist(teams)
    assert found["team"].tolist() == ["U2"] * len(QUESTIONS) + ["U1"] * len(QUESTIONS)
    assert found["question"].tolist() == 2 * [question for *_, question in QUESTIONS]
    assert (found[["answer", "owner"]] == "").all(axis=None)
    assert list(found) == ["team", "team_name", "domain", "factor", "question", "answer", "owner"]


def test_no_team_has_no_question() -> None:
    assert checklist(pd.DataFrame({"team": [], "team_name": []})).empty


def test_teams_without_names_are_refused() -> None:
    with pytest.raises(MissingColumnError, match="team_name"):
        checklist(pd.DataFrame({"team": ["U1"]}))
