"""The score table, and what the differences between arms amount to."""

from selfcell.stats.published import TABLES, file_of

MODEL_FOLDERS = [MODEL.format(**model._asdict()) for model in STUDY.models()]
# Runs of every task, and those of one.
TASK_FOLDERS = [
    *[FROZEN.format(**model._asdict()) for model in STUDY.evaluated()],
    *[RECONSTRUCT.format(**model._asdict()) for model in autoencoders.jobs(STUDY)],
    *[BASELINE.format(target=target) for target in STUDY.targets if CONFIG.baselines],
]
RUN_FOLDERS = [
    *TASK_FOLDERS,
    *[FINETUNE.format(**job._asdict()) for job in STUDY.fine_tunes()],
    *[
        PROTEIN.format(protein=job.target, **job._asdict())
        for job in STUDY.protein_jobs()
    ],
    *[INTEGRATE.format(mixture=target) for target in STUDY.mixtures],
    *[
        CONTINUED.format(mixture=job.target, **job._asdict())
        for job in STUDY.continued()
    ],
    *[UNSEEN.format(afar=target) for target in STUDY.unseen],
]
BY_GENE = expand(
    f"{RESULTS}/reconstruction_{{part}}.parquet",
    part=["genes", "programmes"] if CONFIG.reconstruction else [],
)


rule by_gene:
    input:
        runs=expand("{folder}/genes.parquet", folder=TASK_FOLDERS),
        vocabulary=f"{RESULTS}/vocabulary.parquet",
        gene_sets=gmt_files(STUDY.programmes()),
    output:
        genes=f"{RESULTS}/reconstruction_genes.parquet",
        programmes=f"{RESULTS}/reconstruction_programmes.parquet",
    log:
        f"{LOGS}/by_gene.log",
    benchmark:
        f"{BENCHMARKS}/by_gene.jsonl"
    conda:
        ENV
    resources:
        mem_mb=grows(1200, 20),
        runtime=grows(4, 0.02),
    params:
        runs="\n".join(TASK_FOLDERS),
        gene_sets=lambda wildcards, input: gene_set_option(wildcards, input),
        code=code("by_gene"),
    shell:
        f"python3 {SCRIPTS}/by_gene.py"
        " --runs <(echo {params.runs:q}) --vocabulary {input.vocabulary}"
        " {params.gene_sets} --out-genes {output.genes} --out-programmes {output.programmes}"
        " 2> >(tee {log} >&2)"


rule collect:
    input:
        models=expand("{folder}/card.json", folder=MODEL_FOLDERS),
        runs=expand(
            "{folder}/{file}", folder=RUN_FOLDERS, file=["scores.parquet", "card.json"]
        ),
        splits=splits(STUDY.targets),
        ontology=ontology_file(),
        labels=[CONFIG.lineage.labels or LABELS] * CONFIG.lineage.scores,
    output:
        lineage=f"{RESULTS}/lineage.json",
        scores=f"{RESULTS}/scores.parquet",
        predictions=f"{RESULTS}/predictions.parquet",
        costs=f"{RESULTS}/costs.parquet",
        health=f"{RESULTS}/health.parquet",
        provenance=f"{RESULTS}/provenance.json",
    log:
        f"{LOGS}/collect.log",
    benchmark:
        f"{BENCHMARKS}/collect.jsonl"
    conda:
        ENV
    resources:
        mem_mb=grows(1800, 80),
        runtime=grows(3, 0.05),
    params:
        # Folders go through files, since thousands would not fit on a command line.
        models="\n".join(MODEL_FOLDERS),
        runs="\n".join(RUN_FOLDERS),
        lineage=ontology_options(),
        code=code("collect"),
    shell:
        f"python3 {SCRIPTS}/collect.py"
        " --models <(echo {params.models:q}) --runs <(echo {params.runs:q})"
        " {params.lineage} --lineage {output.lineage}"
        " --scores {output.scores} --predictions {output.predictions} --costs {output.costs}"
        " --health {output.health} --provenance {output.provenance} 2> >(tee {log} >&2)"


rule shared_variance:
    input:
        stores=stores(STUDY.datasets),
        splits=splits(STUDY.every),
    output:
        f"{RESULTS}/shared_variance.parquet",
    log:
        f"{LOGS}/shared_variance.log",
    benchmark:
        f"{BENCHMARKS}/shared_variance.jsonl"
    conda:
        ENV
    resources:
        mem_mb=grows(700, 6),
        runtime=grows(4, 0.02),
    params:
        stores=named(f"{RESULTS}/data/{{name}}/store", STUDY.datasets, "name"),
        corpora=corpora_json(),
        targets=json.dumps({name: STUDY.whole_corpora(name) for name in STUDY.targets}),
        code=code("shared_variance"),
    shell:
        f"python3 {SCRIPTS}/shared_variance.py"
        " --stores {params.stores} --splits {input.splits}"
        " --corpora {params.corpora:q} --targets {params.targets:q} --out {output}"
        " 2> >(tee {log} >&2)"


rule contrasts:
    input:
        shared=f"{RESULTS}/shared_variance.parquet",
        scores=f"{RESULTS}/scores.parquet",
        predictions=f"{RESULTS}/predictions.parquet",
        costs=f"{RESULTS}/costs.parquet",
        splits=splits(STUDY.targets),
    output:
        contrasts=f"{RESULTS}/contrasts.parquet",
        tasks=f"{RESULTS}/task_contrasts.parquet",
        types=f"{RESULTS}/type_changes.parquet",
        verdicts=f"{RESULTS}/verdicts.parquet",
    log:
        f"{LOGS}/contrasts.log",
    benchmark:
        f"{BENCHMARKS}/contrasts.jsonl"
    conda:
        ENV
    resources:
        mem_mb=grows(300, 34),
        runtime=grows(3, 0.02),
    params:
        spec=json.dumps(
            {
                "control_corpora": [
                    corpus.name for corpus in CONFIG.corpora if corpus.shuffle_genes
                ],
                "parts": [corpus.name for corpus in CONFIG.corpora if corpus.part_of],
                "negative_controls": {
                    target.name: target.negative_control for target in CONFIG.targets
                },
                "ready": list(STUDY.ready),
            }
        ),
        code=code("contrasts"),
    shell:
        f"python3 {SCRIPTS}/contrasts.py"
        " --scores {input.scores} --predictions {input.predictions}"
        " --costs {input.costs} --splits {input.splits} --shared {input.shared} --spec {params.spec:q}"
        " --out {output.contrasts} --tasks {output.tasks} --types {output.types}"
        " --verdicts {output.verdicts} 2> >(tee {log} >&2)"


rule claims:
    input:
        claims=f"{HOME}resources/claims.yaml",
        published=[f"{HOME}{file_of(name)}" for name in TABLES],
        contrasts=f"{RESULTS}/contrasts.parquet",
        scores=f"{RESULTS}/scores.parquet",
        types=f"{RESULTS}/type_changes.parquet",
    output:
        f"{RESULTS}/claims.parquet",
    log:
        f"{LOGS}/claims.log",
    benchmark:
        f"{BENCHMARKS}/claims.jsonl"
    conda:
        ENV
    resources:
        mem_mb=grows(600, 80),
        runtime=grows(4),
    params:
        study=CONFIG.study,
        published=lambda wildcards, input: Path(input.published[0]).parent,
        code=code("claims"),
    shell:
        f"python3 {SCRIPTS}/claims.py"
        " --claims {input.claims:q} --published {params.published:q}"
        " --contrasts {input.contrasts} --scores {input.scores} --types {input.types}"
        " --study {params.study:q} --out {output} 2> >(tee {log} >&2)"
