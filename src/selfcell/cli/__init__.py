"""The command `selfcell`: what one does with one file of cells, and what a study will take.

Each command is a module with `parser()` and `main(args)`. Exit codes: 0 done, 1 `doctor` found
something to mend (or a fault of ours, which shows its traceback), 2 an error of the user's, in one
line (`--debug` shows its traceback), 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

from selfcell import __version__, job
from selfcell.data.parse import nearest

COMMANDS = {
    "example": "write a public data set of the study as h5ad, to try the others on",
    "doctor": "say what is wrong with a file of cells, and how to mend it",
    "convert": "convert a file of cells to a store of this project, or a store to h5ad",
    "embed": "embed cells with a pre-trained model",
    "annotate": "name cell types, learned from a labelled file",
    "pretrain": "pre-train a model on a file of cells, without labels",
    "compare": "run the study on a labelled file: should I pre-train?",
    "import-checkpoint": "turn a released checkpoint of the paper into a model folder",
    "push": "push a model folder to the Hugging Face Hub",
    "card": "describe a model folder in Markdown",
    "plan": "say what a study will take, before it is run",
}
ENDING = """
Exit codes: 0 done; 1 doctor found something to mend; 2 an error of yours, in one line;
130 interrupted.
Each command explains itself: selfcell embed --help"""


def module(name: str) -> ModuleType:
    """The module of a command."""
    return import_module(f"selfcell.cli.{name.replace('-', '_')}")


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command line (that of the process if None); exits as the module says."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help"):
        listed = "\n".join(f"  {name:<18}{text}" for name, text in COMMANDS.items())
        print(f"usage: selfcell COMMAND ...\n\n{listed}\n{ENDING}")
        sys.exit(0 if words else 2)
    if words[0] == "--version":
        print(f"selfcell {__version__}")
        sys.exit(0)
    if words[0] not in COMMANDS:
        said = f"error: unknown command {words[0]!r}; {nearest(words[0], COMMANDS)}"
        print(said, file=sys.stderr)
        sys.exit(2)
    command = module(words[0])
    job.run(command.main, command.parser(), words[1:])
