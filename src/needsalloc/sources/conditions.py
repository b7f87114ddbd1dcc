"""Disease registers of the Quality and Outcomes Framework by practice (NHS England, yearly)."""

from pathlib import Path

import pandas as pd

from needsalloc.errors import InvalidValueError
from needsalloc.sources._reading import SourceFile

FIELDS = {
    "practice": ("PRACTICE_CODE",),
    "condition": ("GROUP_CODE",),
    "register": ("REGISTER",),
    "list_size": ("PRACTICE_LIST_SIZE",),
    "list_type": ("PATIENT_LIST_TYPE",),
}


def read_conditions(path: str | Path) -> pd.DataFrame:
    """QOF registers, a row per practice and condition: `practice, condition, register, list_size, list_type`.

    `condition` is the QOF code ("DEM", "PC" …). `list_size` is the part of the list that `list_type` names:
    "TOTAL", or ages, as in "18OV" for 18 and over. Both numbers float64, the rest text. A register may exceed
    its list (one did in 2021/22): it stays as published.

    attrs: `source`, file name, sha256 and rows.

    Raises InputFileError, MissingColumnError or InvalidValueError.
    Source: NHS England, Quality and Outcomes Framework, PREVALENCE_<year>.csv.
    """
    file = SourceFile(path, "QOF registers")
    table = file.read(file.find(FIELDS))
    table.refuse_repeated("practice", "condition")
    frame = pd.DataFrame(
        {
            "practice": table.codes("practice").astype(str),
            "condition": table.codes("condition").astype(str),
            "register": table.people("register"),
            "list_size": table.people("list_size"),
            "list_type": table.codes("list_type").astype(str),
        }
    )
    above = frame["register"] > frame["list_size"]
    if above.mean() > 0.5:
        raise InvalidValueError(
            f"{table.file}: in {int(above.sum()):,} of {len(frame):,} rows more people are on the register "
            f"than on the list. Are {table.header['register']} and {table.header['list_size']} in each "
            "other's place?"
        )
    frame.attrs = table.attrs()
    return frame
