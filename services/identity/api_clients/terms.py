"""What a change of a client's terms writes."""

from typing import Any

from libs.db.uow import Transaction
from services.identity.core.client_rules import Client, ClientState
from services.identity.core.client_terms import ClientTerms, allows
from services.identity.core.withdrawals import TokenWithdrawals


def changed_terms(row: Client, terms: ClientTerms) -> dict[str, Any]:
    """Returns the columns of other terms; of an end that moved it is told anew."""
    told = {} if terms.expire_time == row.expire_time else {"expire_time": terms.expire_time, "expiry_notice": None}
    return {
        "scopes": terms.scopes,
        "assertable": terms.assertable,
        "max_assurance": terms.max_assurance,
        "ip_ranges": terms.ip_ranges,
        "sender_constraint": terms.sender_constraint,
        "signs": terms.signs,
        "redirect_uris": terms.redirect_uris,
        "post_logout_redirect_uris": terms.post_logout_redirect_uris,
        **told,
    }


async def take_less(tx: Transaction, withdrawals: TokenWithdrawals, before: Client, row: Client) -> None:
    """Refuses the tokens given before where the client may less now; one that gets no tokens has none that hold."""
    if row.state is before.state is ClientState.ACTIVE and not allows(row.terms, before.terms):
        await withdrawals.narrow(tx, row.name)
