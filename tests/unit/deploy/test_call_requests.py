"""What a command line says of a request is what the request says, and nothing else gets through."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.local.call_cli import _method, app
from deploy.local.call_requests import NoSuchField, request_of
from tongban.identity.v1 import access_service_pb2, client_service_pb2, resources_pb2, staff_service_pb2


def test_words_become_fields_of_every_kind() -> None:
    words = [
        "parent=departments/1",
        "post.display_name=收件=窗口",
        "post.duties=DUTY_RECEIVING",
        "post.duties=DUTY_REVIEWING",
        'post.roles=["roles/1", "roles/2"]',
    ]
    asked = request_of(staff_service_pb2.CreatePostRequest, words)
    post = resources_pb2.Post(
        display_name="收件=窗口",
        duties=[resources_pb2.DUTY_RECEIVING, resources_pb2.DUTY_REVIEWING],
        roles=["roles/1", "roles/2"],
    )
    assert asked == staff_service_pb2.CreatePostRequest(parent="departments/1", post=post)


def test_times_masks_and_numbers_are_written_as_json_writes_them() -> None:
    words = ["name=staff/1", "post=p", "start_time=2026-12-01T00:00:00Z"]
    assert request_of(staff_service_pb2.AssignStaffRequest, words).start_time.seconds == 1_796_083_200
    words = ["client.name=clients/a", "update_mask=scopes,ipRanges", 'client.quota={"perSecond": 5}']
    asked = request_of(client_service_pb2.UpdateClientRequest, words)
    assert list(asked.update_mask.paths) == ["scopes", "ip_ranges"]
    assert asked.client.quota.per_second == 5
    assert request_of(staff_service_pb2.ListStaffRequest, ["page_size=7"]).page_size == 7


def test_words_add_to_a_body() -> None:
    body = '{"principal": "persons/1", "method": "x"}'
    asked = request_of(access_service_pb2.ExplainAccessRequest, ["method=y", "itemCodes=1"], body)
    assert asked == access_service_pb2.ExplainAccessRequest(principal="persons/1", method="y", item_codes=["1"])


@pytest.mark.parametrize(
    ("words", "body", "said"),
    [
        (["page_size"], "", "written as field=value"),
        (["pagesize=1"], "", "has no field pagesize; it has page_size, page_token, filter, order_by"),
        (["page_size.more=1"], "", "page_size has no fields by names"),
        (["page_size=many"], "", "pageSize"),
        ([], "[]", "no JSON object"),
        ([], "{", "no JSON"),
        ([], '{"more": 1}', "more"),
    ],
)
def test_what_is_no_field_is_named(words: list[str], body: str, said: str) -> None:
    with pytest.raises(NoSuchField, match=said):
        request_of(staff_service_pb2.ListStaffRequest, words, body)


def test_a_message_is_written_in_json() -> None:
    for value, said in (
        ("five", "quota is written in JSON"),
        ("5", "quota is a JSON object"),
        ("[]", "quota is a JSON object"),
    ):
        with pytest.raises(NoSuchField, match=said):
            request_of(client_service_pb2.UpdateClientRequest, [f"client.quota={value}"])


def test_what_is_said_twice_is_not_lost() -> None:
    words = ["item_codes=1", 'item_codes=["2", "3"]']
    asked = request_of(access_service_pb2.ExplainAccessRequest, words, '{"itemCodes": ["0"]}')
    assert list(asked.item_codes) == ["0", "1", "2", "3"]
    keys = ['client.jwks.keys={"kid": "1"}', 'client.jwks.keys={"kid": "2"}']
    made = request_of(client_service_pb2.CreateClientRequest, keys)
    assert [each.kid for each in made.client.jwks.keys] == ["1", "2"]
    with pytest.raises(NoSuchField, match="pageSize is given twice"):
        request_of(staff_service_pb2.ListStaffRequest, ["page_size=1", "pageSize=2"])


@pytest.mark.parametrize(
    ("word", "body"),
    [("post.display_name=x", '{"post": 5}'), ("post.duties=DUTY_RECEIVING", '{"post": {"duties": "DUTY_REVIEWING"}}')],
)
def test_a_body_that_words_can_not_be_added_to_is_named(word: str, body: str) -> None:
    with pytest.raises(NoSuchField, match="the request has"):
        request_of(staff_service_pb2.CreatePostRequest, [word], body)


def test_a_file_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"\xff")
    for file in ("latin", "nothing"):
        done = CliRunner().invoke(app, ["GetPost", "--request", str(tmp_path / file)], env={"COLUMNS": "300"})
        assert (done.exit_code, "can't be read" in done.output) == (2, True), done.output


def test_an_rpc_is_known_by_its_short_name() -> None:
    assert (
        _method("ListStaff").name
        == _method("StaffService.ListStaff").name
        == "tongban.identity.v1.StaffService.ListStaff"
    )
