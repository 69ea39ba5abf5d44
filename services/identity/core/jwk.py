"""Public keys of clients and of other regions (RFC 7517): checked when they come in, stored as JSON, used by kid."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, RSAKey

from libs.errors import InvalidArgument, invalid_field
from tongban.identity.v1 import resources_pb2 as pb

StoredJwk = Mapping[str, str]
_MEMBERS = ("kid", "kty", "alg", "use", "crv", "x", "y", "n", "e")
_BELONGS = {"EC": ("ES256", {"crv", "x", "y"}), "RSA": ("PS256", {"n", "e"})}
_RSA_BITS = range(2048, 4097)


def checked_keys(keys: pb.JsonWebKeySet, field: str) -> list[dict[str, str]]:
    """Returns the keys as they are stored.

    Raises:
        InvalidArgument: FIELD_INVALID where a key id stands twice, members don't belong to the key type, or the
            numbers are no public key (a point off the curve, a modulus of the wrong size).
    """
    stored = [{name: str(getattr(key, name)) for name in _MEMBERS if getattr(key, name)} for key in keys.keys]
    if len({key["kid"] for key in stored}) != len(stored):
        raise invalid_field(f"{field}.keys", "jwk.kid", "every key needs an id of its own")
    for place, key in enumerate(stored):
        _check(key, f"{field}.keys[{place}]")
    return stored


def _check(key: StoredJwk, field: str) -> None:
    algorithm, members = _BELONGS[key["kty"]]
    if key["alg"] != algorithm:
        raise invalid_field(f"{field}.alg", "jwk.alg", f"must be {algorithm} for this key type")
    if key.keys() - {"kid", "kty", "alg", "use"} != members:
        raise invalid_field(field, "jwk.members", f"needs exactly the members {', '.join(sorted(members))}")
    try:
        parsed = public_key(key)
    except (JoseError, ValueError) as error:
        raise _not_a_key(field) from error
    if isinstance(parsed, RSAKey):
        _check_rsa(parsed, field)


def _check_rsa(key: RSAKey, field: str) -> None:
    numbers = key.public_key.public_numbers()
    if numbers.n.bit_length() not in _RSA_BITS or numbers.e < 65537 or numbers.e % 2 == 0:
        raise _not_a_key(field)


def _not_a_key(field: str) -> InvalidArgument:
    return invalid_field(field, "jwk.key", "is no public key of its type and size")


def jwks_message(keys: Iterable[StoredJwk]) -> pb.JsonWebKeySet:
    """Builds the message of stored keys."""
    return pb.JsonWebKeySet(keys=[pb.JsonWebKey(**key) for key in keys])


@lru_cache(maxsize=10_000)
def _parsed(*members: tuple[str, str]) -> Key:
    fields: dict[str, str | list[str]] = dict(members)
    return ECKey.import_key(fields) if fields["kty"] == "EC" else RSAKey.import_key(fields)


def public_key(key: StoredJwk) -> Key:
    """Returns a stored key ready to verify with; raises JoseError or ValueError where it is none."""
    return _parsed(*sorted(key.items()))


ALGORITHMS = ("ES256", "PS256")


@lru_cache(maxsize=len(ALGORITHMS))
def decoy(algorithm: str) -> Key:
    """Returns a key that nobody has, to check a signature with where there is none to check it with."""
    if algorithm == "PS256":
        return RSAKey.generate_key(_RSA_BITS.start, private=False)
    return ECKey.generate_key("P-256", private=False)


def choose(keys: Sequence[StoredJwk], kid: str) -> StoredJwk | None:
    """Returns the key that a token names; one that names none gets the only key there is."""
    if not kid:
        return keys[0] if len(keys) == 1 else None
    return next((key for key in keys if key["kid"] == kid), None)
