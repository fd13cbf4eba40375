"""How Sphinx builds this documentation."""

from __future__ import annotations

from flask_smtpservers import __version__

project = "Flask-SMTPServers"
copyright = "2026 The Flask-SMTPServers developers"  # noqa: A001 - Sphinx's name
author = "The Flask-SMTPServers developers"
version = release = __version__

extensions = ["myst_parser", "pallets_sphinx_themes", "sphinx.ext.autodoc"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
autodoc_typehints = "description"
autodoc_member_order = "bysource"

html_theme = "flask"
html_title = f"Flask-SMTPServers {version}"
html_static_path: list[str] = []
html_copy_source = False
html_show_sourcelink = False
