"""MkDocs' hook that makes a page of docs/tour.ipynb as it was committed, outputs included.

mkdocs-jupyter would do the same, but its pages fetch MathJax from another server, bring JupyterLab's style, and leave
links to other pages as they are. As Markdown a notebook is a page like the others.
"""

from mkdocs.structure.files import File
from nbconvert import MarkdownExporter


def on_files(files, config):
    """Adds to each notebook, which stays as a file, a Markdown page of the same name, its pictures within it."""
    exporter = MarkdownExporter(config={"ExtractOutputPreprocessor": {"enabled": False}})
    for notebook in [file for file in files if file.src_uri.endswith(".ipynb")]:
        page, _ = exporter.from_filename(notebook.abs_src_path)
        files.append(File.generated(config, notebook.src_uri.replace(".ipynb", ".md"), content=page))
    return files
