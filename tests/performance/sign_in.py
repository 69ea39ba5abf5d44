"""Signing in by password, against what argon2id alone allows."""

import asyncio
import itertools
import os
import re
import threading
import time
from collections.abc import AsyncIterator

import httpx
from argon2 import PasswordHasher

from deploy.local.demo.gateway import request_id
from deploy.local.demo.office import open_person
from deploy.local.regions import HOST
from libs.ids.synthetic import SyntheticPopulation
from services.identity.signin.passwords import LANES, MEMORY_KIB, TIME_COST
from tests.performance.ground import Ground
from tests.performance.load import Measured, measure
from tests.performance.names import PASSWORD_SIGN_IN
from tests.support.client_keys import new_key, public_jwk
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import client_service_pb2, resources_pb2, sign_in_service_pb2

_SIGN_INS, _PEOPLE, _RAW, _AT_ONCE = 240, 24, 24, 4
REDIRECT, _PASSWORD = "https://partner.test/bench", "两岸猿声啼不住轻舟已过万重山"
_TICKET = re.compile(r'name="ticket" value="([^"]+)"')


async def password_sign_in(ground: Ground) -> Measured:
    """Sign-ins at the page that a client sent the browser to, each by another person than the one before."""
    party, numbers = await registered(ground, "bench-rp"), [number async for number in people(ground, "sign-in")]
    asked = {
        "response_type": "code",
        "client_id": party,
        "redirect_uri": REDIRECT,
        "scope": "openid",
        "prompt": "consent",
        "code_challenge": "x" * 43,
        "code_challenge_method": "S256",
    }
    async with httpx.AsyncClient(base_url=f"http://{HOST}:{ground.identity_http}", trust_env=False) as browser:
        page = await browser.get("/oauth/authorize", params=asked)
        ticket = ticket_of(page)

        async def operation(number: int) -> None:
            form = {"ticket": ticket, "login": numbers[number % len(numbers)], "password": _PASSWORD}
            answer = await browser.post("/oauth/sign-in", data=form)
            assert answer.status_code == 200, answer.text
            assert "/oauth/consent" in answer.text

        return await measure(
            PASSWORD_SIGN_IN, operation, _SIGN_INS, ground.meter, ("identity",), warm_up=_PEOPLE, at_once=_AT_ONCE
        )


async def registered(ground: Ground, name: str) -> str:
    """A client that people sign in to, called ``name``; returns its id."""
    client = resources_pb2.Client(
        display_name="测量",
        kind=resources_pb2.CLIENT_KIND_PARTNER,
        auth_method=resources_pb2.CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT,
        jwks=resources_pb2.JsonWebKeySet(keys=[public_jwk(new_key("bench"))]),
        sign_in=resources_pb2.ClientSignIn(redirect_uris=[REDIRECT]),
    )
    request = client_service_pb2.CreateClientRequest(client=client, client_id=name, request_id=request_id())
    token = await ground.office.admin_token()
    return (await ground.office.gateway.using(token).call(request, resources_pb2.Client)).name.removeprefix("clients/")


async def people(ground: Ground, seed: str) -> AsyncIterator[str]:
    """People with a password, drawn by ``seed``, by their identity numbers."""
    office, drawn = ground.office, SyntheticPopulation(seed, province="34")
    token = await office.token_of("receiving")
    async with httpx.AsyncClient(trust_env=False) as browser:
        for _ in itertools.repeat(None, _PEOPLE):
            each = drawn.person()
            document = common_pb2.IdentityDocument(type_code="111", number=each.citizen_id)
            draft = resources_pb2.Person(full_name=each.name, documents=[resources_pb2.HeldDocument(document=document)])
            person = await open_person(office.gateway, token, draft)
            own = office.gateway.using(await office.token_of_person(person.name))
            begin = sign_in_service_pb2.BeginEnrollmentRequest(request_id=request_id())
            opened = await own.call(begin, sign_in_service_pb2.Enrollment)
            ticket = ticket_of(await browser.get(opened.uri))
            form = {"ticket": ticket, "password": _PASSWORD, "again": _PASSWORD}
            (await browser.post(opened.uri.partition("?")[0], data=form)).raise_for_status()
            yield each.citizen_id


def ticket_of(page: httpx.Response) -> str:
    """What a page of the sign-in is sent back with."""
    found = _TICKET.search(page.text)
    assert found, page.text
    return found[1]


async def raw_passwords() -> float:
    """Passwords a second of one core by argon2id alone, at the same cost, while every core is at it: they share the memory that it fills."""
    hasher = PasswordHasher(TIME_COST, MEMORY_KIB, LANES)
    stored, cores = hasher.hash(_PASSWORD), os.cpu_count() or 1
    together = threading.Barrier(cores)

    def check() -> float:
        hasher.verify(stored, _PASSWORD)
        together.wait()
        began = time.thread_time()
        for _ in range(_RAW):
            hasher.verify(stored, _PASSWORD)
        return _RAW / (time.thread_time() - began)

    rates = await asyncio.gather(*(asyncio.to_thread(check) for _ in range(cores)))
    return sum(rates) / cores
