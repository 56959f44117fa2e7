"""The site: guides in Markdown, the C reference from include/mixtral.abi.json, the Python reference
from docstrings. `make docs` builds it; every warning is an error."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "docs" / "_ext"), str(ROOT / "bindings" / "python")]

import mixtral

project = "libmixtral"
copyright = "the authors of libmixtral, Apache-2.0"
release = version = mixtral.__version__

extensions = [
    *("myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton", "sphinx_design"),
    *("header_page", "house_docstrings"),
]
exclude_patterns = ["_ext", "requirements.txt"]
suppress_warnings: list[str] = []

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3

# References that lead nowhere are warnings, but for the types of C and Python themselves.
nitpicky = True
nitpick_ignore = [
    ("c:identifier", name)
    for name in ("int32_t", "uint32_t", "int64_t", "uint64_t", "size_t", "mixtral_status")
]

maximum_signature_line_length = 80
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"
python_use_unqualified_type_names = True
nitpick_ignore += [
    ("py:class", name)
    for name in (
        *("collections.abc.Iterable", "collections.abc.Sequence", "collections.abc.Mapping"),
        *("Path", "Progress", "Log", "Filter", "Logits"),
    )
]

html_theme = "furo"
html_title = f"libmixtral {release}"
html_copy_source = False
html_show_sourcelink = False
