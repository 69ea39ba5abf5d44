"""The items of 天宁区's five months of 2024 (report of 2024, section 二.2.(3)) and the licences that they yield."""

from dataclasses import dataclass

MARKET_ACCESS = "市场准入"
INVESTMENT = "投资建设"
CROSS_REGION = "跨域通办"


@dataclass(frozen=True)
class LicenceKind:
    """A licence type: three digits of its code, its name, and how long it is valid (0: without end)."""

    serial: str
    name: str
    months: int = 0


BUSINESS = LicenceKind("101", "营业执照")
ENTERTAINMENT = LicenceKind("102", "娱乐经营许可证", 24)
SOCIAL = LicenceKind("103", "社会团体法人登记证书", 60)
PRESALE = LicenceKind("104", "商品房预售许可证")
CIVIL_DEFENCE = LicenceKind("105", "人防工程易地建设许可证")
FOOD = LicenceKind("106", "食品经营许可证", 60)
FRANCHISE = LicenceKind("107", "商业特许经营备案证书", 60)
LICENCE_KINDS = (BUSINESS, ENTERTAINMENT, SOCIAL, PRESALE, CIVIL_DEFENCE, FOOD)


@dataclass(frozen=True)
class DemoItem:
    """A service item: its place in the basic code, its published count, and the licence it yields, if any."""

    number: str
    name: str
    category: str
    count: int
    licence: LicenceKind | None = None


ITEMS = (
    DemoItem("01", "企业设立登记", MARKET_ACCESS, 2116, BUSINESS),
    DemoItem("02", "企业变更登记", MARKET_ACCESS, 2878, BUSINESS),
    DemoItem("03", "企业注销登记", MARKET_ACCESS, 866),
    DemoItem("04", "企业其他登记", MARKET_ACCESS, 1220),
    DemoItem("05", "歌舞娱乐场所设立", MARKET_ACCESS, 2, ENTERTAINMENT),
    DemoItem("06", "歌舞娱乐场所变更", MARKET_ACCESS, 2, ENTERTAINMENT),
    DemoItem("07", "歌舞娱乐场所延续", MARKET_ACCESS, 4, ENTERTAINMENT),
    DemoItem("08", "游艺娱乐场所设立", MARKET_ACCESS, 1, ENTERTAINMENT),
    DemoItem("09", "游艺娱乐场所注销", MARKET_ACCESS, 1),
    DemoItem("10", "社会组织设立登记", MARKET_ACCESS, 6, SOCIAL),
    DemoItem("11", "社会组织变更登记", MARKET_ACCESS, 25, SOCIAL),
    DemoItem("12", "社会组织注销登记", MARKET_ACCESS, 21),
    DemoItem("13", "社会组织其他登记", MARKET_ACCESS, 30),
    DemoItem("14", "投资项目备案", INVESTMENT, 185),
    DemoItem("15", "技改项目备案", INVESTMENT, 4),
    DemoItem("16", "固定资产投资项目核准", INVESTMENT, 1),
    DemoItem("17", "节能审查", INVESTMENT, 1),
    DemoItem("18", "商品房预售许可", INVESTMENT, 2, PRESALE),
    DemoItem("19", "商品房现售备案", INVESTMENT, 1),
    DemoItem("20", "人防工程平时开发利用登记", INVESTMENT, 10),
    DemoItem("21", "人防工程易地建设许可", INVESTMENT, 1, CIVIL_DEFENCE),
)
CONVENIENCE_STORE = DemoItem("22", "开便利店“一件事”", CROSS_REGION, 1, FOOD)

PUBLISHED_TOTALS = {MARKET_ACCESS: 7172, INVESTMENT: 205}


def task_code(department_uscc: str, item: DemoItem) -> str:
    """The implementation code: USCC of the body (18), exercise level 4 (county), basic code (12)."""
    return f"{department_uscc}4" + f"320100{item.number}0000"


def scaled(sample: int | None) -> dict[str, int]:
    """How many cases of each item are replayed: the published counts, or about ``sample`` in all, at least one each."""
    total = sum(item.count for item in ITEMS)
    if sample is None or sample >= total:
        return {item.number: item.count for item in ITEMS}
    return {item.number: max(1, round(item.count * sample / total)) for item in ITEMS}
