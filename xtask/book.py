"""A hook of MkDocs: the book has the pages and parts of docs/SUMMARY.md, and what it links to outside of docs is in the repository."""
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENTRY = re.compile(r"^( *)- \[(.+)\]\((\S+)\)$")
LINK = re.compile(r"\]\(((?:\.\./)+[^)\s]+)\)")


def on_config(config):
    """Reads the order of the pages."""
    parts = []
    pages = parts
    for line in (ROOT / "docs/SUMMARY.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            pages = []
            parts.append({line[2:]: pages})
        elif entry := ENTRY.match(line):
            indent, title, path = entry.groups()
            if indent:
                # Below the page before, which opens its list.
                (name, below), = pages[-1].items()
                if isinstance(below, str):
                    below = [{name: below}]
                    pages[-1] = {name: below}
                below.append({title: path})
            else:
                pages.append({title: path})
    config.nav = [{"What it is": "README.md"}, *(part for part in parts if any(part.values()))]
    return config


def on_page_markdown(markdown, *, page, **_):
    """Leads what is outside of docs to the repository."""
    repository = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]["package"]["repository"]
    folder = (ROOT / "docs" / page.file.src_path).parent

    def lead(match):
        name, hash_, anchor = match[1].partition("#")
        path = (folder / name).resolve()
        if ROOT / "docs" in path.parents or ROOT not in path.parents:
            return match[0]
        kind = "tree" if path.is_dir() else "blob"
        return f"]({repository}/{kind}/main/{path.relative_to(ROOT)}{hash_}{anchor})"

    return LINK.sub(lead, markdown)
