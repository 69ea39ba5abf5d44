"""A program's own certificate: a key that is encrypted is an error, and no question at the program's terminal that nobody answers."""

import os
import subprocess
import sys
from pathlib import Path

from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from tests.support.partner_certificates import HeldCertificate, Signer
from tests.support.patience import PATIENCE

_OPENS = """\
import fcntl, ssl, sys, termios
from pathlib import Path
from libs.client import OwnCertificate
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
try:
    OwnCertificate(Path(sys.argv[1]), Path(sys.argv[2])).for_http(None)
except ssl.SSLError:
    print("refused")
else:
    print("opened")
"""


def _opened_at_a_terminal(held: HeldCertificate, folder: Path, *, secret: bytes = b"") -> str:
    certificate, key = held.files(folder, "own")
    if secret:
        wrapped = BestAvailableEncryption(secret)
        key.write_bytes(held.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, wrapped))
    ours, terminal = os.openpty()
    command = (sys.executable, "-c", _OPENS, str(certificate), str(key))
    try:
        done = subprocess.run(
            command, stdin=terminal, capture_output=True, start_new_session=True, timeout=PATIENCE, check=True
        )
    finally:
        os.close(terminal)
        os.close(ours)
    return done.stdout.decode().strip()


def test_nobody_is_asked_for_a_passphrase(tmp_path: Path) -> None:
    held = Signer("partners").sign("erp")
    assert _opened_at_a_terminal(held, tmp_path) == "opened"
    assert _opened_at_a_terminal(held, tmp_path, secret=b"secret") == "refused"
