"""What the site's search looks for. Chinese has no blanks: pairs of characters are its words, when a page is indexed
and when somebody searches, so that no dictionary is needed and any two characters are found.
"""

import re
from typing import Any, Final

from sphinx.application import Sphinx
from sphinx.search.en import SearchEnglish

_RUNS: Final = re.compile(r"[\u3400-\u9fff]+|[^\W\u3400-\u9fff]+")
_CHINESE: Final = re.compile(r"[\u3400-\u9fff]")


class SearchPairs(SearchEnglish):
    """English words by their stems, which is what the name in scripts is of; Chinese text in pairs of characters."""

    lang = "zh"
    # A query is cut into pairs that do not overlap, so that what stands apart on a page is found together.
    js_splitter_code = """
var splitQuery = (query) =>
  (query.match(/[\\u3400-\\u9fff]+|[^\\P{L}\\u3400-\\u9fff]+|[\\p{N}_]+/gu) || []).flatMap((run) =>
    /[\\u3400-\\u9fff]/.test(run) && run.length > 2
      ? Array.from({length: Math.ceil(run.length / 2)}, (_, pair) => Math.min(2 * pair, run.length - 2))
          .map((at) => run.slice(at, at + 2))
      : [run]);
"""

    def split(self, input: str) -> list[str]:
        found = []
        for run in _RUNS.findall(input):
            if _CHINESE.match(run) and len(run) > 2:
                found += [run[at : at + 2] for at in range(len(run) - 1)]
            else:
                found.append(run)
        return found

    def stem(self, word: str) -> str:
        return word if _CHINESE.match(word) else super().stem(word)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_search_language(SearchPairs)
    return {"parallel_read_safe": True}
