"""What the documentation site needs beyond the pages in docs/: hooks of MkDocs, named in mkdocs.yml.

Pages are written so that they work where they stand, in the repository. For the site this

- adds README.md as the first page, and the other pages and files at the top that pages link to;
- turns links that leave docs/ into links on the site (a link to a folder becomes plain words);
- turns each notebook into a page that shows what was printed when it was last run;
- writes the page of the public names, from what ``socialfinance`` hands out, so that none is forgotten.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from inspect import ismodule
from pathlib import Path
from posixpath import dirname, join, normpath, relpath
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
TOP = ("ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")
HOME, API = "index.md", "api.md"
LINK = re.compile(r"(?P<text>\[[^\[\]]*\])\((?P<target>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
ABOUT_API = """# API reference

What `import socialfinance as sf` hands out. Everything else is the library's own and may change.
"""
ENTRY = """::: {place}
    options:
      heading: sf.{name}
      toc_label: sf.{name}
"""
ROLE = re.compile(r":(?:class|func|data|meth|mod|attr):(?=<code>)")
"""What a docstring says of a name for Sphinx, which is not what makes this site."""


# --- pages ----------------------------------------------------------------------------------------


def pages() -> dict[str, str]:
    """Pages that are made for the site, by their place on it."""
    made = {HOME: ROOT / "README.md", **{name: ROOT / name for name in TOP}}
    found = {place: for_site(file.read_text(encoding="utf-8"), file) for place, file in made.items()}
    for file in sorted((DOCS / "notebooks").glob("*.ipynb")):
        found[f"notebooks/{file.stem}.md"] = notebook_page(json.loads(file.read_text(encoding="utf-8")))
    found[API] = api_page()
    return found


def for_site(text: str, file: Path) -> str:
    """A page's text with links as they are on the site; what stands in fences stays as it is."""
    parts, last = [], 0
    for fence in FENCE.finditer(text):
        parts += [_links(text[last : fence.start()], file), fence[0]]
        last = fence.end()
    return "".join([*parts, _links(text[last:], file)])


def _links(text: str, file: Path) -> str:
    here = dirname(place_of(file))

    def linked(link: re.Match[str]) -> str:
        target = (file.parent / link["target"]).resolve()
        if "://" in link["target"] or not target.is_relative_to(ROOT) or not target.exists():
            return link[0]
        if target.is_dir():
            return link["text"][1:-1]
        return f"{link['text']}({relpath(place_of(target), here or '.')}{link['anchor'] or ''})"

    return LINK.sub(linked, text)


def place_of(file: Path) -> str:
    """Where a file of the repository stands on the site."""
    if file == ROOT / "README.md":
        return HOME
    place = (file.relative_to(DOCS) if file.is_relative_to(DOCS) else file.relative_to(ROOT)).as_posix()
    return place.removesuffix(".ipynb") + ".md" if place.endswith(".ipynb") else place


def linked_files() -> set[Path]:
    """Files outside docs/ that pages link to and that are no pages themselves."""
    found = set()
    for page in (ROOT / "README.md", *(ROOT / name for name in TOP), *DOCS.rglob("*.md")):
        for link in LINK.finditer(page.read_text(encoding="utf-8")):
            target = Path(normpath(join(page.parent, link["target"])))
            if target.is_file() and not target.is_relative_to(DOCS) and target.suffix != ".md":
                found.add(target)
    return found


def notebook_page(book: dict[str, Any]) -> str:
    """A notebook as a page: words as they are, code and what it printed in fences."""
    parts = []
    for cell in book["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        parts += [f"```text\n{printed.strip(chr(10))}\n```" for printed in _printed(cell["outputs"])]
    return "\n\n".join(parts) + "\n"


def _printed(outputs: list[dict[str, Any]]) -> Iterator[str]:
    for output in outputs:
        text = output.get("text") or output.get("data", {}).get("text/plain") or []
        if text:
            yield text if isinstance(text, str) else "".join(text)


def api_page() -> str:
    """One entry for every public name, at the place where it is written."""
    import socialfinance as sf

    names = [*sf.__all__, *(name for name in sf._WHERE if name not in sf.__all__), "solve"]
    entries: dict[str, str] = {}
    for name in dict.fromkeys(names):
        thing = getattr(sf, name)
        if not name.startswith("_"):
            place = thing.__name__ if ismodule(thing) else f"{thing.__module__}.{thing.__qualname__}"
            entries[name] = ENTRY.format(place=place, name=name)
    return "\n".join([ABOUT_API, *entries.values()])


# --- hooks of MkDocs ------------------------------------------------------------------------------


def on_files(files: Any, config: Any) -> Any:
    """Add what is made for the site."""
    from mkdocs.structure.files import File

    for place, text in pages().items():
        files.append(File.generated(config, place, content=text))
    for file in sorted(linked_files()):
        files.append(File.generated(config, place_of(file), abs_src_path=str(file)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Links of the pages in docs/ as they are on the site."""
    file = DOCS / page.file.src_uri
    return for_site(markdown, file) if file.is_file() else markdown


def on_page_content(html: str, page: Any, config: Any, files: Any) -> str:
    """Names in docstrings, without what they are."""
    return ROLE.sub("", html)
