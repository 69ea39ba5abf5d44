"""Laws as they are cited: ``《中华人民共和国行政许可法》第三十四条``, the form that a use context takes."""

import re

_NUMBER = "[0-9〇零一二三四五六七八九十百千]"
_CITATION = re.compile(
    rf"《[^《》\x00-\x1f]{{2,100}}》(?:第{_NUMBER}{{1,12}}(?:条(?:之[一二三四五六七八九十]{{1,3}})?|款|项|目)){{0,4}}"
)


def cited(text: str) -> frozenset[str]:
    """Returns the laws that a text cites, each with its article; of what is cited in another form nothing."""
    return frozenset(_CITATION.findall(text))
