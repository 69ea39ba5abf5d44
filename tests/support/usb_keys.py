"""USB keys (智能密码钥匙) and the authorities of their certificates, made and used by openssl alone: nothing of ours signs here."""

import base64
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

_DISTID = "distid:1234567812345678"
_NUMBER = "1.2.156.10260.4.1.1"
"""Where an authority puts the number of its holder's document (GB/T 20518)."""
_CA = """basicConstraints=critical,CA:TRUE{length}
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
"""
_PERSON = """basicConstraints=critical,CA:FALSE
keyUsage=critical,{usage}
{purposes}subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
{number}"""
_DAYS = "3650"
"""For so long a certificate holds from when it is made."""


def _openssl(folder: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    done = subprocess.run(["openssl", *arguments], cwd=folder, input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def _new_key(folder: Path, name: str) -> None:
    _openssl(
        folder, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:SM2", "-pkeyopt",
        "ec_param_enc:named_curve", "-out", f"{name}.key",
    )  # fmt: skip


@dataclass(frozen=True)
class UsbKey:
    """A key, its certificate, and the folder in which they lie."""

    folder: Path
    name: str

    @property
    def der(self) -> bytes:
        """The certificate."""
        return _openssl(self.folder, "x509", "-in", f"{self.name}.pem", "-outform", "DER")

    def signature(self, text: str) -> bytes:
        """SM2 with SM3 over a text, DER."""
        (self.folder / "text").write_bytes(text.encode())
        return _openssl(
            self.folder, "pkeyutl", "-sign", "-rawin", "-digest", "sm3", "-inkey", f"{self.name}.key", "-in", "text",
            "-pkeyopt", _DISTID,
        )  # fmt: skip

    def answer(self, text: str) -> str:
        """What the page's script sends."""
        said = {"certificate": self.der, "signature": self.signature(text)}
        return json.dumps({name: base64.encodebytes(value).decode() for name, value in said.items()})


class Authority:
    """An authority with a folder of its own: its root, one below it that issues to people, and what both have revoked."""

    def __init__(self, folder: Path, name: str = "测试电子认证") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._made = 0
        (folder / "index").write_text("")
        (folder / "ca.cnf").write_text(
            "[ca]\ndefault_ca=it\n[it]\ndatabase=index\ncrlnumber=number\ndefault_md=sm3\nunique_subject=no\n"
        )
        (folder / "number").write_text("01\n")
        self._issue("root", f"/C=CN/O={name}/CN={name}根", _CA.format(length=""), None)
        self._issue("issuing", f"/C=CN/O={name}/CN={name}", _CA.format(length=",pathlen:0"), "root")

    def issue(
        self,
        holder: str = "测试人",
        number: str = "",
        *,
        key: UsbKey | None = None,
        usage: str = "digitalSignature,nonRepudiation",
        purposes: str = "clientAuth,emailProtection",
        wrapped: str = "SET",
        days: str = _DAYS,
    ) -> UsbKey:
        """Issues to somebody; with the number of their identity card in it, where one is said, ``wrapped`` as authorities do."""
        self._made += 1
        name = f"person{self._made}"
        if key is not None:
            (self.folder / f"{name}.key").write_bytes((key.folder / f"{key.name}.key").read_bytes())
        written = {"SET": "SET:set", "PLAIN": f"UTF8String:{number}"}[wrapped]
        said = f"{_NUMBER}=ASN1:{written}\n" if number else ""
        more = f"[set]\none=IMPLICIT:0,PRINTABLESTRING:{number}\n" if number else ""
        purposes = f"extendedKeyUsage={purposes}\n" if purposes else ""
        extensions = _PERSON.format(usage=usage, purposes=purposes, number=said) + more
        self._issue(name, f"/C=CN/CN={holder}", extensions, "issuing", days)
        return UsbKey(self.folder, name)

    def _issue(self, name: str, subject: str, extensions: str, issuer: str | None, days: str = _DAYS) -> None:
        folder = self.folder
        if not (folder / f"{name}.key").exists():
            _new_key(folder, name)
        (folder / f"{name}.cnf").write_text(extensions)
        _openssl(
            folder, "req", "-new", "-utf8", "-key", f"{name}.key", "-subj", subject, "-out", f"{name}.csr", "-sm3",
            "-sigopt", _DISTID,
        )  # fmt: skip
        who = ["-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key"] if issuer else ["-key", f"{name}.key"]
        self._made += 1
        _openssl(
            folder, "x509", "-req", "-in", f"{name}.csr", *who, "-out", f"{name}.pem", "-extfile", f"{name}.cnf",
            "-sm3", "-sigopt", _DISTID, "-vfyopt", _DISTID, "-set_serial", str(1000 + self._made), "-days", days,
        )  # fmt: skip

    @property
    def pem(self) -> bytes:
        """The root, and the authority below it."""
        return b"".join((self.folder / f"{name}.pem").read_bytes() for name in ("root", "issuing"))

    def revoke(self, key: UsbKey) -> None:
        """Takes a certificate back; the next list says so."""
        self._listed("issuing", "-revoke", f"{key.name}.pem")

    def lists(self, days: int = 3650) -> bytes:
        """What both have revoked, good for some days."""
        root = self._listed("root", "-gencrl", "-crldays", str(days))
        return root + self._listed("issuing", "-gencrl", "-crldays", str(days))

    def _listed(self, who: str, *arguments: str) -> bytes:
        return _openssl(
            self.folder, "ca", "-config", "ca.cnf", "-keyfile", f"{who}.key", "-cert", f"{who}.pem", "-sigopt", _DISTID,
            *arguments,
        )  # fmt: skip
