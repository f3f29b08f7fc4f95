"""Sphinx's configuration of the documentation site, one language at a time (docs/decisions/0013).

`docs/site/build.py` builds both. A page is docs/NAME.md in English and docs/NAME.zh.md in Chinese: each language
takes its own suffix, so that in both the page is called NAME.
"""

import os

import huiyao

LANGUAGE = os.environ.get("DOCS_LANGUAGE", "en")
CHINESE = LANGUAGE == "zh"

project = "会邀" if CHINESE else "Huiyao"
author = "Huiyao"
release = version = huiyao.__version__
language = "zh_CN" if CHINESE else "en"

extensions = ["myst_parser", "docs.site.pages", "docs.site.searching"]
source_suffix = {".zh.md" if CHINESE else ".md": "markdown"}
include_patterns = ["**.zh.md"] if CHINESE else ["**"]
exclude_patterns = ["site/**", *([] if CHINESE else ["**.zh.md"])]
suppress_warnings = ["misc.highlighting_failure"]  # an example with … in it is still an example
root_doc = "index"
nitpicky = True

myst_heading_anchors = 4  # as on GitHub, where the same pages are read
myst_url_schemes = {
    "http": None,
    "https": None,
    "mailto": None,
    "english": {"url": "{{path}}#{{fragment}}"},  # written by docs.site.pages
}
smartquotes = False
highlight_language = "text"

html_theme = "furo"
html_title = f"{project} {release}"
html_short_title = project
html_static_path = ["static"]
html_css_files = ["site.css"]
templates_path = ["templates"]
html_copy_source = False
html_show_copyright = False
html_show_sphinx = True
html_use_index = False
html_domain_indices = False
html_theme_options: dict[str, list[str]] = {"top_of_page_buttons": []}
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
html_context = {
    "on_this_page": "本页内容" if CHINESE else "On this page",
    "other_language": "en" if CHINESE else "zh",
    "other_language_name": "English" if CHINESE else "中文",
    "other_language_tag": "en" if CHINESE else "zh-CN",
}
