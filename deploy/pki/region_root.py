"""The region's SM2 root, and what it certifies at the first start: each service's log key, and the seal service's CA.

The root's key lies outside every service's key store. In a real region it is an offline device, and the certificates
made here are ordered from a licensed CA; the files that the services read are the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from libs.clock import SystemClock
from libs.config import KeysConfig
from libs.crypto.keystore import Algorithm, KeyStore, create_master_key, load_master_key
from libs.crypto.tongsuo import TongsuoProvider
from libs.crypto.x509 import Certificate, DistinguishedName, Profile, Validity, issue_certificate, make_root

# Far enough back that a demo can replay past years.
_START = datetime(2020, 1, 1, tzinfo=UTC)
_ROOT_DAYS = 7300
_LEAF_DAYS = 7000
ROOT_FILE = "root.der"


@dataclass(frozen=True)
class _Wanted:
    key: str
    profile: Profile
    title: str


_EVERY_SERVICE = (_Wanted("log", Profile.LOG, "审计日志"),)
_SERVICE = {"seal": (_Wanted("ca", Profile.SUBORDINATE_CA, "电子印章签发机构"),)}


def _store(folder: Path, master_key_file: Path) -> KeyStore:
    return KeyStore(folder, load_master_key(master_key_file), TongsuoProvider(), SystemClock())


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    draft.write_bytes(content)
    draft.replace(path)


class RegionRoot:
    """The root of one region, made on first use in ``folder``."""

    def __init__(self, folder: Path, region: str) -> None:
        create_master_key(folder / "master.key")
        self._region = region
        store = _store(folder / "keys", folder / "master.key")
        store.ensure("root", Algorithm.SM2)
        self._signer = store.signer("root")
        path = folder / ROOT_FILE
        if not path.exists():
            subject = DistinguishedName(f"Tongban {region} SM2 Root", organization="Tongban", identifier=region)
            _write(path, make_root(self._signer, subject, Validity.days(_START, _ROOT_DAYS)).der)
        self.certificate = Certificate.parse(path.read_bytes())

    def certify(self, service: str, keys: KeysConfig) -> None:
        """Makes the service's keys and certificates that are missing, and leaves the root's certificate beside them."""
        store = _store(keys.folder, keys.master_key_file)
        for wanted in (*_EVERY_SERVICE, *_SERVICE.get(service, ())):
            path = keys.folder / f"{wanted.key}.der"
            store.ensure(wanted.key, Algorithm.SM2)
            if not self._entitles(path, wanted.profile):
                _write(path, self._issue(service, wanted, store).der)
        _write(keys.folder / ROOT_FILE, self.certificate.der)

    def _entitles(self, path: Path, profile: Profile) -> bool:
        """Tells whether the certificate is there, this root's, and says what it is for."""
        if not path.exists():
            return False
        known = Certificate.parse(path.read_bytes())
        return known.issuer_der == self.certificate.subject_der and known.purposes == profile.purposes

    def _issue(self, service: str, wanted: _Wanted, store: KeyStore) -> Certificate:
        subject = DistinguishedName(
            f"{wanted.title} {self._region}/{service}", organization="Tongban", identifier=self._region
        )
        return issue_certificate(
            self.certificate,
            self._signer,
            subject,
            store.signer(wanted.key).public_key,
            wanted.profile,
            Validity.days(self.certificate.not_before, _LEAF_DAYS),
        )


def ensure(folder: Path, region: str, services: Mapping[str, KeysConfig]) -> None:
    """Makes the root and certifies ``services``; again and again with the same result."""
    root = RegionRoot(folder, region)
    for service, keys in services.items():
        root.certify(service, keys)
