"""Snakemake's own report opens offline: every figure is seen, nothing is asked of the network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from selfcell.figures import FIGURES
from tests.report.chromium import asked_of_the_network, browser, console_errors

pytestmark = [pytest.mark.slow, pytest.mark.browser]

EYE = "//a[@iconname='eye']"  # opens what its row of the table names


def click(driver: Any, xpath: str) -> None:
    """Click what the path finds, once it is there."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support import expected_conditions as expected
    from selenium.webdriver.support.wait import WebDriverWait

    WebDriverWait(driver, 20).until(expected.element_to_be_clickable((By.XPATH, xpath))).click()


def pages(driver: Any) -> list[list[str]]:
    """Menu entries to click, in turn, to reach each table of results."""
    categories: dict[str, dict[str, list[str]]] = driver.execute_script("return categories")
    if len(categories) == 1:  # of a lone category the menu shows no name
        return [["Results"]]
    return [
        [category] if list(sections) == ["Other"] else [category, section]
        for category, sections in categories.items()
        for section in sections
    ]


def shown_images(driver: Any) -> Iterator[str]:
    """File names of the images on the current page, each opened and seen to hold pixels."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.wait import WebDriverWait

    wide = """return [...document.images].filter(i => i.complete && i.naturalWidth > 300)
        .map(i => i.src.slice(0, 200)).filter(source => source.startsWith("data:image/png"))"""
    before: list[str] = []
    for eye in driver.find_elements(By.XPATH, EYE):
        eye.click()  # the page draws its answer when it comes to it
        waiting = WebDriverWait(driver, 20)
        before = waiting.until(lambda d, last=before: (s := d.execute_script(wide)) != last and s)
        yield from (source.split("filename=")[1].split(";")[0] for source in before)


def click_through(driver: Any, report: Path) -> set[str]:
    """Names of all images that a reader finds by clicking through the report."""
    seen: set[str] = set()
    driver.get(report.resolve().as_uri())
    for menu in pages(driver):
        driver.get(report.resolve().as_uri())
        for entry in menu:
            click(driver, f"//nav//a[normalize-space()='{entry}']")
        seen.update(shown_images(driver))
    return seen


@pytest.fixture
def report(repo: Path, request: pytest.FixtureRequest) -> Path:
    """The default study's report where it was made, else one of the smoke study."""
    made = repo / "results" / "default" / "workflow-report.html"
    if made.is_file():
        return made
    smoke = request.getfixturevalue("smoke")
    smoke.run("--report", "workflow-report.html")
    return Path(smoke.root / "workflow-report.html")


def test_report_shows_every_figure_offline(report: Path) -> None:
    with browser() as driver:
        seen = click_through(driver, report)
        errors, requests = console_errors(driver), asked_of_the_network(driver)
    assert seen == {f"{name}.png" for name in FIGURES}
    assert errors == []
    assert requests == []


def test_a_broken_page_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<img src='http://127.0.0.1:9/x.png'><script>nothing.here()</script>")
    with browser() as driver:
        driver.get(page.as_uri())
        errors, requests = console_errors(driver), asked_of_the_network(driver)
    assert any("nothing is not defined" in error for error in errors)
    assert requests == ["http://127.0.0.1:9/x.png"]
