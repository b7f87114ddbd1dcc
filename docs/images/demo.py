"""Remake demo.png from the folder that `needsalloc demo` wrote: the page's first parts, set side by side.

python docs/images/demo.py [path of index.html] [path of a Chromium, if not playwright's own]
"""

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

WIDTH, SCALE = 2400, 0.58
SIDE_BY_SIDE = """
main.wide, .wide { max-width: 2300px !important }
main.wide { columns: 2; column-gap: 32px }
section { break-inside: avoid } #map { break-before: column; margin-top: 0 !important }
#fairness .scroll { display: none }
#chart, #pace, #sure, #behind, #coverage, #assumptions, #checks, #evidence, #sources, #reading, footer,
#fairness figure ~ figure { display: none }
"""


def main() -> None:
    page_file = Path(sys.argv[1] if len(sys.argv) > 1 else "needsalloc-demo/report/index.html").resolve()
    browser_file = sys.argv[2] if len(sys.argv) > 2 else None
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=browser_file, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": 900}, device_scale_factor=SCALE)
        page.goto(page_file.as_uri())
        page.add_style_tag(content=SIDE_BY_SIDE)
        page.screenshot(path=Path(__file__).with_suffix(".png"), full_page=True)
        browser.close()


if __name__ == "__main__":
    main()
