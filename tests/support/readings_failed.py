"""The documents that are not what they say: the last table of docs/validation.md."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from struct import pack as pack_struct
from zipfile import ZipFile, ZipInfo

from libs.documents.ofd import open_ofd
from services.seal.core.seal_rules import SealState
from services.seal.core.ses import build_seal, der, parse_signature
from services.seal.sealing.ofd import Placement, finish, prepare
from services.seal.validation.steps import Checks
from tests.support.readings import CASES as CASES  # with those that stay open
from tests.support.readings import DAY, SIGNATURE, Desk, Files, case, replaced
from tests.support.seals import T0, T1, VALUE, Records, make_seal, ofd_document, seal_plan

CASES["no-package"] = lambda desk: (b"nothing that is known", desk.knowing())


@case("two-readings")
def _(desk: Desk) -> tuple[bytes, Checks]:
    return b"another page before the first entry" + desk.ours(), desk.knowing()


@case("pdf-in-package")
def _(desk: Desk) -> tuple[bytes, Checks]:
    """Another document within the first entry's extra field, where readers of PDF look for its header."""
    files = open_ofd(desk.ours()).entries
    target = BytesIO()
    with ZipFile(target, "w") as package:
        for name, content in files.items():
            info = ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            if name == next(iter(files)):
                other = b"%PDF-1.7\n1 0 obj <</Type/Catalog>> endobj\n%%EOF\n"
                info.extra = pack_struct("<2H", 0xCAFE, len(other)) + other
            package.writestr(info, content)
    return target.getvalue(), desk.knowing()


CASES["two-namespaces"] = lambda desk: (
    desk.ours(replaced("OFD.xml", b"</ofd:OFD>", b'<o:DocBody xmlns:o="http://www.ofdspec.org"/></ofd:OFD>')),
    desk.knowing(),
)
CASES["broken-structure"] = lambda desk: (desk.ours(lambda files: files.update({VALUE: b"\x30\x00"})), desk.knowing())


@case("versions-differ")
def _(desk: Desk) -> tuple[bytes, Checks]:
    made = prepare(ofd_document(), desk.kit.seal, desk.kit.signer.certificate.der, [Placement(1, 150, 240)], T1)
    parts = [part.raw for part in der.elements(der.one(made.tbs, der.Tag.SEQUENCE).content)]
    tbs = der.encode(der.Tag.SEQUENCE, bytes.fromhex("020105"), *parts[1:])
    return finish(replace(made, tbs=tbs), desk.kit.signer.signer.sign(tbs)), desk.knowing()


CASES["changed-file"] = lambda desk: (
    desk.ours(replaced("Doc_0/Document.xml", b"99", b"98")),
    desk.knowing(),
)
CASES["changed-signature-file"] = lambda desk: (
    desk.ours(replaced(SIGNATURE, b"129 219", b"129 218")),
    desk.knowing(),
)
CASES["other-seal-file"] = lambda desk: (
    desk.ours(replaced("Doc_0/Signs/Sign_1/Seal.esl", b"synthetic", b"synthetik")),
    desk.knowing(),
)
CASES["not-the-registered-seal"] = lambda desk: (
    desk.ours(),
    desk.knowing(records=Records(structure=make_seal(desk.kit.maker, seal_plan(desk.kit.signer)))),
)


def _last_flipped(part: Callable[[bytes], bytes]) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        raw, value = files[VALUE], part(files[VALUE])
        place = raw.rindex(value) + len(value) - 1
        files[VALUE] = raw[:place] + bytes((raw[place] ^ 1,)) + raw[place + 1 :]

    return change


CASES["signature-value"] = lambda desk: (
    desk.ours(_last_flipped(lambda raw: parse_signature(raw).signature)),
    desk.knowing(),
)
CASES["issuer-signature"] = lambda desk: (
    desk.ours(_last_flipped(lambda raw: parse_signature(raw).certificate)),
    desk.knowing(),
)


@case("maker-signature")
def _(desk: Desk) -> tuple[bytes, Checks]:
    kit = desk.kit
    info = parse_signature(open_ofd(desk.ours()).entries[VALUE]).seal.info_raw
    forged = build_seal(info, kit.maker.certificate.der, kit.stranger.signer.sign(info))
    return replace(kit, seal=forged).sealed(ofd_document()), desk.knowing()


CASES["missing-file"] = lambda desk: (
    desk.ours(lambda files: files.pop("Doc_0/Pages/Page_1/Content.xml")),
    desk.knowing(),
)
CASES["uncovered-file"] = lambda desk: (
    desk.ours(lambda files: files.update({"Doc_0/Pages/Page_9/Content.xml": b"<x/>"})),
    desk.knowing(),
)
CASES["signer-not-listed"] = lambda desk: (desk.ours(by=desk.kit.stranger), desk.knowing())


@case("maker-role")
def _(desk: Desk) -> tuple[bytes, Checks]:
    forged = make_seal(desk.kit.stranger, seal_plan(desk.kit.signer))
    return replace(desk.kit, seal=forged).sealed(ofd_document()), desk.knowing()


@case("signer-role")
def _(desk: Desk) -> tuple[bytes, Checks]:
    maker = desk.kit.maker
    listed = make_seal(maker, replace(seal_plan(maker), certificates=(maker.certificate.der,)))
    return replace(desk.kit, seal=listed).sealed(ofd_document(), by=maker), desk.knowing()


CASES["used-too-early"] = lambda desk: (desk.ours(at=T0 - timedelta(seconds=1)), desk.knowing())
CASES["used-too-late"] = lambda desk: (desk.ours(at=T0 + 366 * DAY), desk.knowing(T0 + 400 * DAY))
CASES["seal-revoked-before"] = lambda desk: (
    desk.ours(),
    desk.knowing(records=Records(state=SealState.REVOKED, end_time=T1)),
)
CASES["from-tomorrow"] = lambda desk: (desk.ours(), desk.knowing(T1 - timedelta(hours=1)))
