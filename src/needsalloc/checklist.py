"""The planning checklist for integrated neighbourhood teams: questions that no figure answers.

Domains are the seven of a systematic review of neighbourhood models; factors are what evidence syntheses name
as helping or hindering such teams (`SOURCES`). The questions are ours.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from needsalloc.errors import MissingColumnError

SOURCES = (
    "Iqbal FM, Kayikci S, Lowther-Payne H and others. Defining the integrated neighbourhood model: a "
    "systematic review of key domains and framework development. BMC Public Health 2025; 25: 1374 "
    "(doi:10.1186/s12889-025-22582-x).",
    "University of Manchester (2025), a rapid synthesis for Trafford Council of what helps or hinders "
    "integrated neighbourhood teams in working together.",
)
SAID = (
    "Questions for each neighbourhood to talk through beside its figures, after the evidence on what makes "
    "integrated neighbourhood teams work. The team fills in the answers and who sees to it; needsalloc reads "
    "neither, and no answer is a score. District nursing is one profession of such a team. Sources: "
    + " ".join(SOURCES)
)

# (domain, factor, question); a domain's questions stand together.
QUESTIONS: tuple[tuple[str, str, str], ...] = (
    ("Host", "Leadership", "Which organisation hosts the team, and who leads it from day to day?"),
    ("Host", "Shared vision", "What have the partners agreed in writing that the team is for?"),
    (
        "Enablers",
        "Funding by need",
        "For how many years is the money settled, and does each neighbourhood's part follow its need?",
    ),
    ("Enablers", "Co-location", "Where do the members work on the same days, and what would it take?"),
    (
        "Enablers",
        "Shared records",
        "Which records can each profession read and write, and which still have to be asked for?",
    ),
    ("Enablers", "Learning", "What do the members learn together, in paid time, and how are changes tested?"),
    ("Partnership", "Trust", "Who has worked together before, and how are disagreements settled?"),
    (
        "Partnership",
        "Patients and public",
        "Which residents help to decide what the team does, and who is never heard from?",
    ),
    ("Partnership", "General practice", "Which practices take part, by whom and how often; which do not?"),
    (
        "Partnership",
        "Social care and voluntary sector",
        "Which social care and voluntary organisations are members, and on what terms?",
    ),
    ("Core workforce", "Clear roles", "Does each member know who does what, and who decides?"),
    (
        "Core workforce",
        "Enough staff",
        "How many posts are filled, how many left in the last year, and how much is agency or bank?",
    ),
    ("Core workforce", "Working culture", "Can members speak up and be heard, and do they stay?"),
    (
        "Areas of work",
        "Whom the team is for",
        "Which people come first here: old, frail, dying, housebound, disabled, in care homes?",
    ),
    (
        "Areas of work",
        "Who is not seen",
        "How are people reached who are on no list: homeless, travelling, newly arrived, in prison?",
    ),
    (
        "Services",
        "Protected meeting time",
        "When does the whole team meet about its people, and is that time kept free for everybody?",
    ),
    (
        "Services",
        "Care navigators",
        "Who helps people find their way between services, and for how many hours?",
    ),
    (
        "Services",
        "Travel and access",
        "How far do staff and people travel, and what is offered out of hours?",
    ),
    (
        "Delivering workforce",
        "Skill mix",
        "Which grades and professions deliver the care, and where does one stand in for another?",
    ),
    (
        "Delivering workforce",
        "Cover",
        "Who covers leave, sickness and empty posts, and what is left undone when nobody does?",
    ),
)


def checklist(teams: pd.DataFrame) -> pd.DataFrame:
    """A row for each team and question, in the order of both: blank where the team answers.

    teams: a row per team with `team` and `team_name`. Columns: `team`, `team_name`, `domain`, `factor`,
    `question`, `answer` and `owner`, the last two empty.

    Raises MissingColumnError without those two columns.

    >>> found = checklist(pd.DataFrame({"team": ["U1"], "team_name": ["Canal Quarter"]}))
    >>> found["domain"].nunique(), found.loc[0, "factor"], found.loc[0, "answer"]
    (7, 'Leadership', '')
    """
    lacking = {"team", "team_name"} - set(teams.columns)
    if lacking:
        raise MissingColumnError(f"The teams lack {', '.join(sorted(lacking))}. Give a row for each team.")
    asked = pd.DataFrame(QUESTIONS, columns=["domain", "factor", "question"])
    rows = np.repeat(np.arange(len(teams)), len(asked))
    blank = asked.assign(answer="", owner="")
    return pd.concat(
        [
            teams[["team", "team_name"]].iloc[rows].reset_index(drop=True),
            blank.iloc[np.tile(np.arange(len(asked)), len(teams))].reset_index(drop=True),
        ],
        axis=1,
    )


__all__ = ["QUESTIONS", "SAID", "SOURCES", "checklist"]
