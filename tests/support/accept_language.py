"""What callers write into Accept-Language, and the language of ours that each asks for (RFC 9110, 12.5.4; RFC 4647, 3.4)."""

ORDERED = (
    ("", "zh-CN"),
    ("en", "en"),
    ("EN-us", "en"),
    ("en-GB,en;q=0.9,zh;q=0.8", "en"),
    ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
    ("zh-Hant-HK, en;q=0.5", "zh-CN"),
    ("fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7", "en"),
    ("es-419,e,z,english,zho;q=0.9 , en;q=0.3", "en"),
    ("fr, ja;q=0.5", "zh-CN"),
    ("english", "zh-CN"),
    ("zhx, enx", "zh-CN"),
)
"""Listed by preference, as people's programs do."""
WEIGHED = (
    ("zh;q=0.2, en;q=0.9", "en"),
    ("en;q=0, zh;q=0.1", "zh-CN"),
    ("en;q=0", "zh-CN"),
    ("*, en;q=0.9", "zh-CN"),
    ("*;q=0.1, en;q=0.9", "en"),
    ("en;q=much, zh;q=0.001", "zh-CN"),
    ("en;level=1", "zh-CN"),
    ("en;q=7", "zh-CN"),
)
"""In another order than they are liked, or not of the form."""
CASES = ORDERED + WEIGHED
