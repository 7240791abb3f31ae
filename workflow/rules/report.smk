"""The report: one page with the answers, the figures and where they come from."""

import os

from selfcell.provenance import PACKAGE
from selfcell.report.about import about

REPORT_TABLES = [
    "scores",
    "contrasts",
    "task_contrasts",
    "verdicts",
    "claims",
    "health",
    "costs",
]


rule report:
    input:
        tables=[f"{RESULTS}/{name}.parquet" for name in REPORT_TABLES],
        pages=[f"{RESULTS}/provenance.json", f"{RESULTS}/audit.json"],
        quality=expand(f"{RESULTS}/data/{{name}}/qc.json", name=STUDY.datasets),
        splits=splits(STUDY.targets),
        figures=[file for file in FIGURE_FILES if not file.endswith(".pdf")],
        captions=[f"{HOME}workflow/report/{name}.rst" for name in FIGURES],
        look=[
            os.path.relpath(PACKAGE / "report" / name)
            for name in ("page.html", "style.css")
        ],
    output:
        f"{RESULTS}/report.html",
    log:
        f"{LOGS}/report.log",
    benchmark:
        f"{BENCHMARKS}/report.jsonl"
    conda:
        ENV
    resources:
        mem_mb=grows(900, 60),
        runtime=grows(4, 0.05),
    params:
        about=json.dumps(about(STUDY), sort_keys=True),
        results=lambda wildcards, output: Path(output[0]).parent,
        code=code("report"),
    shell:
        f"python3 {SCRIPTS}/report.py"
        " --about {params.about:q} --results {params.results}"
        " --captions {input.captions:q} --out {output} 2> >(tee {log} >&2)"
