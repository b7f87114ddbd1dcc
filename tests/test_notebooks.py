"""Every notebook runs from top to bottom as it is stored, and is stored without outputs."""

from pathlib import Path

import pytest

import needsalloc

nbformat = pytest.importorskip("nbformat")

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
OFFICIAL = "NEEDSALLOC_DATA"
ONLY_OFFICIAL = f'os.environ["{OFFICIAL}"]'


def stored(name):
    return nbformat.read(NOTEBOOKS / name, as_version=4)


def code_of(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def names(*, official=None):
    """All notebooks; or those that run on the official files, or without them. One may be both."""
    sources = {
        path.name: "\n".join(cell.source for cell in code_of(stored(path.name)))
        for path in sorted(NOTEBOOKS.glob("*.ipynb"))
    }
    if official is None:
        return list(sources)
    return [
        name
        for name, code in sources.items()
        if (OFFICIAL in code if official else ONLY_OFFICIAL not in code)
    ]


@pytest.fixture(autouse=True)
def same_package(monkeypatch):
    """The kernel starts elsewhere, so a relative path to the package would not lead it there."""
    monkeypatch.setenv("PYTHONPATH", str(Path(needsalloc.__file__).resolve().parents[1]))


def run(name, folder):
    client = pytest.importorskip("nbclient").NotebookClient(
        stored(name), timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    return client.execute()


def shown(notebook):
    return [cell for cell in code_of(notebook) if cell.outputs]


def test_there_is_one_that_needs_no_files():
    assert "first-plan.ipynb" in names(official=False)
    assert "first-plan.ipynb" not in names(official=True)
    assert "england-2023.ipynb" not in names(official=False)
    assert "catchments.ipynb" in {*names(official=False)} & {*names(official=True)}


@pytest.mark.parametrize("name", names())
def test_no_outputs_are_stored(name):
    assert all(not cell.outputs and cell.execution_count is None for cell in code_of(stored(name)))


@pytest.mark.parametrize("name", names())
def test_public_names_only(name):
    text = "\n".join(cell.source for cell in code_of(stored(name)))
    assert "import needsalloc as na" in text
    assert "from needsalloc" not in text
    assert "._" not in text


@pytest.mark.slow
@pytest.mark.parametrize("name", names(official=False))
def test_it_runs_from_top_to_bottom(name, tmp_path, monkeypatch):
    monkeypatch.delenv(OFFICIAL, raising=False)
    assert shown(run(name, tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", names(official=True))
def test_it_runs_on_the_official_files(name, tmp_path, real_data, monkeypatch):
    monkeypatch.setenv(OFFICIAL, str(real_data.resolve()))
    assert shown(run(name, tmp_path))


def test_the_lines_of_the_readme_run():
    readme = (NOTEBOOKS.parent / "README.md").read_text(encoding="utf-8")
    lines = readme.split("```python\n")[1].split("```")[0]
    found: dict[str, object] = {}
    exec(compile(lines, "README.md", "exec"), found)
    assert found["plan"].table["posts"].sum() == pytest.approx(150)
    assert lines.count("\n") < 20
