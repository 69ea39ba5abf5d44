"""What the page for partners says, in Chinese and in English."""

from collections.abc import Mapping

from services.gateway.my.words import Pair

SAID: Mapping[str, Pair] = {
    "title": ("合作方接入", "Partners"),
    "lead": (
        "申请接入、取得密钥、发出第一个调用、查看自己的配额与用量。",
        "Ask for a client, get a key, make the first call, see your quota and use.",
    ),
    "key": ("一、密钥", "1. A key"),
    "key_said": (
        "密钥在您的浏览器里生成，私钥不会发送给任何人；请下载保存，离开本页后无法再取得。也可自带密钥，把公钥（JWKS）填入下方。",
        (
            "The key is made in your browser, and its private half is sent to nobody. Download it: when you leave this page it is gone. "
            "Or bring your own, and put its public half (JWKS) below."
        ),
    ),
    "make": ("在浏览器中生成密钥", "Make a key in this browser"),
    "keep": (
        "下载 credentials.json（含私钥，请妥善保管）",
        "Download credentials.json (holds the private key: keep it safe)",
    ),
    "ask": ("二、申请", "2. Ask"),
    "ask_said": (
        "由代表单位办事的人申请：法定代表人，或持有全部事项授权的人。在沙箱中，只涉及自身与目录的权限即时开通，期限 90 天；其他情况由管理员审批。",
        (
            "Asked for by a person who acts for a firm: its legal representative, or under a mandate for all items. In a sandbox what touches only "
            "yourself and catalogues is there at once, for 90 days; all else is approved by administrators."
        ),
    ),
    "display_name": ("系统名称", "Name of the system"),
    "note": ("用途", "What it is for"),
    "scopes": ("权限，以空白分隔", "Scopes, separated by blanks"),
    "jwks": ("公钥（JWKS）", "Public keys (JWKS)"),
    "token": ("代表单位办事的访问令牌", "Access token of who acts for the firm"),
    "send": ("提交申请", "Ask"),
    "call": ("三、第一个调用与自己的用量", "3. The first call, and your own use"),
    "call_said": (
        "用您的密钥在浏览器中签名，取得令牌并查看用量；同时给出可用的 curl 命令，其中的断言一分钟内有效、只能用一次。",
        (
            "Your key signs in this browser, gets a token and reads your use. The curl commands that come with it work: the assertion in them is good for "
            "a minute, once."
        ),
    ),
    "client_id": ("接入方标识（client_id）", "client_id"),
    "file": (
        "credentials.json 或私钥（JWK，P-256）；刚生成的可不选",
        "credentials.json, or a private key (JWK, P-256); not needed for the one just made",
    ),
    "show": ("取得令牌并查看用量", "Get a token and see the use"),
    "docs": ("接口文档", "API documentation"),
    "status": ("服务状态", "Service status"),
}
SHOWN: Mapping[str, Pair] = {
    "private": (
        "这里面有私钥：请只填公钥。没有发送任何内容。",
        "There is a private key in it: put in public keys alone. Nothing was sent.",
    ),
    "noKey": (
        "请选择 credentials.json 或私钥文件，或先生成密钥。",
        "Choose credentials.json or a private key, or make a key first.",
    ),
    "noId": ("请填写接入方标识。", "Say the client_id."),
    "insecure": (
        "浏览器只在 HTTPS（或本机）上提供密钥功能。",
        "Browsers offer keys over HTTPS alone, or on the same machine.",
    ),
    "done": ("已取得令牌。", "There is a token."),
    "state": ("状态", "State"),
    "quota": ("配额：每秒 / 每日", "Quota: a second / a day"),
    "calls": ("今日调用", "Calls today"),
    "refused": ("今日因配额被拒", "Refused today for the quota"),
    "reset": ("重新计数", "Counted anew"),
    "scopes": ("权限", "Scopes"),
    "key": ("密钥 · 有效至", "Key · taken until"),
    "oldKey": ("轮换前的密钥 · 有效至", "Key before the rotation · taken until"),
    "end": ("接入到期", "Ends"),
    "warning": ("请注意", "Please note"),
    "open": ("无期限", "no end"),
    "unlimited": ("不限", "no limit"),
    "uncounted": ("未统计", "not counted"),
}
STATES: Mapping[str, Pair] = {
    "CLIENT_STATE_ACTIVE": ("已开通", "Active"),
    "CLIENT_STATE_REQUESTED": ("等待审批", "Waits for approval"),
    "CLIENT_STATE_SUSPENDED": ("已暂停", "Suspended"),
    "CLIENT_STATE_REFUSED": ("已驳回", "Refused"),
    "CLIENT_STATE_EXPIRED": ("已到期", "Expired"),
}
WARNINGS: Mapping[str, Pair] = {
    "USAGE_WARNING_EXPIRING": ("接入将在 30 天内到期", "It ends within 30 days"),
    "USAGE_WARNING_OLD_CREDENTIALS": (
        "轮换前的密钥仍在使用期内，请及时更换",
        "Keys before the rotation are still taken: change over in time",
    ),
    "USAGE_WARNING_DAY_NEARLY_USED": ("当日配额已用八成以上", "Four fifths of the day's quota are used"),
    "USAGE_WARNING_CERTIFICATE_EXPIRING": ("证书将在 30 天内到期", "A certificate ends within 30 days"),
}


def in_language(pairs: Mapping[str, Pair], zh: bool) -> dict[str, str]:
    """Returns the words in one language."""
    return {name: pair[0] if zh else pair[1] for name, pair in pairs.items()}
