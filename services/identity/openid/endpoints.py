"""What clients call beside the token endpoint: to push a request, and about tokens."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from libs.errors import TongbanError
from libs.rpc.call import FORWARDED, SIGNER, gateway_saw
from libs.security.possession import ProofsOfPossession
from services.identity.core.answering import Answering, Serve, with_receipt
from services.identity.core.oauth_errors import NOT_STORED, OAuthRefusal, refused_grant
from services.identity.core.token_form import TokenForm, seen
from services.identity.core.token_records import TokenRequest
from services.identity.openid.about_tokens import AboutTokens
from services.identity.openid.authorizations import PUSHED_LASTS
from services.identity.openid.authorize import Authorizations
from services.identity.openid.code_grants import CodeGrants
from services.identity.openid.device_grants import DeviceGrants
from services.identity.openid.devices import Devices
from services.identity.openid.provider import CODE_GRANT, DEVICE_GRANT, REFRESH_GRANT


class OpenIdEndpoints:
    """Answers them."""

    def __init__(
        self,
        answering: Answering,
        authorizations: Authorizations,
        devices: Devices,
        code_grants: CodeGrants,
        device_grants: DeviceGrants,
        about: AboutTokens,
        proofs: ProofsOfPossession,
    ) -> None:
        self._answering = answering
        self._authorizations = authorizations
        self._devices = devices
        self._code_grants = code_grants
        self._device_grants = device_grants
        self._about = about
        self._proofs = proofs

    def grants(self) -> Mapping[str, Serve]:
        """Returns the grants that the token endpoint serves by this."""
        return {
            CODE_GRANT: self._code_grants.by_code,
            REFRESH_GRANT: self._code_grants.by_refresh_token,
            DEVICE_GRANT: self._device_grants.by_device_code,
        }

    def routes(self) -> list[Route]:
        """Returns where the others are."""
        by = self._answering.by
        return [
            Route("/oauth/par", by("par", self._pushed), methods=["POST"]),
            Route("/oauth/device_authorization", by("device_authorization", self._device_asked), methods=["POST"]),
            Route("/oauth/introspect", by("introspect", self._introspected), methods=["POST"]),
            Route("/oauth/revoke", by("revoke", self._revoked), methods=["POST"]),
            Route("/oauth/userinfo", self.user, methods=["GET", "POST"]),
        ]

    async def _pushed(self, form: TokenForm, asked: TokenRequest) -> Response:
        """Keeps an authorization request (RFC 9126)."""
        client = await self._answering.proven(form, asked)
        reference = await self._authorizations.push(client, form.fields, await self._proofs.key(form.seen))
        told = {"request_uri": reference, "expires_in": int(PUSHED_LASTS.total_seconds())}
        return JSONResponse(told, 201, headers=NOT_STORED)

    async def _device_asked(self, form: TokenForm, asked: TokenRequest) -> Response:
        """Keeps what a device asks for (RFC 8628, 3.1)."""
        client = await self._answering.proven(form, asked)
        return JSONResponse(await self._devices.begin(client, form, asked.address or ""), headers=NOT_STORED)

    async def _introspected(self, form: TokenForm, asked: TokenRequest) -> Response:
        """Says whether a token is good (RFC 7662)."""
        told = await self._about.introspected(form, await self._answering.proven(form, asked))
        return JSONResponse(told, headers=NOT_STORED)

    async def _revoked(self, form: TokenForm, asked: TokenRequest) -> Response:
        """Ends what a token stands for (RFC 7009)."""
        await self._about.revoked(form, asked, await self._answering.proven(form, asked))
        return Response(headers=NOT_STORED)

    async def user(self, request: Request) -> Response:
        """Says whose token it is (OpenID Connect Core, 5.3); the token comes in the Authorization header only."""
        address, signer = gateway_saw(request.headers.get(FORWARDED, "")), request.headers.get(SIGNER, "")
        asked = TokenRequest(b"", address=address, signer=signer)
        try:
            told = await self._about.user(request.headers.get("authorization", ""), seen(request), asked)
        except OAuthRefusal as refusal:
            return with_receipt(refusal.response(), asked)
        except TongbanError as error:
            return with_receipt(refused_grant(error).response(), asked)
        return with_receipt(JSONResponse(told, headers=NOT_STORED), asked)
