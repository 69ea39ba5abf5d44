"""What the gateway's reflection finds: files by any name that the protocol allows."""

import pytest

from services.gateway.contracts import read_image, services
from services.gateway.reflection import ContractPool


def test_a_method_is_found_by_its_full_name() -> None:
    image = read_image()
    pool = ContractPool(image)
    for service in services(image):
        for method in pool.FindServiceByName(service.full_name).methods:
            assert pool.FindFileContainingSymbol(method.full_name) is pool.FindFileContainingSymbol(service.full_name)


def test_what_is_not_there_is_not_found() -> None:
    pool = ContractPool(read_image())
    for name in ("tongban.identity.v1.TokenService.Nothing", "tongban.Nothing", ""):
        with pytest.raises(KeyError):
            pool.FindFileContainingSymbol(name)
