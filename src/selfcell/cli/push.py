"""Push a model folder to the Hugging Face Hub."""

from __future__ import annotations

import argparse
from pathlib import Path

from selfcell.cli import common


def parser() -> argparse.ArgumentParser:
    """Options of `selfcell push`."""
    made = common.make_parser(
        "push",
        "Push a model folder to the Hugging Face Hub, with a card made from it. Needs the package "
        "huggingface_hub and a login (hf auth login).",
        "selfcell push model owner/name --private",
    )
    made.add_argument("model", type=Path, help="model folder, e.g. one that pretrain wrote")
    made.add_argument("repo", help="owner/name on the Hub; made where it is absent")
    common.option(made, "--revision", "BRANCH", "branch to commit to", "trial", default="main")
    common.switch(made, "--private", "make a repository that others cannot read", "public")
    common.option(
        made, "--message", "TEXT", "of the commit", "'more cells'", default="",
        shown="names the version",
    )  # fmt: skip
    return made


def main(args: argparse.Namespace) -> None:
    """Check, push, report the commit."""
    from selfcell.hub import push

    options = {"revision": args.revision, "private": args.private, "message": args.message}
    commit = push(args.model, args.repo, **options)
    common.show({"model": f"{args.repo}@{commit}"}, args.json)
