"""provenance.json: which files, settings and software a run rests on, and the plan that repeats it."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from needsalloc.errors import InputFileError
from needsalloc.report.bundle import Bundle

PROVENANCE = "provenance.json"
# Whatever turns data into figures or figures into bytes: with other versions either may differ.
_PACKAGES = (
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "formulaic",
    "shapely",
    "geopandas",
    "pyogrio",
    "xlsxwriter",
    "jinja2",
)


@dataclass(frozen=True, slots=True)
class Provenance:
    """What an earlier run left to be repeated and compared with.

    plan: its effective plan, TOML text with the checksums of its files.
    software: name -> version, of needsalloc, Python and the packages that make figures and bytes.
    files: name within the folder -> sha256, of every file but provenance.json itself.
    """

    plan: str
    software: Mapping[str, str]
    files: Mapping[str, str]

    def differing(self, files: Mapping[str, str]) -> list[str]:
        """The names of the files that are not the same in both runs, sorted."""
        names = {*self.files, *files}
        return sorted(name for name in names if self.files.get(name) != files.get(name))


def provenance(bundle: Bundle, files: Mapping[str, str]) -> str:
    """The text of provenance.json: the same for the same bundle in the same environment.

    files: name within the folder -> sha256.
    """
    facts = {
        "software": software(bundle.version),
        "title": bundle.title,
        "status": bundle.status,
        "audience": bundle.audience,
        "disclosed": bundle.disclosed,
        "service": bundle.service,
        "total": bundle.total,
        "unit": bundle.unit,
        "step": bundle.step,
        "base": bundle.base_name,
        "people": bundle.people,
        "plan": bundle.effective_plan,
        "parameters": dict(bundle.parameters),
        "sources": [asdict(source) for source in bundle.sources],
        "attribution": list(bundle.attribution),
        "assumptions": [asdict(found) for found in bundle.assumptions],
        "checks": [asdict(check) for check in bundle.checks],
        "files": dict(files),
    }
    return json.dumps(facts, indent=2, ensure_ascii=False) + "\n"


def software(own: str) -> dict[str, str]:
    """Name -> version of what makes figures and bytes; `own` is the version of needsalloc."""
    found = {"needsalloc": own, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def read_provenance(path: str | Path) -> Provenance:
    """What an earlier run wrote about itself.

    Raises InputFileError for a file that cannot be read, or that needsalloc did not write.
    """
    path = Path(path)
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        ours = "needsalloc" in facts["software"]
        found = Provenance(str(facts["plan"]), dict(facts["software"]), dict(facts["files"]))
    except OSError as error:
        raise InputFileError(
            f"{path.name} cannot be read: {error.strerror}. Give the provenance.json of a report, or a plan."
        ) from error
    except (ValueError, KeyError, TypeError, RecursionError):
        ours = False
    if not ours:
        raise InputFileError(
            f"{path.name} is not the provenance.json of a report by needsalloc. Give that file, or a plan "
            "file (.toml)."
        )
    return found


__all__ = ["PROVENANCE", "Provenance", "provenance", "read_provenance", "software"]
