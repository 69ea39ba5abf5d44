"""What these pages call things, in Chinese and in English."""

from collections.abc import Iterable, Mapping
from datetime import UTC

from google.protobuf.timestamp_pb2 import Timestamp

from libs.access import purposes
from libs.civil.calendar import CHINA_TIME
from tongban.cases.v1 import resources_pb2 as cases
from tongban.common.v1 import common_pb2, use_pb2
from tongban.license.v1 import resources_pb2 as licenses

Pair = tuple[str, str]
SERVICES: Mapping[str, Pair] = {
    "identity": ("身份", "Identity"),
    "license": ("电子证照", "Licences"),
    "cases": ("办件", "Cases"),
    "sharing": ("数据共享", "Data sharing"),
    "seal": ("电子印章", "Seals"),
}
KINDS: Mapping[str, Pair] = {
    "Person": ("账户资料（含证件与联系方式）", "Account, with documents and contact points"),
    "Organization": ("单位账户资料", "Account of the organisation"),
    "Verification": ("实名核验记录", "Checks of your real name"),
    "Mandate": ("授权", "Mandates"),
    "Consent": ("同意", "Consents"),
    "Authenticator": ("登录方式（密码、通行密钥等）", "What you sign in with"),
    "Session": ("登录会话", "Sign-in sessions"),
    "SignInGrant": ("应用登录授权", "Applications signed in to"),
    "CredentialBinding": ("与个人码绑定的卡证", "Cards bound to your code"),
    "License": ("电子证照", "Licences"),
    "Material": ("材料文件", "Files handed in"),
    "Presentation": ("亮证授权", "Presentations of licences"),
    "Case": ("办件", "Cases"),
    "CaseDelivery": ("结果寄递", "Deliveries of results"),
    "Seal": ("印章", "Seals"),
}
WAYS: Mapping[int, Pair] = {
    use_pb2.USE_WAY_SHOWN: ("查看", "Shown"),
    use_pb2.USE_WAY_FETCHED: ("取用", "Fetched"),
    use_pb2.USE_WAY_VERIFIED: ("核验", "Verified"),
    use_pb2.USE_WAY_COMPARED: ("比对", "Compared"),
    use_pb2.USE_WAY_SEALED: ("用印", "Sealed"),
}
LICENSE_STATES: Mapping[int, Pair] = {
    licenses.LICENSE_STATE_DRAFT: ("制作中", "being made"),
    licenses.LICENSE_STATE_ISSUED: ("有效", "in force"),
    licenses.LICENSE_STATE_SUSPENDED: ("暂扣", "held back"),
    licenses.LICENSE_STATE_REVOKED: ("吊销", "taken away"),
    licenses.LICENSE_STATE_WITHDRAWN: ("撤销", "annulled"),
    licenses.LICENSE_STATE_CANCELLED: ("注销", "closed"),
    licenses.LICENSE_STATE_EXPIRED: ("失效", "over"),
    licenses.LICENSE_STATE_TRANSFERRED_OUT: ("转出", "handed to another region"),
    licenses.LICENSE_STATE_VOIDED: ("未生效", "never in force"),
}
CASE_STATES: Mapping[int, Pair] = {
    cases.CASE_STATE_DRAFT: ("草稿", "draft"),
    cases.CASE_STATE_SUBMITTED: ("已提交", "submitted"),
    cases.CASE_STATE_CORRECTION_REQUESTED: ("待补正", "to be corrected"),
    cases.CASE_STATE_ACCEPTED: ("已受理", "accepted"),
    cases.CASE_STATE_NOT_ACCEPTED: ("不予受理", "not accepted"),
    cases.CASE_STATE_UNDER_REVIEW: ("审查中", "under review"),
    cases.CASE_STATE_SUSPENDED: ("特别程序", "special procedure"),
    cases.CASE_STATE_DECIDED: ("已决定", "decided"),
    cases.CASE_STATE_CLOSED: ("已办结", "closed"),
    cases.CASE_STATE_DELIVERED: ("已送达", "delivered"),
    cases.CASE_STATE_WITHDRAWN: ("已撤回", "withdrawn"),
    cases.CASE_STATE_TERMINATED: ("已退件", "ended"),
}
_FIELDS: Mapping[str, Pair] = {
    "person.masked": ("账户资料（部分隐去）", "account, partly hidden"),
    "full_name": ("姓名", "full name"),
    "documents": ("证件", "documents"),
    "contact_points": ("联系方式", "contact points"),
    "verification": ("实名核验记录", "checks of the real name"),
    "mandate": ("授权", "mandate"),
    "consent": ("同意", "consent"),
    "access": ("访问权限", "what access there is"),
    "credential_binding": ("绑定的卡证", "bound cards"),
    "number": ("证照号码", "number of the licence"),
    "holders": ("持证主体", "holders"),
    "face_fields": ("照面内容", "face of the licence"),
    "file": ("文件", "file"),
    "material": ("材料信息", "about the file"),
    "license.listed": ("证照清单", "list of licences"),
    "case": ("办件", "case"),
    "history": ("办理过程", "history of the case"),
    "clock": ("办理时限", "time limits of the case"),
}
_BASES: Mapping[str, Pair] = {
    "grant": ("数据授权", "grant"),
    "consent": ("您的同意", "your consent"),
    "presentation": ("您的亮证", "your presentation"),
    "law": ("法律", "law"),
    "item": ("事项", "service item"),
}
_COLLECTIONS: Mapping[str, Pair] = {
    "licenses": ("全部证照", "all licences"),
    "materials": ("全部材料", "all files"),
    "dataResources": ("全部数据", "all data"),
}
_BROWSERS = (
    ("Edg/", "Edge"),
    ("MicroMessenger", "微信"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)
_LEVELS: tuple[Pair, ...] = (
    ("未核验", "not verified"),
    ("一级", "level 1"),
    ("二级", "level 2"),
    ("三级", "level 3"),
    ("四级", "level 4"),
)


class Words:
    """Says things in one language; the templates are given it as ``say``."""

    def __init__(self, language: str) -> None:
        self.zh = language != "en"

    def of(self, pair: Pair) -> str:
        """Returns the one of a pair."""
        return pair[0 if self.zh else 1]

    def service(self, name: str) -> str:
        """What a service is called."""
        return self.of(SERVICES[name])

    def kind(self, type_name: str) -> str:
        """What a kind of resources is called."""
        plain = type_name.removeprefix("tongban.cn/")
        return self.of(KINDS.get(plain, (plain, plain)))

    def license_state(self, state: int) -> str:
        """Where a licence stands."""
        return self.of(LICENSE_STATES.get(state, ("", "")))

    def case_state(self, state: int) -> str:
        """Where a case stands."""
        return self.of(CASE_STATES.get(state, ("", "")))

    def level(self, assurance: int) -> str:
        """What a level of assurance is called."""
        return self.of(_LEVELS[min(max(assurance, 0), 4)])

    def fields(self, use: use_pb2.Use) -> str:
        """What left."""
        return ("、" if self.zh else ", ").join(self.of(_FIELDS.get(each, (each, each))) for each in use.fields)

    def way(self, use: use_pb2.Use) -> str:
        """In which way."""
        return self.of(WAYS.get(use.way, ("使用", "Used")))

    def purpose(self, code: str) -> str:
        """What a purpose is called; one that is not known here by its code."""
        known = purposes.table().get(code)
        if known is None:
            return code
        return known.zh if self.zh else known.en

    def why(self, context: common_pb2.UseContext) -> str:
        """What a use was for, in the caller's own words beside those of the table."""
        told = self.purpose(context.purpose_code)
        return f"{told}：{context.purpose}" if context.purpose and context.purpose != told else told

    def basis(self, context: common_pb2.UseContext) -> str:
        """What allowed a use; a law in its own words, else the name of what was rested on."""
        kind, named = purposes.basis_of(context)
        return f"{self.of(_BASES.get(kind, (kind, kind)))} {named}"

    def resources(self, patterns: Iterable[str]) -> str:
        """What a consent covers."""
        told = (
            self.of(_COLLECTIONS.get(each.partition("/")[0], (each, each))) if each.endswith("/-") else each
            for each in patterns
        )
        return ("、" if self.zh else ", ").join(told)

    def browser(self, user_agent: str) -> str:
        """What a browser calls itself, in few words."""
        name = next((told for mark, told in _BROWSERS if mark in user_agent), self.of(("浏览器", "a browser")))
        system = next((told for mark, told in _SYSTEMS if mark in user_agent), "")
        return f"{name} · {system}" if system else name

    def who(self, use: use_pb2.Use, departments: Mapping[str, str]) -> str:
        """Which office or system used it."""
        department = use.use_context.department
        named = departments.get(department, "")
        if use.region:
            return self.of((f"外地区（{use.region}）的机关", f"an office of another region ({use.region})"))
        if use.client:
            return self.of((f"系统 {use.client.removeprefix('clients/')}", use.client.removeprefix("clients/")))
        if use.agent:
            return self.of(("您授权的人", "somebody who acts for you"))
        return named or self.of(("本地区机关", "an office of this region"))

    def party(self, name: str, person: str) -> str:
        """Who a party is, as far as a name tells it."""
        if name == person:
            return self.of(("我", "me"))
        kind = name.rpartition("/")[0].rpartition("/")[2]
        words = {
            "persons": ("个人", "person"),
            "organizations": ("单位", "organisation"),
            "departments": ("部门", "department"),
        }
        return f"{self.of(words.get(kind, ('', '')))} …{name[-6:]}".strip()


def day(date: common_pb2.Date) -> str:
    """A date as people in China read it; empty where there is none."""
    return f"{date.year:04}-{date.month:02}-{date.day:02}" if date.year else ""


def shown(moment: Timestamp) -> str:
    """A time as people in China read it; empty where there is none."""
    if not moment.seconds:
        return ""
    return moment.ToDatetime(UTC).astimezone(CHINA_TIME).strftime("%Y-%m-%d %H:%M")


def machine(moment: Timestamp) -> str:
    """A time as machines read it."""
    return moment.ToJsonString()
