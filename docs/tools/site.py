"""The hook of `mkdocs.yml`: the site has the paths of the repository, and its navigation.

Pages link to each other as files of the repository do (`../ARCHITECTURE.md`), so that they can be
read there. Here docs/ moves below `docs/` in the site, the pages outside it join, and what a page
links besides (a source, an example) is published as it is. A link to anything else is an error.
"""

from __future__ import annotations

import posixpath
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mkdocs.structure.files import File, Files

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

ROOT: Final = Path(__file__).parents[2]
LINK: Final = re.compile(r'(?:\]\(|src=")([^)#\s"]+)')
OUTSIDE: Final = ("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md")
SECTIONS: Final = {
    "Start": ("README", "docs/tutorial", "docs/demo", "docs/guarantees"),
    "Write a client": ("docs/client", "docs/sdk-js", "docs/http", "docs/protocol", "docs/codes"),
    "Extend the node": ("docs/hooks", "docs/push", "docs/media", "docs/e2ee"),
    "Run it": (
        *(
            "docs/operations",
            "docs/metrics",
            "docs/limits",
            "docs/tuning",
            "docs/edge",
            "docs/security",
        ),
        *("docs/admin", "docs/scale", "docs/load"),
    ),
    "Trust it": (*("docs/reliability", "docs/simulation", "docs/conformance", "benches/README"),),
    "Change it": ("ARCHITECTURE", "CONTRIBUTING", "docs/journey", "docs/states", "docs/storage"),
    "Decisions": ("docs/decisions/README",),
    "Everything": ("docs/README", "CHANGELOG"),
}
"""Pages by who reads them. One that stands nowhere comes last in `Everything`, so none is lost."""


def on_config(config: MkDocsConfig) -> None:
    """Write the navigation from the pages that there are."""
    left = {path.removesuffix(".md") for path in pages()}
    config.nav = []
    for title, names in SECTIONS.items():
        there = [name for name in names if name in left]
        left -= set(there)
        if title == "Decisions":
            there += sorted(name for name in left if name.startswith("docs/decisions/"))
            left -= set(there)
        if title == "Everything":
            there += sorted(left)
        config.nav.append({title: [f"{name}.md" for name in there]})


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Give every page, and whatever pages link, the path that it has in the repository."""
    # The theme's own files have no place in docs/ and stay where they are.
    kept = [file for file in files if file.src_dir != config.docs_dir]
    paths = pages()
    linked = {target for path in paths for target in targets(path)}
    published = sorted(set(paths) | {path for path in linked if (ROOT / path).is_file()})
    ours = [File(path, str(ROOT), config.site_dir, use_directory_urls=True) for path in published]
    return Files([*kept, *ours])


def pages() -> list[str]:
    """Every Markdown page of docs/, those outside that it needs, and what these link in turn."""
    listed = git("docs/*.md") + [path for path in OUTSIDE if (ROOT / path).exists()]
    found = dict.fromkeys(listed)
    for path in found:
        more = [target for target in targets(path) if target.endswith(".md")]
        listed += [target for target in more if target not in found and (ROOT / target).is_file()]
    return sorted(set(listed))


def targets(path: str) -> list[str]:
    """The files of the repository that a page links, by their paths from its root."""
    if not path.endswith(".md"):
        return []
    here = posixpath.dirname(path)
    links = [link for link in LINK.findall((ROOT / path).read_text()) if "://" not in link]
    return [posixpath.normpath(posixpath.join(here, link)) for link in links]


def git(pattern: str) -> list[str]:
    """Files that git knows or would know: nothing that only lies around is published."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", pattern]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for path in done.stdout.splitlines() if (ROOT / path).exists()]


def on_page_markdown(markdown: str, **_: object) -> str:
    """Set lists and tables off by an empty line: this Markdown wants one, others do not."""
    lines: list[str] = []
    fenced = False
    for line in markdown.split("\n"):
        fenced ^= line.lstrip().startswith("```")
        if lines and not fenced and begins_block(lines[-1], line):
            lines.append("")
        lines.append(line)
    return "\n".join(lines)


def begins_block(before: str, line: str) -> bool:
    """Whether a list or a table begins at `line`, or a table has ended before it."""
    if not before.strip() or not line.strip():
        return False
    in_table, in_list = before.startswith("|"), bool(re.match(r"\s|- |\d+\. ", before))
    if in_table or line.startswith("|"):
        return in_table != line.startswith("|")
    return not in_list and bool(re.match(r"- |1\. ", line))
