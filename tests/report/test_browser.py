"""The report in a browser: offline, on a desktop and on phones, by keyboard, on paper."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.report.chromium import asked_of_the_network, browser, console_errors
from tests.report.made import page

pytestmark = [pytest.mark.slow, pytest.mark.browser]

WIDTHS = (320, 400, 768, 1400)


@pytest.fixture(scope="module")
def report(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default study's report where it was made, else one of a made-up study."""
    made = repo / "results" / "default" / "report.html"
    if made.is_file():
        return made
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(page(), encoding="utf-8")
    return path


def wide(driver: Any, width: int) -> None:
    """Give the window a width, as a phone has it."""
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def screenshot(driver: Any) -> np.ndarray:
    """What the window shows, as (height, width, 3) numbers from 0 to 1."""
    from matplotlib.image import imread

    content = base64.b64decode(driver.get_screenshot_as_base64())
    return imread(io.BytesIO(content))[..., :3]


@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_every_screen(report: Path, width: int) -> None:
    with browser() as driver:
        wide(driver, width)
        driver.get(report.resolve().as_uri())
        root = "return document.documentElement."
        assert driver.execute_script(f"{root}scrollWidth") <= width
        assert driver.execute_script("return [...document.images].every(i => i.naturalWidth > 300)")
        sizes = driver.execute_script(
            "return [...document.querySelectorAll('p,li,td,th,dd,dt')].filter(e => e.innerText)"
            ".map(e => parseFloat(getComputedStyle(e).fontSize))"
        )
        assert len(sizes) > 100 and min(sizes) >= 12
        image = screenshot(driver)
        assert image.shape[1] == width and 0.01 < (image < 0.5).any(axis=2).mean() < 0.5
        assert console_errors(driver) == []
        assert asked_of_the_network(driver) == []


def test_a_keyboard_reaches_every_link_and_every_wide_table(report: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    with browser() as driver:
        wide(driver, 400)
        driver.get(report.resolve().as_uri())
        wanted = driver.execute_script(
            "return document.querySelectorAll('a[href],summary,[tabindex]').length"
        )
        reached: list[str] = []
        for _ in range(wanted):
            driver.switch_to.active_element.send_keys(Keys.TAB)
            reached.append(driver.execute_script(
                "const e = document.activeElement; const s = getComputedStyle(e);"
                "return e.outerHTML.slice(0, 80) + s.outlineStyle"
            ))  # fmt: skip
        assert "Skip to the answers" in reached[0] or 'class="skip"' in reached[0]
        assert len(set(reached)) > 0.5 * wanted > 10
        assert all(each.endswith("solid") for each in reached), "what has the focus is outlined"


def test_it_prints_without_what_paper_has_no_use_for(report: Path) -> None:
    with browser() as driver:
        driver.get(report.resolve().as_uri())
        pdf = base64.b64decode(driver.execute_cdp_cmd("Page.printToPDF", {})["data"])
        assert pdf.startswith(b"%PDF") and pdf.count(b"/Type /Page\n") > 3
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        shown = "return getComputedStyle(document.querySelector('{}')).display"
        assert driver.execute_script(shown.format("nav")) == "none"
        assert driver.execute_script(shown.format(".download")) == "none"
        assert driver.execute_script(shown.format("figure img")) == "block"
