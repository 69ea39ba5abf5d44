"""The identity service's configuration, beside what every service has."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, IPvAnyNetwork, model_validator

from libs.config import HttpConfig, Section, ServiceConfig


class Bootstrap(Section):
    """Where the credentials of the clients are written that the first start makes: the first administrator, the region's own pages."""

    credentials_file: str
    pages_credentials_file: Path | None = None


class Tokens(Section):
    """How tokens are made.

    Attributes:
        access_seconds: how long access tokens live.
        key_days: how long each key signs, and how long before that it is published for other regions to pin.
    """

    access_seconds: int = Field(default=600, ge=30, le=600)
    key_days: int = Field(default=180, ge=1, le=3650)


class Clients(Section):
    """Which clients get tokens, and how much they may call.

    Attributes:
        environment: those for real affairs, or, where the region is there to try things in, a sandbox's.
        quota_per_second, quota_per_day: what a client may call whose contract names no quota and that is not the region's own; 0 for any number.
    """

    environment: Literal["PRODUCTION", "SANDBOX"] = "PRODUCTION"
    quota_per_second: int = Field(default=0, ge=0, le=100_000)
    quota_per_day: int = Field(default=0, ge=0)

    @property
    def quota(self) -> tuple[int, ...]:
        """Both, as a token says them; empty where neither is set."""
        pair = (self.quota_per_second, self.quota_per_day)
        return pair if any(pair) else ()


class Windows(Section):
    """What is asked of who serves people at a window.

    Attributes:
        certified: whether nobody does without a certificate that holds; whose is over never does.
    """

    certified: bool = False


_FIELD = "^[a-z][a-z0-9_]{0,62}$"
_ORIGIN = r"^(https?|wss?)://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$"
_RESOURCE = "^(//[a-z0-9][a-z0-9-]{0,30}[a-z0-9]/)?dataResources/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"


class SharedRegisterSection(Section):
    """A department's table that is compared with through data sharing.

    Attributes:
        resource: the table, `dataResources/<uuid>`, of another region `//<region>/dataResources/<uuid>`.
        department: the department that holds the grant, `departments/<uuid>`: for `IDENTITY_CHECK`, without a case.
        number_field, name_field: its fields with the document's number (a key) and the full name.
        type_field: its field with the document's type (GA/T 2000.156), a key; empty where it holds resident identity cards alone.
    """

    resource: str = Field(pattern=_RESOURCE)
    department: str = Field(pattern="^departments/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
    number_field: str = Field(pattern=_FIELD)
    name_field: str = Field(pattern=_FIELD)
    type_field: str = Field(default="", pattern=f"{_FIELD}|^$")


class PopulationRegister(Section):
    """What names and numbers are compared with; without it level 2 can't be reached.

    Attributes:
        url, token_file, seconds: a register behind HTTP, what it is asked with, and how long it may take.
        table, key_file: instead of it the table that ``tongban population`` made of the operator's list, and its key.
        sharing: instead of both a department's table that is reached through data sharing.
    """

    url: str = ""
    token_file: Path | None = None
    seconds: float = 3.0
    table: Path | None = None
    key_file: Path | None = None
    sharing: SharedRegisterSection | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if [bool(self.url), bool(self.table), bool(self.sharing)].count(True) != 1 or bool(self.table) != bool(
            self.key_file
        ):
            raise ValueError("population_register has either a url, or a table and its key_file, or sharing")
        return self


class VerifierSection(Section):
    """A verifier that a person takes part in.

    Attributes:
        url, token_file, seconds: where it is, what it is asked with, and how long it may take.
        insecure_double: instead of it something that passes everybody, to try the way out; logs and status tell of it.
    """

    url: str = ""
    token_file: Path | None = None
    seconds: float = Field(default=5.0, gt=0, le=20)
    insecure_double: bool = False

    @model_validator(mode="after")
    def _one(self) -> Self:
        if bool(self.url) == self.insecure_double:
            raise ValueError("a verifier has either a url, or insecure_double = true")
        return self


class Verifiers(Section):
    """What recognises faces, and what asks banks; what is not configured is refused."""

    face: VerifierSection | None = None
    bank_card: VerifierSection | None = None


class NotifierSection(Section):
    """How words of one kind leave: by a notifier of the region's own, else by SMTP, else into a folder.

    Attributes:
        folder: where they are written instead of being sent.
        host, port, security, sender: the SMTP server, and the address that mails come from.
        username, password_file: how it is signed in to; nothing where it asks for nothing.
        ca_file: the authority of its certificate, where the system's do not know it.
        seconds: how long it may take to answer.
        plugin: ``package.module:function``, called with this section; ``options`` are for it.
    """

    folder: Path | None = None
    host: str = ""
    port: int = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    sender: str = ""
    username: str = ""
    password_file: Path | None = None
    ca_file: Path | None = None
    seconds: float = Field(default=10.0, gt=0, le=30)
    plugin: str = ""
    options: dict[str, str] = Field(default_factory=dict)


class PseudonymSection(Section):
    """What makes pseudonyms of people, where it is not the region's own keyed hash.

    Attributes:
        plugin: ``package.module:function``, called with this section; ``options`` are for it.
    """

    plugin: str = ""
    options: dict[str, str] = Field(default_factory=dict)


class Notify(Section):
    """How people are told something: by e-mail, by phone. What is not configured is not sent, and refused."""

    email: NotifierSection | None = None
    phone: NotifierSection | None = None


class Logouts(Section):
    """How clients are told that a sign-in ended (OpenID Connect Back-Channel Logout 1.0).

    Attributes:
        private_ranges: addresses that are not public and are called nevertheless, such as those of the government's own network.
        seconds: how long a client may take to answer.
        ca_file: the authority of clients' certificates, where the system's do not know it.
    """

    private_ranges: tuple[IPvAnyNetwork, ...] = ()
    seconds: float = Field(default=5.0, gt=0, le=30)
    ca_file: Path | None = None


class Webhooks(Section):
    """How events are brought to clients.

    Attributes:
        allow_http: whether targets may be `http://…` as well.
        private_ranges: ranges of addresses (`10.1.0.0/16`) that are reached beside the public internet.
        ca_file: the authority of receivers' certificates, where the system's do not know it.
        seconds: how long a receiver may take to answer.
        poll_seconds: how often each webhook's services are asked what has changed.
    """

    allow_http: bool = False
    private_ranges: tuple[IPvAnyNetwork, ...] = ()
    ca_file: Path | None = None
    seconds: float = Field(default=15.0, gt=0, le=30)
    poll_seconds: float = Field(default=5.0, ge=1, le=60)


class Upstreams(Section):
    """How identity providers of others are reached at which people sign in.

    Attributes:
        allow_http: whether they may be `http://…` as well.
        private_ranges: addresses that are not public and are called nevertheless, such as those of the government's own network.
        ca_file: the authority of their certificates, where the system's do not know it.
        seconds: how long they may take to answer.
    """

    allow_http: bool = False
    private_ranges: tuple[IPvAnyNetwork, ...] = ()
    ca_file: Path | None = None
    seconds: float = Field(default=5.0, gt=0, le=20)


class SignInCertificates(Section):
    """Whose certificates people sign in by (docs/guides/sign-in.md).

    Attributes:
        authorities: PEM, SM2: the roots that are trusted with it, and authorities below them.
        crl: PEM: what they have revoked, of each authority of a chain a list that holds; read anew when it changes. None where nothing is looked up.
        assurance: how far a certificate that names its holder's number is believed.
        script: what reaches the devices, of their maker: a script that the pages run, which offers ``tongbanCertificate.sign``.
        connect: origins that this script may call, such as `https://127.0.0.1:9443` of a program on the person's computer.
    """

    authorities: Path
    crl: Path | None = None
    assurance: int = Field(default=3, ge=1, le=4)
    script: Path
    connect: tuple[Annotated[str, Field(pattern=_ORIGIN)], ...] = ()


class SignInSection(Section):
    """What people sign in with beside what needs no settings."""

    certificates: SignInCertificates | None = None


class Config(ServiceConfig):
    """The identity service's configuration.

    ``mtls_http`` is where the gateway brings what came with a client's certificate (RFC 8705): by mTLS, and nobody but the gateway.
    """

    http: HttpConfig | None = None
    mtls_http: HttpConfig | None = None
    bootstrap: Bootstrap | None = None
    tokens: Tokens = Tokens()
    clients: Clients = Clients()
    windows: Windows = Windows()
    pseudonyms: PseudonymSection = PseudonymSection()
    population_register: PopulationRegister | None = None
    verifiers: Verifiers = Verifiers()
    breached_passwords_file: Path | None = None
    """Passwords that were lost elsewhere (services/identity/README.md tells the form); none of them is taken."""
    sign_in: SignInSection = SignInSection()
    notify: Notify = Notify()
    logout: Logouts = Logouts()
    webhooks: Webhooks = Webhooks()
    upstreams: Upstreams = Upstreams()
