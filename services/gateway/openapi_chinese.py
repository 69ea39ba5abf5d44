"""The OpenAPI document's own words in Chinese: what stands in it besides the contracts."""

from typing import Any

_WORDS = {
    "What was asked for.": "所请求的内容。",
    "What was asked for, an element a message. Where the stream breaks behind its first message, the last element is `streamError`, "
    "and says why; where it is cut (its service or the connection is lost), the array is not closed and the HTTP message not "
    "complete. An array that is closed, and ends without it, is whole.": (
        "所请求的内容，每条消息为数组的一个元素。流在首条消息之后中断的，末个元素为 `streamError`，说明原因；流被切断的（服务或连接丢失），"
        "数组不闭合，HTTP 报文不完整。数组闭合且末个元素不是 `streamError` 的，即为完整。"
    ),
    "Why an answer that streams broke: at most once, as the last element of its array.": (
        "流式应答中断的原因：至多出现一次，为数组的末个元素。"
    ),
    "How far an upload is": "上传进度",
    "Tells where an upload is gone on with and, once it is complete, what its bytes are. Who: who began it.": (
        "返回上传应从何处继续；完成后返回其字节的描述。可调用者：发起人。"
    ),
    "The service that the upload is at.": "上传所在的服务。",
    "The rest of the upload's name: a UUID.": "上传名称的其余部分，为 UUID。",
    "How far it is.": "上传进度。",
    "The version of tus: 1.0.0.": "tus 协议版本：1.0.0。",
    "How many bytes are kept, from the first on.": "从首字节起已保存的字节数。",
    "How many bytes the file has.": "文件的字节数。",
    "When the upload is given up by itself (RFC 9110, 5.6.7).": "上传自行作废的时间（RFC 9110 第 5.6.7 节）。",
    "The digest of the bytes; they never change.": "字节的摘要；内容不再变化。",
    "The same as RFC 9530 writes it.": "同上，按 RFC 9530 书写。",
    "Ranges of bytes are served.": "支持按字节范围取用。",
    "The bytes of a complete upload": "已完成上传的字节",
    "Hands out the bytes, or the range that is asked for; If-None-Match and If-Range take the ETag. Who: who began it, or for "
    "whom a service handed it out.": (
        "返回全部或所请求范围的字节；If-None-Match、If-Range 使用 ETag。可调用者：发起人，或服务为其提供该文件的人。"
    ),
    "The bytes wanted (RFC 9110, 14.1.2); without it all.": "所需的字节范围（RFC 9110 第 14.1.2 节）；不填为全部。",
    "All bytes.": "全部字节。",
    "The range.": "所请求的范围。",
    "Which bytes of how many these are (RFC 9110, 14.4).": "本次字节的位置与总数（RFC 9110 第 14.4 节）。",
    "They are those of the ETag.": "与 ETag 所指内容相同。",
    "No byte is in the range.": "范围内没有字节。",
    "Adds bytes to an upload": "向上传追加字节",
    "Adds the body at the place that Upload-Offset names, which must be where the upload is. What came before a connection broke is "
    "kept: HEAD tells where it goes on. Who: who began it.": (
        "在 Upload-Offset 所指位置追加正文，该位置须等于当前进度。连接中断前到达的内容予以保留，可用 HEAD 查询续传位置。可调用者：发起人。"
    ),
    "Which byte of the file the body begins with.": "正文首字节在文件中的位置。",
    "The upload is at another place.": "上传进度不在该位置。",
    "They are kept.": "已保存。",
    "The body is not application/offset+octet-stream.": "正文类型不是 application/offset+octet-stream。",
    "Gives an upload up": "放弃上传",
    "It is gone for every request at once. Who: who began it.": "立即对所有请求失效。可调用者：发起人。",
    "It is gone.": "已删除。",
    "Unique within `source`: by it an event is taken once.": "在 `source` 内唯一：据此使每个事件只被处理一次。",
    "`//<region>/<service>`.": "`//<region>/<service>`。",
    "The name of what it tells of.": "事件所述对象的名称。",
    "Its number among those of its subject.": "在同一对象的事件中的序号。",
    "Taken; every other answer, and none, has it sent again.": "已接收；其他应答或无应答将重新发送。",
    "The canonical gRPC code.": "gRPC 标准状态码。",
    "One English sentence for developers.": "供开发者阅读的一句英文说明。",
    "ErrorInfo, LocalizedMessage, and BadRequest or RetryInfo where they help.": "ErrorInfo、LocalizedMessage，必要时含 BadRequest 或 RetryInfo。",
    "google.rpc.Status. ErrorInfo.reason is stable; LocalizedMessage is for people.": (
        "google.rpc.Status。ErrorInfo.reason 稳定不变；LocalizedMessage 供人阅读。"
    ),
    "The receipt of the record of this call: base64 of a serialized tongban.common.v1.Receipt, for `tongban audit verify`. Not "
    "where people read what is their own. A refusal that is on record carries it too.": (
        "本次调用的审计记录收据：序列化的 tongban.common.v1.Receipt 的 base64，可用 `tongban audit verify` 核验。本人读取本人数据时没有；已记录的拒绝同样带有收据。"
    ),
    "The receipt of another region that was asked for it.": "受询地区的收据。",
    "RFC 9068, from /oauth/token. One that is bound to a key comes as `Authorization: DPoP` with a proof in the header `DPoP` "
    "(RFC 9449)); one that is bound to a certificate by a connection that shows it (RFC 8705).": (
        "RFC 9068 令牌，由 /oauth/token 发放。与密钥绑定的令牌以 `Authorization: DPoP` 携带，并在 `DPoP` 头中附持有证明（RFC 9449）；与证书绑定的令牌须经出示该证书的连接使用（RFC 8705）。"
    ),
}
_TOLD = {"description", "summary"}


def own_words_in_chinese(made: Any) -> Any:
    """Returns a document, or a part of it, with its own words in Chinese; what the contracts say is so already."""
    if isinstance(made, list):
        return [own_words_in_chinese(each) for each in made]
    if not isinstance(made, dict):
        return made
    return {
        key: _said(each) if key in _TOLD and isinstance(each, str) else own_words_in_chinese(each)
        for key, each in made.items()
    }


def _said(text: str) -> str:
    if text.startswith("Refused: "):
        return "拒绝：" + text.removeprefix("Refused: ")
    if text.endswith(", as ListChanges gives it."):
        return text.removesuffix(", as ListChanges gives it.") + "，内容与 ListChanges 所返回的相同。"
    return _WORDS.get(text, text)
