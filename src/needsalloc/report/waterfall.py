"""From the base's 1 to a team's need index: what age and sex, deprivation and each condition add or take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from needsalloc.report import schema
from needsalloc.report.bundle import Bundle
from needsalloc.report.charts import Axis, Chart, Mark, Row, axis
from needsalloc.report.column import Column

Floats = npt.NDArray[np.float64]

TABLE = "decomposition"
_INDEX = Column("", "", "", decimals=2)
_PART = Column("", "", "", decimals=2, signed=True)


@dataclass(frozen=True, slots=True)
class Waterfalls:
    """What every team's waterfall is drawn from.

    `names` are the steps from the base to the index, both included; `parts` (teams of the allocation, parts)
    is NaN for a team that was not taken apart; `index` (teams,) is where each ends. All share one `scale`.
    """

    names: list[str]
    parts: Floats
    index: Floats
    scale: Axis

    def chart(self, team: int, title: str) -> Chart | None:
        """The waterfall of one row of the allocation, or None if it was not taken apart."""
        if not np.isfinite(self.index[team]):
            return None
        heights = (1.0 + np.cumsum([0.0, *self.parts[team]])).tolist()
        at = [self.scale.at(height) for height in heights]
        rows = [Row(self.names[0], [], [_INDEX.show(1.0)])]
        for name, part, start, end in zip(
            self.names[1:-1], self.parts[team].tolist(), at[:-1], at[1:], strict=True
        ):
            rows.append(Row(name, [Mark(end, "more" if part > 0 else "less", start)], [_PART.show(part)]))
        index = float(self.index[team])
        rows.append(Row(self.names[-1], [Mark(self.scale.at(index), "whole", at[0])], [_INDEX.show(index)]))
        return Chart(
            title, "", "Step", [], self.scale.ticks(_INDEX), ["Adds or takes"], rows, line=self.scale.at(1.0)
        )

    def compact(self) -> dict[str, object]:
        """The same for the script: thousandths of the index, null for a team not taken apart."""
        whole = np.rint(np.column_stack([self.parts, self.index]) * 1000)
        teams = [
            None if np.isnan(row[-1]) else [int(value) for value in row] for row in whole.tolist()
        ]  # fmt: skip
        return {"low": self.scale.low, "high": self.scale.high, "teams": teams}


def waterfalls(bundle: Bundle) -> Waterfalls | None:
    """What the waterfalls of a run are drawn from, or None if the index was not taken apart."""
    if TABLE not in bundle.beside or bundle.need_index not in bundle.beside[TABLE]:
        return None
    frame = bundle.beside[TABLE]
    described = schema.columns(bundle, TABLE)
    parts = [name for name in described if name not in ("team", "team_name", "base", bundle.need_index)]
    by_team = frame.set_index(frame["team"].astype(str)).reindex(
        pd.Index(bundle.allocation["team"].astype(str))
    )
    values = by_team[parts].to_numpy(dtype=float)
    index = by_team[bundle.need_index].to_numpy(dtype=float)
    heights = 1.0 + np.cumsum(values, axis=1)
    names = [f"{bundle.base_name}", *(described[name].label for name in parts), "Need index"]
    return Waterfalls(names, values, index, axis([1.0, *heights.ravel().tolist(), *index.tolist()]))
