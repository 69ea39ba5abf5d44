"""A licence's QR content, as an officer of the issuing department reads it."""

from deploy.local.demo.office import Office
from tongban.common.v1 import common_pb2
from tongban.license.v1 import license_service_pb2, resources_pb2


async def license_of(office: Office, name: str) -> resources_pb2.License:
    """Reads a licence."""
    context = common_pb2.UseContext(purpose_code="LICENSE_CHECK", purpose="证照核对", department=office.department)
    request = license_service_pb2.GetLicenseRequest(name=name, use_context=context)
    return await office.gateway.using(await office.token_of("deciding")).call(request, resources_pb2.License)


async def qr_content_of(office: Office, name: str) -> str:
    """Reads what stands in its QR code."""
    return (await license_of(office, name)).qr_content
