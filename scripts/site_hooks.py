"""What `mkdocs` does beside its own: tutorials, the API, and files outside docs that pages link to.

The latter are part of the site, under `repository/`: pages read the same in the repository and in the site, and no link
of the site leads out of it.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from nbconvert import MarkdownExporter

from scripts.api_pages import pages as api_pages

ROOT = Path(__file__).parents[1]
PAGES = ("CHANGELOG.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "SECURITY.md")
"""Pages of the repository's root that are in the navigation."""
LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)\s#]+)(?=[#)\s])")
"""The address of a link or a picture that is in the repository, without its anchor."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add tutorials, the Python API, and what pages link to outside docs, and what such pages link to in turn."""
    for notebook in [file for file in files if file.src_uri.endswith(".ipynb")]:
        uri = notebook.src_uri.removesuffix(".ipynb") + ".md"
        files.append(File.generated(config, uri, content=_as_page(Path(str(notebook.abs_src_path)))))
    for name, text in api_pages().items():
        files.append(File.generated(config, f"reference/python/{name}.md", content=text))
    for name in PAGES:
        files.append(_of_repository(f"repository/{name}", config))
    pages = list(files.documentation_pages())
    while pages:
        page = pages.pop()
        for target in LINK.findall(page.content_string):
            uri = in_site(page.src_uri, target)
            if uri.startswith("repository/") and files.get_file_from_path(uri) is None:
                file = _of_repository(uri, config)
                files.append(file)
                pages += [file] if file.is_documentation_page() else []
    return files


def _as_page(notebook: Path) -> str:
    """A notebook as Markdown."""
    text: str = MarkdownExporter().from_filename(str(notebook))[0]  # type: ignore[no-untyped-call]
    return f'{text}\n<a href="{notebook.name}" download>Download this page as a notebook</a>\n'


def _of_repository(uri: str, config: MkDocsConfig) -> File:
    return File.generated(config, uri, abs_src_path=str(ROOT / uri.removeprefix("repository/")))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """The text of a page with links to where their targets are in the site."""
    here = page.file.src_uri

    def moved(match: re.Match[str]) -> str:
        found = re.sub(r"\.ipynb$", ".md", in_site(here, match[1]))
        return relpath(found, str(PurePosixPath(here).parent))

    return LINK.sub(moved, markdown)


def in_site(page: str, target: str) -> str:
    """Where the file lies in the site that the page at ``page`` names by ``target``, as one does in the repository."""
    at = page.removeprefix("repository/") if page.startswith("repository/") else f"docs/{page}"
    found = normpath(f"{PurePosixPath(at).parent}/{target}")
    return found.removeprefix("docs/") if found.startswith("docs/") else f"repository/{found}"
