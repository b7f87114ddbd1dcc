"""The score of the health domain of the English Indices of Deprivation, by LSOA (MHCLG)."""

from pathlib import Path

import pandas as pd

from needsalloc.errors import InvalidValueError, first_few
from needsalloc.geography import Vintage, vintage_in
from needsalloc.sources._reading import SourceFile
from needsalloc.sources.deprivation import FIELDS as DEPRIVATION

_FIELDS = {
    "area": DEPRIVATION["area"],
    "health_score": (
        "HEALTH_DEPRIVATION_AND_DISABILITY_SCORE",
        "HEALTH_AND_DISABILITY_SCORE",
        "HEALTH_SCORE",
    ),
}
_EDITION: dict[Vintage, str] = {"lsoa11": "IMD 2019", "lsoa21": "IMD 2025"}
# A standard score: those of 2025 lie between -3.1 and 3.3.
_WIDEST = 6


def read_health_domain(
    path: str | Path,
    *,
    area: str | None = None,
    health_score: str | None = None,
    vintage: str | None = None,
    edition: str | None = None,
) -> pd.DataFrame:
    """`health_score` by area (float64), index `lsoa11` or `lsoa21`: about 0 on average, higher is worse.

    attrs: `edition`, "IMD 2019" for areas of 2011 and "IMD 2025" for areas of 2021 unless it is given;
    `source`.

    Raises InputFileError, MissingColumnError, UnknownCodeError, or InvalidValueError for a rank, decile or
    score of the whole index in its place.
    Source: MHCLG, English Indices of Deprivation, File 5 (scores).
    """
    file = SourceFile(path, "scores of the domains of the Indices of Deprivation")
    table = file.read(file.find(_FIELDS, named={"area": area, "health_score": health_score}))
    table.refuse_repeated("area")
    index = table.area_index("area", vintage)
    # A standard score is negative for half of England, where the readers' other numbers never are.
    score = pd.Series(table.numbers("health_score", signed=True), index=index)
    wrong = score[~score.between(-_WIDEST, _WIDEST)]
    if len(wrong):
        raise InvalidValueError(
            f"{file.path.name}: {len(wrong):,} scores of the health domain are beyond ±{_WIDEST}, "
            f"first of {first_few(wrong.index)}. It must be the domain's own score, with a mean about 0, not "
            "a rank, a decile or the score of the whole index."
        )
    frame = score.to_frame("health_score")
    frame.attrs = table.attrs(edition=edition or _EDITION[vintage_in(frame)])
    return frame
