"""The score table, and what the differences between arms amount to."""

MODEL_FOLDERS = [MODEL.format(**model._asdict()) for model in STUDY.models()]
RUN_FOLDERS = [
    *[FROZEN.format(**model._asdict()) for model in STUDY.models()],
    *[FINETUNE.format(**job._asdict()) for job in STUDY.fine_tunes()],
    *[BASELINE.format(target=target) for target in STUDY.targets if CONFIG.baselines],
]


rule collect:
    input:
        models=expand("{folder}/card.json", folder=MODEL_FOLDERS),
        runs=expand(
            "{folder}/{file}", folder=RUN_FOLDERS, file=["scores.parquet", "card.json"]
        ),
    output:
        scores=RESULTS + "/scores.parquet",
        predictions=RESULTS + "/predictions.parquet",
        costs=RESULTS + "/costs.parquet",
        provenance=RESULTS + "/provenance.json",
    log:
        LOGS + "/collect.log",
    benchmark:
        BENCHMARKS + "/collect.jsonl"
    conda:
        ENV
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        # Folders go through files, since thousands would not fit on a command line.
        models="\n".join(MODEL_FOLDERS),
        runs="\n".join(RUN_FOLDERS),
        code=code("collect"),
    shell:
        "{RUN}/collect.py --models <(echo {params.models:q}) --runs <(echo {params.runs:q})"
        " --scores {output.scores} --predictions {output.predictions} --costs {output.costs}"
        " --provenance {output.provenance} 2> >(tee {log} >&2)"


rule contrasts:
    input:
        scores=RESULTS + "/scores.parquet",
        predictions=RESULTS + "/predictions.parquet",
        costs=RESULTS + "/costs.parquet",
        splits=splits(STUDY.targets),
    output:
        contrasts=RESULTS + "/contrasts.parquet",
        verdicts=RESULTS + "/verdicts.parquet",
    log:
        LOGS + "/contrasts.log",
    benchmark:
        BENCHMARKS + "/contrasts.jsonl"
    conda:
        ENV
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        spec=json.dumps(
            {
                "control_corpora": [
                    corpus.name for corpus in CONFIG.corpora if corpus.shuffle_genes
                ]
            }
        ),
        code=code("contrasts"),
    shell:
        "{RUN}/contrasts.py --scores {input.scores} --predictions {input.predictions}"
        " --costs {input.costs} --splits {input.splits} --spec {params.spec:q}"
        " --out {output.contrasts} --verdicts {output.verdicts} 2> >(tee {log} >&2)"
