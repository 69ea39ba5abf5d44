"""The ASN.1 of GB/T 38540-2020 as asn1crypto classes. Names as in the standard, its misspelling included."""

from typing import Any

from asn1crypto import core

SM2_WITH_SM3 = "1.2.156.10197.1.501"
"""SM2 signature with SM3 (certificates, signAlgID, SignatureMethod)."""
SM3 = "1.2.156.10197.1.401"
"""The SM3 digest (CheckMethod)."""


class SesHeader(core.Sequence):  # type: ignore[misc] # asn1crypto has no types
    """SES_Header: `ES`, the version of the structure, the vendor."""

    _fields = [("id", core.IA5String), ("version", core.Integer), ("vid", core.IA5String)]


class SesPictureInfo(core.Sequence):  # type: ignore[misc]
    """SES_ESPictrueInfo: the picture, its type, its size in millimetres."""

    _fields = [("type", core.IA5String), ("data", core.OctetString), ("width", core.Integer), ("height", core.Integer)]


class ExtData(core.Sequence):  # type: ignore[misc]
    """One extension.

    `critical` is DEFAULT FALSE in the standard, but seals in the field write FALSE out; as an OPTIONAL field both forms
    are read, and ours is written out too.
    """

    _fields = [
        ("extn_id", core.ObjectIdentifier),
        ("critical", core.Boolean, {"optional": True}),
        ("extn_value", core.OctetString),
    ]


class ExtensionDatas(core.SequenceOf):  # type: ignore[misc]
    """ExtensionDatas."""

    _child_spec = ExtData


class CertInfoList(core.SequenceOf):  # type: ignore[misc]
    """CertInfoList: DER certificates of those who may sign with the seal (certListType 1)."""

    _child_spec = core.OctetString


class CertDigestObj(core.Sequence):  # type: ignore[misc]
    """The digest of one certificate, and its algorithm."""

    _fields = [("type", core.PrintableString), ("value", core.OctetString)]


class CertDigestList(core.SequenceOf):  # type: ignore[misc]
    """CertDigestList: digests of those certificates (certListType 2)."""

    _child_spec = CertDigestObj


class SesPropertyInfo(core.Sequence):  # type: ignore[misc]
    """SES_ESPropertyInfo: type, name, signers and period of the seal."""

    _fields = [
        ("type", core.Integer),
        ("name", core.UTF8String),
        ("cert_list_type", core.Integer),
        ("cert_list", core.Any),
        ("create_date", core.GeneralizedTime),
        ("valid_start", core.GeneralizedTime),
        ("valid_end", core.GeneralizedTime),
    ]

    def _cert_list_spec(self) -> Any:
        """SES_CertList is a CHOICE without tags: certListType alone tells the two forms apart."""
        return {1: CertInfoList, 2: CertDigestList}[self["cert_list_type"].native]

    _spec_callbacks = {"cert_list": _cert_list_spec}


class SesSealInfo(core.Sequence):  # type: ignore[misc]
    """SES_SealInfo: all that the seal maker signs."""

    _fields = [
        ("header", SesHeader),
        ("es_id", core.IA5String),
        ("property", SesPropertyInfo),
        ("picture", SesPictureInfo),
        ("ext_datas", ExtensionDatas, {"optional": True}),
    ]


class SESeal(core.Sequence):  # type: ignore[misc]
    """SESeal: the seal. The time stamp is GM/T 0031-2025's (version 5)."""

    _fields = [
        ("e_seal_info", SesSealInfo),
        ("cert", core.OctetString),
        ("sign_alg_id", core.ObjectIdentifier),
        ("signed_value", core.OctetBitString),
        ("time_stamp", core.OctetBitString, {"explicit": 0, "optional": True}),
    ]


class TbsSign(core.Sequence):  # type: ignore[misc]
    """TBS_Sign: all that the signer signs."""

    _fields = [
        ("version", core.Integer),
        ("eseal", SESeal),
        ("time_info", core.GeneralizedTime),
        ("data_hash", core.OctetBitString),
        ("property_info", core.IA5String),
        ("ext_datas", ExtensionDatas, {"explicit": 0, "optional": True}),
    ]


class SesSignature(core.Sequence):  # type: ignore[misc]
    """SES_Signature: the seal signature."""

    _fields = [
        ("to_sign", TbsSign),
        ("cert", core.OctetString),
        ("signature_alg_id", core.ObjectIdentifier),
        ("signature", core.OctetBitString),
        ("time_stamp", core.OctetBitString, {"explicit": 0, "optional": True}),
    ]
