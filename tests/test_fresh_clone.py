"""What a stranger gets: the wheel holds everything it needs, the README tells the truth."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from needsalloc import reference

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    # Without isolation hatchling comes from this environment: a test fetches nothing.
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)],
        check=True,
        capture_output=True,
    )
    return next(out.glob("needsalloc-*.whl"))


@pytest.mark.clone
def test_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    package = ROOT / "src"
    files = [f for f in package.rglob("*") if f.is_file() and "__pycache__" not in f.parts]
    assert {f.relative_to(package).as_posix() for f in files} <= held
    for name in reference.names():
        assert {f"needsalloc/_reference/{name}.csv", f"needsalloc/_reference/{name}.toml"} <= held


@pytest.mark.clone
def test_tables_are_read_from_the_wheel_away_from_the_checkout(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    script = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n"
        "from needsalloc import reference\n"
        "print(reference.__file__)\n"
        "print(*[reference.read(name).name for name in reference.names()])\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", script], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    where, tables = done.stdout.splitlines()
    assert Path(where).is_relative_to(tmp_path)
    assert tuple(tables.split()) == reference.names()


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = {"geopandas", "jinja2", "matplotlib", "openpyxl", "pydantic", "rich", "shapely", "xlsxwriter"}
    script = "import sys, needsalloc; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert heavy.isdisjoint(done.stdout.split())


def test_version_is_the_same_everywhere() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert f'version: "{version}"' in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_readme_names_commands_that_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^make (\w+)", README, flags=re.MULTILINE))
    assert {"demo", "test"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/methods.md"])
def test_links_between_documents_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", text)
    missing = [link for link in links if not (ROOT / document).parent.joinpath(link).exists()]
    assert missing == []


def test_readme_examples_run() -> None:
    examples = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert len(examples) == 2
    names: dict[str, object] = {}
    exec("".join(examples), names)  # the README's own code, as a reader would paste it
    assert "district_nurses_per_10000" in names["fitted"].formula.supply  # type: ignore[attr-defined]
    assert names["plan"].table["posts"].sum() == pytest.approx(150)  # type: ignore[attr-defined]
