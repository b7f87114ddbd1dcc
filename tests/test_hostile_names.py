"""Names that a stranger wrote, from the published file through a whole run: no page or sheet acts on them."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import pytest

from browsers import chromium
from plan_folders import MAP, command, edit, write_files

pytestmark = pytest.mark.slow

SCRIPT = "</script><script>window.caught=1</script><img src=x onerror='window.caught=1'>"
FORMULAS = ("=cmd|' /C calc'!A0", "@SUM(1+1)*cmd|'x'!A1", "+1+cmd|'x'!A1", "-2+3+cmd|'x'!A1")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    plan = write_files(tmp_path_factory.mktemp("hostile") / "plan")

    def spoil(rows):
        for column in rows.columns[rows.columns.str.endswith("_NAME")]:
            names = dict(zip(rows[column].unique(), (SCRIPT, *FORMULAS), strict=False))
            rows[column] = rows[column].replace(names)
        return rows

    edit(MAP, spoil)(plan.parent)
    ended = command("run", plan, "--out", plan.parent / "out")
    assert ended.code == 0, ended.err
    return plan.parent / "out"


@pytest.mark.browser
def test_no_page_of_a_run_acts_on_a_name(report: Path) -> None:
    pages = sorted(report.rglob("*.html"))
    assert {"index.html", "teams.html"} <= {page.name for page in pages}
    with chromium() as browser:
        for path in pages:
            page = browser.new_page()
            asked: list[str] = []
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            page.goto(path.as_uri())
            page.wait_for_timeout(200)
            assert page.evaluate("window.caught") is None, path.name
            assert asked == [path.as_uri()], path.name
            page.close()
    assert any(SCRIPT.split("<img")[1][:8] in page.read_text(encoding="utf-8") for page in pages), (
        "it is shown"
    )


def test_no_table_or_sheet_of_a_run_holds_a_formula(report: Path) -> None:
    seen = 0
    for path in report.rglob("*.csv"):
        for row in csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")):
            for cell in row:
                seen += "cmd|" in cell
                assert "cmd|" not in cell or cell[0] not in "=+-@\t\r", (path.name, cell)
    assert seen
    books = list(report.rglob("*.xlsx"))
    assert books
    for path in books:
        with zipfile.ZipFile(path) as book:
            for name in book.namelist():
                text = book.read(name)
                assert not (name.startswith("xl/worksheets/") and b"cmd|" in text and b"<f>" in text), name
                assert "externalLink" not in name
