"""The report: every number from the tables, nothing hostile let through, the same bytes twice."""

from __future__ import annotations

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from selfcell import catalogue, readme, words
from selfcell.config import from_mapping, load_config
from selfcell.errors import DataError
from selfcell.figures import FIGURES, paper
from selfcell.report import embed
from selfcell.report.about import about
from selfcell.report.page import render
from selfcell.stats import table
from selfcell.stats.claims import CLAIMS
from selfcell.stats.contrasts import CONTRASTS
from selfcell.stats.pretrain import VERDICTS
from selfcell.study import Study
from tests.report.made import CAPTIONS, page, study
from tests.tree import REPO

VOID = {"meta", "img", "br", "hr", "link", "input", "col"}
HOSTILE = "<script>alert('x')</script>"


class Reader(HTMLParser):
    """Elements of a page, with a complaint about one that is closed out of turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def all_of(reader: Reader, tag: str, attribute: str) -> list[str]:
    """Values of an attribute of all elements of a kind."""
    found = [attributes.get(attribute) for name, attributes in reader.elements if name == tag]
    return [value for value in found if value is not None]


def downloaded(reader: Reader, name: str) -> pd.DataFrame:
    """A table as a reader saves it."""
    (address,) = [
        attributes["href"]
        for tag, attributes in reader.elements
        if tag == "a" and attributes.get("download") == name
    ]
    assert address is not None
    return pd.read_csv(io.BytesIO(base64.b64decode(address.split(",", 1)[1])))


def test_answers_come_first_with_interval_detectable_effect_and_cost(tmp_path: Path) -> None:
    facts, results = study(tmp_path)
    priced = VERDICTS.read(results / "verdicts.parquet")
    priced["cpu_s"] = np.where(priced.index % 2, np.nan, 17.6 + priced.index)
    VERDICTS.write(priced, results / "verdicts.parquet")
    text = render(facts, results, CAPTIONS)
    first = text[text.index('id="table-verdicts"') : text.index('id="contrasts"')]
    verdicts = VERDICTS.read(results / "verdicts.parquet")
    assert len(verdicts) > 3
    plain = first.replace("\u00a0", " ")
    for row in verdicts.itertuples():
        for part in (words.place(row), words.interval(row), f"{row.sde:.3f}", row.answer):
            assert part in plain
        assert (f">{row.cpu_s:.0f} s<" if row.cpu_s == row.cpu_s else ">–<") in plain
    assert plain.count("<tr>") == len(verdicts) + 1
    assert text.index('id="answers"') < text.index('id="figures"')


def test_tables_are_there_to_download_in_full(tmp_path: Path) -> None:
    facts, results = study(tmp_path)
    (results / "figures/qc.csv").write_text("a,b\n1,2\n")
    reader = Reader(render(facts, results, CAPTIONS))
    for name, kind in (("verdicts", VERDICTS), ("claims", CLAIMS), ("contrasts", CONTRASTS)):
        whole = kind.read(results / f"{name}.parquet")
        saved = downloaded(reader, f"{name}.csv")
        assert list(saved.columns) == list(whole.columns) and len(saved) == len(whole)
        number = "ours" if name == "claims" else "difference"
        np.testing.assert_allclose(saved[number], whole[number], rtol=1e-5)
    assert downloaded(reader, "figure_qc.csv").to_dict("records") == [{"a": 1, "b": 2}]


def test_failed_runs_are_shown_and_counted(tmp_path: Path) -> None:
    facts, results = study(tmp_path)
    assert "1 of 2" in page()
    assert "1 not learned, 1 ok" in page()
    scores = table.read(results / "scores.parquet")
    bad = (scores.method == "random_mask") & (scores.seed == 1) & (scores.target == "pbmc3k")
    scores.loc[bad & (scores["mode"] == "frozen"), "status"] = "collapsed"
    table.write(scores, results / "scores.parquet")
    text = render(facts, results, CAPTIONS)
    own = text[text.index('id="table-failed"') : text.index('id="table-health"')]
    aside = [int(cell) for cell in re.findall(r'aside" class="number">(\d+)<', own)]
    assert own.count(">collapsed<") == len(aside) > 0
    assert sum(aside) == int((scores.status == "collapsed").sum())
    assert 'id="table-failed"' not in page() and "Evaluations that no mean holds. None." in page()


def test_the_page_is_whole_and_needs_nothing_else() -> None:
    reader = Reader(page())
    assert reader.open == []
    assert not {tag for tag, _ in reader.elements} & {"script", "link", "iframe", "object"}
    ids = [attributes["id"] for _, attributes in reader.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    inside = [link[1:] for link in all_of(reader, "a", "href") if link.startswith("#")]
    assert set(inside) <= set(ids) and len(inside) > 10
    outside = {link.split(":")[0] for link in all_of(reader, "a", "href") if link[0] != "#"}
    assert outside <= {"data", "https", "workflow-report.html"}
    assert all(source.startswith("data:image/png") for source in all_of(reader, "img", "src"))
    assert len(all_of(reader, "img", "alt")) == len(FIGURES)
    assert all(f'id="figure-{name}"' in page() for name in FIGURES)


def test_the_same_study_gives_the_same_bytes(tmp_path: Path) -> None:
    facts, results = study(tmp_path)
    assert render(facts, results, CAPTIONS) == render(facts, results, CAPTIONS)


def test_names_are_text_and_nothing_else(tmp_path: Path) -> None:
    facts, results = study(tmp_path)
    for path in [*results.glob("data/*/qc.json"), *results.glob("splits/*.json")]:
        text = path.read_text().replace('"kang"', json.dumps(HOSTILE)).replace('"d1"', '"<b>d1"')
        path.write_text(text.replace('"Mk"', json.dumps(HOSTILE)))
    verdicts = VERDICTS.read(results / "verdicts.parquet").assign(note=HOSTILE)
    verdicts["target"] = "<img src=x onerror=alert(1)>" + verdicts.target
    VERDICTS.write(verdicts, results / "verdicts.parquet")
    facts["study"] = facts["sources"][0]["title"] = facts["methods"][0]["params"] = HOSTILE
    facts["sources"][1]["address"] = '"><script>'
    text = render(facts, results, CAPTIONS)
    reader = Reader(text)
    assert not [tag for tag, _ in reader.elements if tag in {"script", "b"}]
    assert set(all_of(reader, "img", "src")) == set(all_of(Reader(page()), "img", "src"))
    assert "&lt;script&gt;" in text and HOSTILE in reader.text


def test_the_configuration_in_the_page_runs_again() -> None:
    config = load_config(REPO / "config.yaml")
    facts = json.loads(json.dumps(about(Study(config))))
    again = from_mapping(facts["config"])
    assert again == config.model_copy(update={"mirrors": []})
    (address,) = re.findall(r'href="(data:application/json[^"]+)"', page())
    saved = json.loads(base64.b64decode(address.split(",", 1)[1]))
    assert saved == facts["config"] | {"study": "made"}


def test_licences_of_cells_and_gene_sets_are_named() -> None:
    facts = about(Study(load_config(REPO / "config.yaml")))
    names = {each["name"] for each in facts["sources"]}
    assert names >= {"kang", "pbmc3k", "baron", "msigdb_c8", "msigdb_tft", "genes", "cell_ontology"}
    assert all(each["licence"] and each["citation"] for each in facts["sources"])
    text = Reader(page()).text
    assert all(each["licence"] in text for each in facts["sources"])


def test_a_damaged_table_is_an_error(tmp_path: Path) -> None:
    facts, results = study(tmp_path)
    (results / "verdicts.parquet").write_bytes(b"half")
    with pytest.raises(DataError, match=r"verdicts\.parquet"):
        render(facts, results, CAPTIONS)


def test_a_caption_is_text_with_a_title(tmp_path: Path) -> None:
    path = tmp_path / "qc.rst"
    path.write_text("**Two\nwords.** Plain *slanted* <b>\n\nSecond.\n")
    title, html = embed.caption(path)
    assert title == "Two words"
    assert html == "<p>Plain <em>slanted</em> &lt;b&gt;</p>\n<p>Second.</p>"
    path.write_text("no title")
    with pytest.raises(DataError, match="begins without a title"):
        embed.caption(path)


def test_pictures_keep_their_pixels(tmp_path: Path) -> None:
    from matplotlib.image import imread, imsave

    image = np.full((40, 60, 3), (0.0, 0.4, 0.8))
    image[10:20] = 1.0
    imsave(tmp_path / "a.png", image)
    address, width, height = embed.picture(tmp_path / "a.png")
    content = base64.b64decode(address.split(",", 1)[1])
    np.testing.assert_allclose(imread(io.BytesIO(content))[..., :3], image, atol=0.02)
    assert (width, height) == (60, 40)


def test_the_papers_figures_are_drawn_or_say_what_they_need() -> None:
    drawn = [name for entry in paper.PAPER for name in entry.drawn]
    assert set(drawn) <= set(FIGURES)
    assert all(entry.drawn or entry.rest for entry in paper.PAPER)
    assert paper.NEEDS in page()


def test_the_page_of_figures_is_what_its_command_writes() -> None:
    page_of_figures = (REPO / "docs/figures.md").read_text(encoding="utf-8")
    parts = catalogue.figures(REPO)
    assert readme.fill(page_of_figures, parts) == page_of_figures
    assert all(f"`{name}`" in parts["figures"] for name in FIGURES)
