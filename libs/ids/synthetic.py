"""Synthetic people and firms for tests and the demo: valid check digits, the same from the same seed, never real.

Every number lies in a county code that GB/T 2260 has never given out (``PP9999``), so that none can be a real
person's or firm's, whatever the random digits are.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta

from libs.ids import citizen_id, uscc
from libs.ids.citizen_id import Sex

_SURNAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜"
_GIVEN = "安宁和平明远志诚思源文博嘉禾春晓秋实清扬云舒子墨雨桐乐山知行"
_TRADES = ("便利店", "食品", "机械", "纺织", "软件", "物流", "建材", "文化传媒", "园林", "餐饮管理")
_EARLIEST, _LATEST = date(1950, 1, 1), date(2004, 12, 31)


@dataclass(frozen=True, slots=True)
class SyntheticPerson:
    """An invented person."""

    name: str = field(repr=False)
    citizen_id: str = field(repr=False)
    birth_date: date
    sex: Sex


@dataclass(frozen=True, slots=True)
class SyntheticFirm:
    """An invented firm or body."""

    name: str
    uscc: str


class SyntheticPopulation:
    """Draws people and firms from a seed; the n-th draw of one seed is always the same."""

    def __init__(self, seed: int | str, province: str = "34") -> None:
        """Draws for a province prefix of GB/T 2260 (two digits)."""
        # Not for secrets: the same seed must give the same people.
        self._random = random.Random(seed)  # noqa: S311
        self._region = f"{province}9999"
        self._drawn: set[str] = set()

    def citizen_id(self, birth_date: date | None = None, sex: Sex | None = None) -> str:
        """Returns a valid citizen identity number that this population has not drawn before."""
        return self._fresh(lambda: self._citizen_id(birth_date or self._birth_date(), sex))

    def person(self) -> SyntheticPerson:
        """Returns a person with name, number, birth date and sex."""
        parsed = citizen_id.parse(self.citizen_id(), "citizen_id")
        name = self._random.choice(_SURNAMES) + "".join(self._random.sample(_GIVEN, self._random.choice((1, 2, 2))))
        return SyntheticPerson(name, parsed.number, parsed.birth_date, parsed.sex)

    def uscc(self, category: str = "91") -> str:
        """Returns a valid code of a category (91 company, 11 government body), never the same twice."""
        return self._fresh(lambda: self._uscc(category))

    def firm(self, category: str = "91") -> SyntheticFirm:
        """Returns a firm with name and code."""
        word = "".join(self._random.sample(_GIVEN, 2))
        return SyntheticFirm(f"测试{word}{self._random.choice(_TRADES)}有限公司", self.uscc(category))

    def _citizen_id(self, birth_date: date, sex: Sex | None) -> str:
        order = self._random.randrange(500) * 2
        male = self._random.random() < 0.5 if sex is None else sex is Sex.MALE
        body = f"{self._region}{birth_date:%Y%m%d}{order + male:03}"
        return body + citizen_id.check_char(body)

    def _birth_date(self) -> date:
        return _EARLIEST + timedelta(days=self._random.randrange((_LATEST - _EARLIEST).days + 1))

    def _uscc(self, category: str) -> str:
        subject = "MA" + "".join(self._random.choices(uscc.ALPHABET, k=6))
        body = f"{category}{self._region}{subject}{uscc.organization_check_char(subject)}"
        return body + uscc.check_char(body)

    def _fresh(self, draw: Callable[[], str]) -> str:
        for _ in range(1000):
            number = draw()
            if number not in self._drawn:
                self._drawn.add(number)
                return number
        raise OverflowError("this population has no more numbers of that kind")
