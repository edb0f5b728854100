"""Sphinx's configuration. Nothing is executed, and no page loads anything from elsewhere."""

from lumbar.core.constants import VERSION
from lumbar.core.extras import SOURCE

project = "lumbar"
author = copyright = "The lumbar developers"
version = release = VERSION
extensions = ["myst_nb", "docs.site.extension"]
root_doc = "index"
language = "en"
smartquotes_action = "q"  # quotes alone: the two hyphens of an option are no dash

# The notebooks are shown as they are committed.
nb_execution_mode = "off"
nb_merge_streams = True

# Headings have the anchors that they have on GitHub.
myst_heading_anchors = 4

# Lexers warn of `%pip` and of "…" in code; both are meant.
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "furo"
html_title = "lumbar"
html_static_path = ["static"]
templates_path = ["templates"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_show_copyright = False
html_use_index = False
html_domain_indices = False
pygments_style = "tango"
pygments_dark_style = "monokai"
html_theme_options = {
    "source_repository": SOURCE,
    "source_branch": "main",
    "source_directory": "",
    "top_of_page_buttons": [],
    "footer_icons": [],
    "announcement": "For teaching. Not for diagnosis.",
    "light_css_variables": {"color-brand-primary": "#0b6e8f", "color-brand-content": "#0b6e8f"},
    "dark_css_variables": {"color-brand-primary": "#6cc5e3", "color-brand-content": "#6cc5e3"},
}
