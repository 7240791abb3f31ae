"""Links of the pages that lead out of docs/: files of the repository, which a site does not hold.

On the site they stand as the name of the file, or as a link where `repo_url` is set in mkdocs.yml.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

LINK = re.compile(r"!?\[([^\]]+)\]\((?!\w+:|#)([^)#\s]+)(#[^)]*)?\)")


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """Called by mkdocs for each page."""
    folder = posixpath.dirname(page.file.src_uri)
    docs = Path(config["docs_dir"])

    def outside(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, match[2]))
        if not target.startswith(".."):
            return match[0]
        path = posixpath.normpath(posixpath.join(docs.name, target))
        if not (docs.parent / path).exists():
            return match[0]  # mkdocs says what is wrong with it
        if config["repo_url"]:
            return f"[{match[1]}]({config['repo_url'].rstrip('/')}/blob/main/{path})"
        return f"`{path}`" if match[1] == path else f"{match[1]} (`{path}`)"

    return LINK.sub(outside, markdown)
