"""Of whom shared data tells: sharing knows no accounts, so a use is noted by the blind index of the number that was asked for."""

from collections.abc import Iterable

from libs.crypto.envelope import Column, FieldCipher
from libs.ids import citizen_id, uscc
from tongban.sharing.v1 import data_service_pb2 as pb

_NUMBER = Column("data_uses", "subject")


def subject_of(cipher: FieldCipher, number: str) -> str:
    """Returns under which name the uses of data on the bearer of a number are noted."""
    return f"documents/{cipher.blind_index(_NUMBER, number.strip().upper()).hex()}"


def asked_about(cipher: FieldCipher, conditions: Iterable[pb.KeyCondition]) -> frozenset[str]:
    """Returns on whom rows were asked for by the number of their identity card, or by their unified social credit code.

    Numbers are told by their own check characters: which key is one no catalogue says.
    """
    values = (value.string_value.strip().upper() for each in conditions for value in each.values)
    return frozenset(subject_of(cipher, each) for each in values if citizen_id.is_valid(each) or uscc.is_valid(each))
