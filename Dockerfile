# The study's environment from its lock. The checkout is mounted, so code and results are its own:
#
#   docker build --tag selfcell .
#   docker run --rm --volume "$PWD:/study" selfcell --cores all
#
#   apptainer build selfcell.sif docker-daemon://selfcell:latest
#   apptainer run --bind "$PWD:/study" --pwd /study selfcell.sif --cores all
FROM python:3.11-slim

# git names the commit in the provenance of each result; torch compiles its kernels for a GPU in C.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc git libc6-dev \
    && rm -rf /var/lib/apt/lists/* \
    && git config --system --add safe.directory /study

# A CPU-only torch is a matter of pip's own variable (README, "Run it"):
#   docker build --build-arg PIP_EXTRA_INDEX_URL=ADDRESS --tag selfcell .
ARG PIP_EXTRA_INDEX_URL
COPY Snakefile config.yaml pyproject.toml README.md LICENSE /selfcell/
COPY configs /selfcell/configs
COPY envs /selfcell/envs
COPY profiles /selfcell/profiles
COPY resources /selfcell/resources
COPY results/released /selfcell/results/released
COPY src /selfcell/src
COPY workflow /selfcell/workflow
RUN pip install --no-cache-dir --constraint /selfcell/envs/constraints.txt '/selfcell[integration,slurm,cluster-generic]'

# What runs is the code of the mounted checkout, not the copy that the image was built from.
ENV PYTHONPATH=/study/src
WORKDIR /study
ENTRYPOINT ["snakemake"]
