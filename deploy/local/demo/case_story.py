"""Part A, steps 5 to 8: the check of a fact, decision, hand-over and revocation, and the proof offline."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

from deploy.local.demo import evidence
from deploy.local.demo.application import SUBMITTED, ApplicationSteps, StoryResult, eventually, expect
from deploy.local.demo.gateway import request_id
from libs.client.verifying import verify
from libs.errors import TongbanError
from tongban.cases.v1 import (
    case_service_pb2,
    delivery_service_pb2,
    rating_service_pb2,
)
from tongban.cases.v1 import resources_pb2 as cases
from tongban.common.v1 import value_pb2
from tongban.license.v1 import (
    license_service_pb2,
    verification_service_pb2,
)
from tongban.license.v1 import resources_pb2 as licenses
from tongban.sharing.v1 import data_service_pb2


class CaseStory(ApplicationSteps):
    """The whole case (异地代收代办), told step by step."""

    async def tell(self) -> StoryResult:
        """Tells the story; raises if a step does not come out."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._day(SUBMITTED)
        await self._mandate()
        await self._window()
        await self._materials()
        await self._send()
        await self._correction()
        await self._fact_check()
        await self._decision()
        await self._hand_over()
        await self._revocation()
        await self._offline()
        return StoryResult(self._files, self._checks)

    # ---- step 5 ----

    async def _fact_check(self) -> None:
        review = case_service_pb2.StartReviewRequest(name=self._local_case, request_id=request_id())
        await self._case_step(review, "reviewing")
        gateway = self._handling.gateway
        token = await self._handling.token_of("reviewing")
        query = data_service_pb2.QueryRequest(
            resource=f"//{self._home.gateway.id}/{self._resource}",
            fields=["entity_name", "credit_grade"],
            conditions=[
                data_service_pb2.KeyCondition(field="uscc", values=[value_pb2.Value(string_value=self._firm.uscc)])
            ],
            use_context=self._use(self._handling),
        )
        answer = await gateway.using(token).call(query, data_service_pb2.QueryResponse)
        released = f"//{self._home.gateway.id}/sharing"
        self._receipt = next(each for each in reversed(gateway.receipts) if each.log == released)
        grades = [row.values["credit_grade"].string_value for row in answer.rows]
        expect(self._checks, "step 5: granted field", "['A']", grades)
        query.fields.append("tax_amount")
        try:
            await gateway.using(token).call(query, data_service_pb2.QueryResponse)
            refused = "released"
        except TongbanError as error:
            refused = error.reason
        expect(self._checks, "step 5: field outside the grant", "FIELD_NOT_GRANTED", refused)
        await self._logs_agree()
        self._say("5  the reviewing officer reads granted fields from 六安, another field is refused, both are logged")

    async def _logs_agree(self) -> None:
        for office in (self._home, self._handling):
            token = await office.token_of("auditing")
            page = await office.gateway.get(
                "/v1/audit/sharing/auditRecords",
                token,
                filter=f'transaction_id = "{self._transaction}"',
                pageSize="100",
            )
            results = sorted({record["result"] for record in page["auditRecords"]})
            expect(self._checks, f"step 5: log of {office.gateway.name}", "['FIELD_NOT_GRANTED', 'OK']", str(results))

    # ---- step 6 ----

    async def _decision(self) -> None:
        await self._case_step(
            case_service_pb2.DecideCaseRequest(
                name=self._local_case,
                etag=(await self._read_case()).etag,
                outcome=cases.OUTCOME_APPROVED,
                reason="符合法定条件",
                request_id=request_id(),
            ),
            "deciding",
        )
        closed = await eventually(self._read_case, lambda c: c.state == cases.CASE_STATE_CLOSED, "the licence")
        self._license = closed.results[0].license
        gateway = self._handling.gateway
        request = license_service_pb2.DownloadLicenseRequest(
            name=self._license, format=licenses.FILE_FORMAT_OFD, use_context=self._use(self._handling), original=True
        )
        answer = license_service_pb2.DownloadLicenseResponse
        token = await self._handling.token_of("deciding")
        original = await gateway.using(token).call(request, answer)
        ofd = self._keep("licence.ofd", original.content)
        request.format = licenses.FILE_FORMAT_PDF
        self._keep("licence.pdf", (await gateway.using(token).call(request, answer)).content)
        get = license_service_pb2.GetLicenseRequest(name=self._license, use_context=self._use(self._handling))
        self._issued = await gateway.using(token).call(get, licenses.License)
        await self._check_seal(ofd, original.content)
        self._say(f"6  天宁 issues {self._issued.identifier}, OFD with SM2 seal, PDF beside it")

    async def _check_seal(self, ofd: Path, content: bytes) -> None:
        report = await self._handling.gateway.post(
            "/v1/sealValidations:document", {"content": base64.b64encode(content).decode()}
        )
        expect(
            self._checks,
            "step 6: seal validation",
            "TOTAL_PASSED",
            str(report["conclusion"]).removeprefix("CONCLUSION_"),
        )
        expect(
            self._checks,
            "step 6: identifier check (GB/T 36904)",
            True,
            evidence.identifier_holds(self._issued.identifier),
        )
        verdict = await asyncio.to_thread(evidence.openssl_verifies, ofd, self._folder)
        expect(self._checks, "step 6: openssl on the SM2 signature", "Signature Verified Successfully", verdict)
        picture = await self._handling.gateway.http.get(
            f"/v1/{self._handling.seal}:picture",
            params={"format": "PICTURE_FORMAT_PNG"},
            headers={"authorization": f"Bearer {await self._handling.token_of('custody')}"},
        )
        picture.raise_for_status()
        self._keep("seal.png", picture.content)

    # ---- step 7 ----

    async def _hand_over(self) -> None:
        result = await eventually(self._read_transfer, lambda t: bool(t.result.results), "the result at 六安's window")
        gateway = self._home.gateway
        request = license_service_pb2.DownloadLicenseRequest(
            name=result.result.results[0].license, format=licenses.FILE_FORMAT_OFD, use_context=self._use(self._home)
        )
        token = await self._home.token_of("receiving")
        copy = await gateway.using(token).call(request, license_service_pb2.DownloadLicenseResponse)
        self._keep("annotated-copy.ofd", copy.content)
        request.format = licenses.FILE_FORMAT_PDF
        pdf = await gateway.using(token).call(request, license_service_pb2.DownloadLicenseResponse)
        self._keep("annotated-copy.pdf", pdf.content)
        expect(self._checks, "step 7: 六安 gets an annotated copy", True, copy.annotated)
        await self._deliver_and_rate()
        await self._verify_publicly(gateway, "VALID", "step 7: QR content, asked in 六安")
        page = await self._handling.gateway.http.get(self._issued.qr_content)
        expect(self._checks, "step 7: the page that the QR code opens", "证照有效", evidence.conclusion_of(page.text))
        self._say("7  六安's window hands the annotated copy over; the agent rates 满意; the QR content verifies")

    async def _deliver_and_rate(self) -> None:
        clerk = await self._handling.token_of("receiving")
        gateway = self._handling.gateway
        create = delivery_service_pb2.CreateCaseDeliveryRequest(
            case_delivery=delivery_service_pb2.CaseDelivery(
                case=self._local_case, method=cases.DELIVERY_METHOD_DOWNLOAD
            ),
            request_id=request_id(),
        )
        made = await gateway.using(clerk).call(create, delivery_service_pb2.CaseDelivery)
        confirm = delivery_service_pb2.ConfirmCaseDeliveryRequest(name=made.name, request_id=request_id())
        await gateway.using(clerk).call(confirm, delivery_service_pb2.CaseDelivery)
        rating = rating_service_pb2.Rating(
            case=self._case,
            kind=rating_service_pb2.RATING_KIND_FIRST,
            level=cases.SATISFACTION_LEVEL_SATISFIED,
            channel=rating_service_pb2.RATING_CHANNEL_WINDOW_TABLET,
        )
        rate = rating_service_pb2.CreateRatingRequest(rating=rating, request_id=request_id())
        await self._home.gateway.using(self._window_token).call(rate, rating_service_pb2.Rating)
        rated = await eventually(self._read_case, lambda c: c.rating != 0, "the rating in 天宁")
        expect(self._checks, "step 7: rating in 天宁", "满意 (2)", f"满意 ({rated.rating})")

    async def _verify_publicly(self, gateway: Any, wanted: str, name: str) -> None:
        request = verification_service_pb2.VerifyLicenseRequest(qr_content=self._issued.qr_content)
        answer = verification_service_pb2.VerifyLicenseResponse

        async def ask() -> str:
            response = await gateway.region.call(request, answer)
            return verification_service_pb2.Standing.Name(response.standing).removeprefix("STANDING_")

        expect(self._checks, name, wanted, await ask())

    async def _revocation(self) -> None:
        gateway = self._handling.gateway
        request = license_service_pb2.RevokeLicenseRequest(
            name=self._license, reason="示例吊销", legal_basis="《食品经营许可和备案管理办法》", request_id=request_id()
        )
        token = await self._handling.token_of("deciding")
        await gateway.using(token).call(request, licenses.License)
        await asyncio.sleep(1.0)
        await self._verify_publicly(self._home.gateway, "REVOKED", "step 7: revocation in 六安 one second later")
        self._say("   revoked in 天宁, it shows as revoked in 六安 a second later")

    # ---- step 8 ----

    async def _offline(self) -> None:
        token = await self._home.token_of("auditing")
        gateway = self._home.gateway
        receipt = self._keep("receipt.json", await gateway.using(token).prove(self._receipt))
        proof = json.loads(receipt.read_bytes())
        report = verify(receipt.read_bytes(), self._root_certificate)
        expect(self._checks, "step 8: receipt by the client", True, report.valid)
        self._keep("log-head.json", json.dumps(proof["head"], ensure_ascii=False, indent=1).encode())
        log = await evidence.export_log(gateway, "sharing", token, int(proof["head"]["treeSize"]))
        self._keep("log.jsonl", log)
        region = await gateway.get(f"/v1/regions/{self._handling.gateway.id}", await self._home.admin_token())
        assert region["state"] == "REGION_STATE_ACTIVE"
        root = self._keep("root.der", self._root_certificate)
        expect(self._checks, "step 8: receipt offline", 0, evidence.audit_verify(receipt, root))
        changed = self._keep("log-changed.jsonl", log.replace(b"credit_grade", b"credit_grads", 1))
        head = self._files["log-head.json"]
        expect(
            self._checks,
            "step 8: log copy offline",
            0,
            evidence.audit_verify(receipt, root, log=self._files["log.jsonl"], head=head),
        )
        expect(
            self._checks,
            "step 8: changed copy is caught",
            1,
            evidence.audit_verify(receipt, root, log=changed, head=head),
        )
        self._say("8  the receipt holds offline against the signed head; a changed copy of the log is caught")
