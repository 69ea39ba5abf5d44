"""Whether a case's materials are what they say: licences by their presentation, files by their digest.

Checked when the case is accepted and, for what came later, when it is decided: outside of the transaction and before it,
because the bytes may lie in another region. What came out is stored with the material in a transaction of its own, so
that the clerk sees it even where the acceptance is refused for it; a refused material is checked again the next time.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, replace

from libs.civil.calendar import local_day
from libs.clock import Clock
from libs.db.command import Command
from libs.db.uow import Transaction, UnitOfWork, derived_request_id
from libs.errors import TongbanError
from libs.ids.names import parse
from libs.ids.uuid7 import uuid7
from libs.rpc.messages import date_of
from services.cases.core.cases import CaseRecord, CaseStore
from services.cases.core.items import ItemVersion
from services.cases.core.steps import StepWriter
from services.cases.integrations import is_passing
from services.cases.integrations.licenses import LicenseService
from tongban.cases.v1 import resources_pb2 as pb
from tongban.common.v1 import common_pb2
from tongban.license.v1 import material_service_pb2
from tongban.license.v1 import resources_pb2 as license_pb

_UNCHECKED = (pb.MATERIAL_CHECK_PENDING, pb.MATERIAL_CHECK_REFUSED)


def unchecked(record: CaseRecord, only: frozenset[str] | None = None) -> list[pb.CaseMaterial]:
    """Returns the materials that were not verified yet, or not successfully; among the codes of ``only``."""
    return [
        material
        for material in record.content.materials
        if material.check in _UNCHECKED and (only is None or material.reference.code in only)
    ]


def key_of(materials: list[pb.CaseMaterial]) -> bytes:
    """Returns what tells one set of references from another."""
    return b"".join(_key(material.reference) for material in materials)


@dataclass(frozen=True, slots=True)
class MaterialFinding:
    """What came out for one reference."""

    reference: bytes
    good: bool
    receipt: common_pb2.Receipt | None = None
    license_identifier: str = ""


@dataclass(frozen=True, slots=True)
class MaterialChecks:
    """Checks materials and stores what came out."""

    licenses: LicenseService
    uow: UnitOfWork
    cases: CaseStore
    steps: StepWriter
    clock: Clock
    region: str

    async def run(
        self, command: Command, record: CaseRecord, item: ItemVersion, materials: list[pb.CaseMaterial]
    ) -> None:
        """Checks ``materials`` and stores the findings; raises DEPENDENCY_UNAVAILABLE where one can't be asked for."""
        findings = await asyncio.gather(*(self._check(record, item, each.reference) for each in materials))
        by_reference = {each.reference: each for each in findings}

        async def work(tx: Transaction) -> pb.Case:
            current = await self.cases.lock(tx.connection, record.name)
            for material in current.content.materials:
                found = by_reference.get(_key(material.reference))
                if found is not None:
                    _take(material, found, tx)
            current.changed, current.update_time = True, tx.now
            await self.steps.write(tx.connection, current)
            return pb.Case(name=current.name)

        await self.uow.run(replace(command, method=f"{command.method}:checkMaterials", request_id=uuid7()), work)

    async def _check(self, record: CaseRecord, item: ItemVersion, reference: pb.MaterialReference) -> MaterialFinding:
        context = common_pb2.UseContext(
            purpose_code="CASE_HANDLING",
            purpose=f"办件材料核验: {item.content.display_name}"[:200],
            service_item=f"serviceItems/{record.item}",
            case=record.name,
            department=record.department,
        )
        try:
            if reference.HasField("presentation"):
                return await self._license(record, item, reference, context)
            return await self._file(record, reference, context)
        except TongbanError as error:
            if is_passing(error):
                raise
            return MaterialFinding(_key(reference), good=False)

    async def _license(
        self, record: CaseRecord, item: ItemVersion, reference: pb.MaterialReference, context: common_pb2.UseContext
    ) -> MaterialFinding:
        name = str(parse(reference.presentation, "presentation").relative_to(self.region))
        request_id = derived_request_id("redeem", self.region, record.id, name)
        answer, receipt = await self.licenses.redeem(name, context, request_id)
        rules = (rule for rule in item.content.materials if rule.code == reference.code)
        wanted = frozenset(code for rule in rules for code in rule.license_type_codes)
        for found in (each.license for each in answer.licenses):
            if self._fits(found, wanted, reference.digest):
                return MaterialFinding(_key(reference), True, receipt, found.identifier)
        return MaterialFinding(_key(reference), False, receipt)

    def _fits(self, found: license_pb.License, type_codes: Collection[str], digest: str) -> bool:
        if found.state != license_pb.LICENSE_STATE_ISSUED or (type_codes and found.type_code not in type_codes):
            return False
        if digest not in {found.ofd.digest, found.pdf.digest}:
            return False
        validity, today = found.validity, local_day(self.clock.now())
        has_begun = not validity.HasField("start_date") or date_of(validity.start_date, "start") <= today
        return has_begun and (not validity.HasField("end_date") or today <= date_of(validity.end_date, "end"))

    async def _file(
        self, record: CaseRecord, reference: pb.MaterialReference, context: common_pb2.UseContext
    ) -> MaterialFinding:
        name = parse(reference.material, "material").relative_to(self.region)
        if name.region:
            fetched = await self.licenses.download(str(name), context)
            good = fetched.digest == reference.digest and self._belongs(record, fetched.material, name.region)
            return MaterialFinding(_key(reference), good, fetched.receipt)
        material, receipt = await self.licenses.material(str(name), context)
        good = material.state == material_service_pb2.MATERIAL_STATE_ACTIVE
        good = good and material.document.digest == reference.digest and self._belongs(record, material, self.region)
        return MaterialFinding(_key(reference), good, receipt)

    def _belongs(self, record: CaseRecord, material: material_service_pb2.Material, holder: str) -> bool:
        """A file counts only if it is a party's own, or was handed in for this very case."""
        if not material.owner:
            return False
        owner = str(parse(material.owner, "owner").absolute(holder).relative_to(self.region))
        case_name = material.case.removeprefix(f"//{self.region}/")
        return owner in {record.applicant, record.agent} or case_name == record.name


def _key(reference: pb.MaterialReference) -> bytes:
    return reference.SerializeToString(deterministic=True)


def _take(material: pb.CaseMaterial, found: MaterialFinding, tx: Transaction) -> None:
    material.check = pb.MATERIAL_CHECK_VERIFIED if found.good else pb.MATERIAL_CHECK_REFUSED
    material.check_time.FromDatetime(tx.now)
    if found.receipt is not None:
        material.receipt.CopyFrom(found.receipt)
        # The case is read by others than who asked; what was asked is not for them to open.
        material.receipt.ClearField("hash_salt")
    material.license_identifier = found.license_identifier
