"""The words of the documentation's frame, in Chinese and in English; what it frames is the contracts' own."""

HOLDERS = {
    "PERSON": ("个人（含代他人办理、其他地区来访者）", "A person (also for others, also from another region)"),
    "WINDOW": ("窗口代办（个人权限之外）", "At a window for a person (besides the person's own)"),
    "REGION": ("其他地区的服务与工作人员", "Services and staff of other regions"),
    "STAFF": ("所有在岗工作人员", "All staff at their posts"),
    "RECEIVING": ("受理岗 RECEIVING", "RECEIVING 受理岗"),
    "REVIEWING": ("审查岗 REVIEWING", "REVIEWING 审查岗"),
    "DECIDING": ("决定岗 DECIDING", "DECIDING 决定岗"),
    "SEAL_CUSTODY": ("印章保管岗 SEAL_CUSTODY", "SEAL_CUSTODY 印章保管岗"),
    "DATA": ("数据管理岗 DATA", "DATA 数据管理岗"),
    "ADMINISTRATION": ("系统管理岗 ADMINISTRATION", "ADMINISTRATION 系统管理岗"),
    "SECURITY": ("安全管理岗 SECURITY", "SECURITY 安全管理岗"),
    "AUDITING": ("审计岗 AUDITING", "AUDITING 审计岗"),
    "ADMINISTRATOR": (
        "首次启动的管理客户端（可授予其他客户端）",
        "The administrator's client of the first start (may grant it to clients)",
    ),
}

_WORDS = {
    "title": ("接口文档", "API documentation"),
    "other": ("English", "中文"),
    "lead": (
        "由接口合同生成。同一地址同时接受 JSON 与 gRPC（含反射）：",
        "Made from the contracts. JSON and gRPC, with reflection, at one address: ",
    ),
    "machines": ("供程序读取：", "For programs: "),
    "search": ("搜索方法、字段、原因…", "Search methods, fields, reasons …"),
    "token": (
        "访问令牌（仅保存在本页内存中，只发往本站）",
        "Access token (kept in this page's memory alone, sent to this site alone)",
    ),
    "service": ("服务", "Service"),
    "methods": ("方法数", "Methods"),
    "use": ("用途", "What for"),
    "purposes": ("使用目的", "Purposes"),
    "purposes_said": (
        "读取或使用他人数据须在 useContext.purposeCode 写明下列代码之一；文字 purpose 只供人阅读，不作为判断依据。表外代码以 PURPOSE_UNKNOWN 拒绝。",
        (
            "Who reads or uses somebody's data states one of these codes in useContext.purposeCode; the words in purpose decide nothing. "
            "Other codes are refused with PURPOSE_UNKNOWN."
        ),
    ),
    "code": ("代码", "Code"),
    "meaning": ("含义", "Meaning"),
    "needs": ("还须写明", "Needs"),
    "bases": ("可用依据", "May rest on"),
    "permissions": ("谁持有哪些权限", "Who holds which permissions"),
    "holder": ("持有者", "Holder"),
    "rights": ("权限", "Permissions"),
    "permission": ("权限", "Permission"),
    "public": ("公开，无需令牌", "Public, no token needed"),
    "region_only": ("仅供其他地区调用", "For other regions alone"),
    "assurance": ("实名等级 ≥", "Identity assurance ≥"),
    "actor": ("调用方", "Caller"),
    "power": ("受托权限", "Mandate's power"),
    "signed_in": ("最近登录不早于（秒）", "Signed in within (seconds)"),
    "excludes": ("办理过下列步骤的人员回避：", "Not who did: "),
    "timeout": ("时限（秒）", "Time limit (seconds)"),
    "event": ("事件", "Event"),
    "field": ("字段", "Field"),
    "place": ("位置", "Place"),
    "type": ("类型", "Type"),
    "needed": ("必填", "Required"),
    "said": ("说明", "What it says"),
    "yes": ("是", "yes"),
    "answer": ("返回", "Answers"),
    "reason": ("拒绝原因", "Reason"),
    "when": ("何时", "When"),
    "try": ("试调用", "Try it"),
    "send": ("发送", "Send"),
    "curl": ("命令行", "On the command line"),
    "python": ("Python", "Python"),
    "types": ("类型", "Types"),
    "value": ("取值", "Value"),
    "nothing": ("没有匹配的内容", "Nothing matches"),
    "path": ("路径", "path"),
    "query": ("查询", "query"),
    "header": ("请求头", "header"),
    "body": ("正文", "body"),
}


def words(language: str) -> dict[str, str]:
    """Returns the words of a language, ``zh`` or ``en``."""
    place = ("zh", "en").index(language)
    return {key: both[place] for key, both in _WORDS.items()}


def holder(name: str, language: str) -> str:
    """Returns what who holds permissions is called; empty for those of whom the page does not tell."""
    both = HOLDERS.get(name)
    return both[("zh", "en").index(language)] if both else ""
