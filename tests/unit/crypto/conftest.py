"""A small PKI that tests of certificates share."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from libs.crypto.provider import Signer, SoftwareSigner
from libs.crypto.tongsuo import default_provider
from libs.crypto.x509 import (
    Certificate,
    Crl,
    DistinguishedName,
    Profile,
    Role,
    TrustPolicy,
    Validity,
    issue_certificate,
    make_crl,
    make_root,
    verify_chain,
)

PROVIDER = default_provider()
START = datetime(2024, 1, 1, tzinfo=UTC)
NOW = START + timedelta(days=10)


def new_signer() -> Signer:
    return SoftwareSigner(PROVIDER, PROVIDER.sm2_generate())


@dataclass(frozen=True)
class Pki:
    """A root, a CA below it, a seal maker below that, and both CAs' CRLs."""

    root_key: Signer
    ca_key: Signer
    maker_key: Signer
    root: Certificate
    ca: Certificate
    maker: Certificate
    root_crl: Crl
    ca_crl: Crl

    @property
    def policy(self) -> TrustPolicy:
        return TrustPolicy((self.root,), (self.root_crl, self.ca_crl))

    def verify(
        self,
        leaf: Certificate | None = None,
        at: datetime = NOW,
        policy: TrustPolicy | None = None,
        proven: datetime | None = None,
    ) -> None:
        verify_chain(leaf or self.maker, [self.ca], at, policy or self.policy, PROVIDER, Role.SEAL_MAKER, proven=proven)


@pytest.fixture(scope="module")
def pki() -> Pki:
    root_key, ca_key, maker_key = new_signer(), new_signer(), new_signer()
    root = make_root(root_key, DistinguishedName("测试根", "测试机构"), Validity.days(START, 36500))
    years = Validity.days(START, 3650)
    ca = issue_certificate(
        root, root_key, DistinguishedName("测试签发"), ca_key.public_key, Profile.SUBORDINATE_CA, years
    )
    subject = DistinguishedName("测试制章", "测试机构", "一处", "11349999MA0000000")
    year = Validity.days(START, 365)
    maker = issue_certificate(
        ca,
        ca_key,
        subject,
        maker_key.public_key,
        Profile.SEAL_MAKER,
        year,
        serial_number=1234,
        crl_url="http://crl.invalid/ca.crl",
    )
    until = START + timedelta(days=30)
    root_crl, ca_crl = (make_crl(c, k, 1, START, until, []) for c, k in ((root, root_key), (ca, ca_key)))
    return Pki(root_key, ca_key, maker_key, root, ca, maker, root_crl, ca_crl)
