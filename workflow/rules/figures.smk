"""Figures: each is drawn from one small table, which the same job makes from the study's files."""

FIGURE = f"{RESULTS}/figures/{{figure}}"
FIGURE_FILES = expand(f"{FIGURE}.{{kind}}", figure=FIGURES, kind=["csv", "pdf", "png"])


# One map for each target and corpus, control corpora and parts of corpora apart.
MAPS = [
    (mapped_model(corpus), target)
    for target in CONFIG.targets
    for corpus in STUDY.whole_corpora(target.name)
    if not STUDY.corpora[corpus].shuffle_genes
]
# One model of each corpus tells its size.
SIZES = [
    f"{mapped_model(corpus)}/model.json"
    for corpus in STUDY.corpora
    if any(model.corpus == corpus for model in STUDY.models())
]
# One model of each corpus and method tells its settings.
ENTRIES = [
    f"{MODEL.format(**model._asdict())}/model.json"
    for model in STUDY.models()
    if model.seed == CONFIG.pretraining.seeds[0]
]
SCORES = f"{RESULTS}/scores.parquet"
CONTRASTS = f"{RESULTS}/contrasts.parquet"
PREDICTIONS = f"{RESULTS}/predictions.parquet"
TABLE_INPUTS = {
    "contrasts": [CONTRASTS],
    "gain_map": [CONTRASTS, *SIZES],
    "claims": [f"{RESULTS}/claims.parquet"],
    "label_efficiency": [SCORES, CONTRASTS],
    "arms": [SCORES, CONTRASTS],
    "pretexts": [SCORES, CONTRASTS],
    "programmes": [SCORES, CONTRASTS],
    "sweeps": [SCORES, *ENTRIES],
    "cost": [CONTRASTS, f"{RESULTS}/costs.parquet"],
    "per_type": [f"{RESULTS}/type_changes.parquet"],
    "confusion": [PREDICTIONS, SCORES, *splits(STUDY.targets)],
    "reconstruction": [SCORES],
    "protein": [SCORES],
    "integration": [SCORES],
    "unseen": [SCORES],
    "embedding": [f"{RESULTS}/maps.parquet"],
    "collapse": [f"{RESULTS}/health.parquet"],
    "training": expand("{folder}/history.parquet", folder=MODEL_FOLDERS),
    "qc": expand(f"{RESULTS}/data/{{name}}/qc.parquet", name=STUDY.datasets),
}


rule project:
    input:
        models=[f"{folder}/{file}" for folder, _ in MAPS for file in run_files("model")],
        stores=stores(sorted({target.dataset for _, target in MAPS})),
        splits=splits(sorted({target.name for _, target in MAPS})),
    output:
        f"{RESULTS}/maps.parquet",
    log:
        f"{LOGS}/project.log",
    benchmark:
        f"{BENCHMARKS}/project.jsonl"
    conda:
        ENV
    resources:
        mem_mb=grows(1300, 5),
        runtime=grows(4, 0.01),
    params:
        maps=[
            f"--map {folder} {RESULTS}/splits/{target.name}.json"
            for folder, target in MAPS
        ],
        stores=[
            f"--store {target.dataset}={RESULTS}/data/{target.dataset}/store"
            for _, target in MAPS
        ],
        code=code("project"),
    shell:
        f"python3 {SCRIPTS}/project.py"
        " {params.maps} {params.stores} --threads {threads} --out {output}"
        " 2> >(tee {log} >&2)"


# Of a MB of the score table, whose words are packed well; predictions take less.
FIGURE_MB = {name: 20 if name == "confusion" else 77 for name in FIGURES}


for name in FIGURES:

    rule:
        name:
            f"figure_{name}"
        input:
            TABLE_INPUTS[name],
        output:
            csv=f"{RESULTS}/figures/{name}.csv",
            pdf=f"{RESULTS}/figures/{name}.pdf",
            png=report(
                f"{RESULTS}/figures/{name}.png",
                caption=f"../report/{name}.rst",
                category="Figures",
                labels={"figure": name},
            ),
        log:
            f"{LOGS}/figure/{name}.log",
        benchmark:
            f"{BENCHMARKS}/figure/{name}.jsonl"
        conda:
            ENV
        resources:
            mem_mb=grows(820, FIGURE_MB[name]),
            runtime=grows(4, 0.01),
        params:
            name=name,  # the command is formatted late, when the loop is over
            code=code(f"figure_{name}"),
        shell:
            f"python3 {SCRIPTS}/figure_{{params.name}}.py"
            " {input} --table {output.csv} --pdf {output.pdf} --png {output.png}"
            " 2> >(tee {log} >&2)"
