"""The Python client of a region's API: what partners' programs, the demo and the system tests call it with.

```python
async with AsyncTongban("https://zwfw.example.gov.cn", PrivateKey.from_file(path)) as region:
    person = region.asserting("persons/…", "PERSON", acr="4")
    case = await person.cases.create_case(
        case=Case(item="serviceItems/…", applicant=applicant, channel=CHANNEL_WEB)
    )
    case = await person.cases.submit_case(name=case.name)
```

Methods, arguments and their documentation are made from the contract (``libs.client.made``). A call that fails raises the
error that the region meant (``libs.errors``). ``Tongban`` is the same for code that waits.
"""

from libs.client.calls import AsyncDownload, Download
from libs.client.certificates import ByCertificate, OwnCertificate
from libs.client.credentials import Bearer, ClientSecret, Credentials, PrivateKey
from libs.client.proofs import ProofKey
from libs.client.region import AsyncTongban, Tongban
from libs.client.retrying import RetryPolicy
from libs.client.unreachable import RegionsUnreachable

__all__ = [
    "AsyncDownload",
    "AsyncTongban",
    "Bearer",
    "ByCertificate",
    "ClientSecret",
    "Credentials",
    "Download",
    "OwnCertificate",
    "PrivateKey",
    "ProofKey",
    "RegionsUnreachable",
    "RetryPolicy",
    "Tongban",
]
