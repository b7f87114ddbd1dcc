"""Made tables of options, pace, audit and evidence for the tests of the report: their numbers agree."""

from __future__ import annotations

import numpy as np
import pandas as pd

from needsalloc.checklist import checklist

RESOURCES = {"current": 0.05, "target": 0.0, "posts": 0.01, "option: Equal per adult": -0.04}


def tables(allocation: pd.DataFrame, total: float) -> dict[str, pd.DataFrame]:
    """Tables beside an allocation; without posts now there is no status quo, no pace and no contacts."""
    teams = allocation[["team", "team_name"]]
    now, people = allocation["current"], allocation["registered_adults"]
    equal = total * people / people.sum()
    known = bool(now.notna().any())
    options = {"Status quo": now} if known else {}
    options |= {"This plan": allocation["posts"], "Equal per adult": equal.round(1)}
    resources = RESOURCES if known else {name: lean for name, lean in RESOURCES.items() if name != "current"}
    found = {
        "options": pd.DataFrame([_option(name, posts, now) for name, posts in options.items()]),
        "options_by_team": pd.concat(
            [
                teams.assign(
                    option=name, posts=posts, change=posts - now, posts_per_10000_adults=posts / people * 1e4
                )
                for name, posts in options.items()
            ],
            ignore_index=True,
        ),
        "choices": pd.DataFrame(
            {
                "kind": ["minimum", "adjustment"], "name": ["Smallest team", "New housing"],
                "teams": ["every team", str(teams["team"].iloc[0])], "value": ["2 WTE", "0.5 WTE"],
                "reason": ["Cover at weekends", "400 homes since the census"], "owner": ["Director", "Lead"],
                "effect": [0.4, 0.5],
            }
        ),
        "sensitivity": pd.DataFrame(
            {
                "what": ["Share for inequalities", "Reading of the formula"], "value": ["30%", "as printed"],
                "posts_moved": [2.4, 1.1], "teams_over_5_percent": [2, 1],
            }
        ),
        "inequality": pd.DataFrame([_measure(*each) for each in _asked(resources)]),
        "inequality_by_group": pd.DataFrame(
            [_group(name, lean, fifth) for name, lean in resources.items() for fifth in range(1, 6)]
        ),
        "lorenz": pd.concat([_curve(name, abs(lean)) for name, lean in resources.items()], ignore_index=True),
        "equality": pd.DataFrame(
            {
                "characteristic": ["age", "age", "ethnicity"], "group": ["18 to 64", "65 and over", ""],
                "people": [60_000.0, 20_000.0, np.nan], "share_of_people": [0.75, 0.25, np.nan],
                "share_of_need": [0.3, 0.7, np.nan], "posts_before": [18.0, 42.0, np.nan],
                "posts_after": [18.0, 42.0, np.nan], "note": ["", "", "no open data"],
                "mitigation": "", "owner": "",
            }
        ),
        "checklist": checklist(teams),
    }  # fmt: skip
    if known:
        found["pace"] = _pace(teams, now, allocation["target"])
        ratio = np.linspace(0.8, 1.2, len(teams))
        found["observed"] = teams.assign(
            contacts=1000 * ratio, expected=1000.0, observed_over_expected=ratio,
            low_95=0.92, high_95=1.08, low_99_8=0.88, high_99_8=1.12,
        )  # fmt: skip
    return found


def _option(name: str, posts: pd.Series, now: pd.Series) -> dict[str, object]:
    change = posts - now
    return {
        "option": name, "what": f"What {name.lower()} means", "posts": posts.sum(),
        "posts_moved": -change.clip(upper=0).sum(min_count=1), "teams_gaining": (change > 0).sum(),
        "teams_losing": (change < 0).sum(), "largest_gain": change.max(), "largest_loss": -change.min(),
        "most_deprived_change": -0.8, "relative_index": -0.02, "hoover": 0.04,
    }  # fmt: skip


def _pace(teams: pd.DataFrame, now: pd.Series, target: pd.Series) -> pd.DataFrame:
    target, opening, years = target * now.sum() / target.sum(), now, []
    for year in (1, 2, 3):
        posts = opening + (target - opening) / 2
        years.append(
            teams.assign(
                year=year, opening=opening, target=target, posts=posts, change=posts - opening,
                closing_distance=posts / target - 1, held_by=np.where(posts > target, "floor", ""),
            )
        )  # fmt: skip
        opening = posts
    return pd.concat(years, ignore_index=True)


def _asked(resources: dict[str, float]) -> list[tuple[str, str, float]]:
    return [
        (name, measure, lean)
        for name, lean in resources.items()
        for measure in ("slope_index", "relative_index", "gini", "posts_to_move", "posts_to_move_within_icb")
    ]


def _measure(resource: str, measure: str, lean: float) -> dict[str, object]:
    return {
        "level": "areas", "resource": resource, "against": "need", "measure": measure, "value": lean,
        "change_from_now": lean - 0.05, "low_95": lean - 0.02, "high_95": lean + 0.02,
        "low_99_8": lean - 0.03, "high_99_8": lean + 0.03, "interval": "robust", "ranking": "deprivation",
        "sign": "positive: more per need where less deprived", "weights": "need", "unit": "index",
        "areas": 60, "too_few_areas": False,
    }  # fmt: skip


def _group(resource: str, lean: float, fifth: int) -> dict[str, object]:
    return {
        "level": "areas", "resource": resource, "against": "need", "grouping": "deprivation_fifth",
        "group": str(fifth), "areas": 12, "population": 16_000.0, "amount": 12.0, "change_from_now": 0.0,
        "share_of_population": 0.2, "share_of_need": 0.2, "share_of_resource": 0.2,
        "resource_per_need": 7.5, "relative_to_all": 1 + lean * (fifth - 3), "too_few_areas": False,
    }  # fmt: skip


def _curve(resource: str, lean: float) -> pd.DataFrame:
    share = np.linspace(0, 1, 21)
    return pd.DataFrame(
        {
            "level": "areas", "resource": resource, "share_of_need": share,
            "share_of_resource": share ** (1 + 4 * lean),
        }
    )  # fmt: skip
