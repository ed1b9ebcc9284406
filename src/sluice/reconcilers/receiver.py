"""Receiver → an address that answers calls, in its status; the Secret is read again each interval."""

from __future__ import annotations

from sluice.api.receiver import Receiver
from sluice.api.validate_receiver import OIDC, filter_of, token_rules_of, validate_receiver
from sluice.core import codes
from sluice.core.caller_token import GOOGLE, TokenRule
from sluice.core.duration import parse_duration
from sluice.core.errors import SluiceError, UserError
from sluice.core.ids import NamespacedName
from sluice.core.problem import Problem
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.receivers import OpenReceiver, Receivers, Target
from sluice.reconcilers.reported_kind import ReportedKind
from sluice.reconcilers.secret_data import secret_data
from sluice.runtime.queue import Turn

# Keys of its Secret; the last two say whom Google must vouch for, and to whom.
TOKEN, EMAIL, AUDIENCE = "token", "email", "audience"
GCR = "gcr"
RETRY_LIMIT = 600.0
STALLED_CODES = frozenset({codes.SPEC_INVALID, codes.CEL_INVALID, codes.NOT_HONOURED})


class ReceiverReconciler:
    """Keeps the addresses of all Receivers open, and says what they are."""

    def __init__(self, operator: Operator, kind: ReportedKind[Receiver], receivers: Receivers) -> None:
        self._op = operator
        self._kind = kind
        self._receivers = receivers

    async def reconcile(self, turn: Turn[NamespacedName]) -> float | None:
        """One turn. Returns the seconds until the next."""
        item = await self._kind.due(turn.key)
        if item is None:
            if self._kind.is_gone(turn.key):
                self._receivers.close(turn.key)
            else:
                self._receivers.suspend(turn.key)
            return None
        try:
            opened = await self._open(item)
        except SluiceError as error:
            self._receivers.close(turn.key)
            if error.problems and all(problem.code in STALLED_CODES for problem in error.problems):
                await self._kind.stalled(item, _reason(error), error)
                return None
            return await self._kind.failed(item, _reason(error), error, RETRY_LIMIT)
        path = self._receivers.open(opened)
        message = f"Receiver initialized for path: {path}"
        await self._kind.succeeded(item, message, {"webhookPath": path})
        return parse_duration(item.spec.interval)

    async def _open(self, item: Receiver) -> OpenReceiver:
        problems = validate_receiver(item, self._op.rules)
        if problems:
            raise UserError(*problems)
        common = filter_of(item, item.spec.resourceFilter, "resourceFilter")
        targets = []
        for index, resource in enumerate(item.spec.resources):
            own = filter_of(item, resource.filter, f"resources[{index}].filter")
            targets.append(Target(resource, tuple(each for each in (common, own) if each is not None)))
        if item.spec.type == OIDC:
            return OpenReceiver(item, "", tuple(targets), token_rules_of(item))
        values = await self._secret(item)
        return OpenReceiver(item, values[TOKEN], tuple(targets), _google(values) if item.spec.type == GCR else ())

    async def _secret(self, item: Receiver) -> dict[str, str]:
        """What its type needs of its Secret. Raises UserError, AuthenticationFailed when it is not there."""
        name, subject = item.spec.secretRef.name if item.spec.secretRef else "", self._kind.id_of(item)
        found = await secret_data(
            self._op.client, item.metadata.namespace, name, subject=subject, field="spec.secretRef"
        )
        keys = (TOKEN, EMAIL, AUDIENCE) if item.spec.type == GCR else (TOKEN,)
        values = {key: _text(found.values.get(key, b"")) for key in keys}
        for key, value in values.items():
            if not value:
                title = f"Secret {item.metadata.namespace}/{name} has no {key}"
                raise UserError(Problem(codes.AUTH_REFUSED, title, subject, field="spec.secretRef", fix=_FIXES[key]))
        return values


_FIXES = {
    TOKEN: "write a random text into the Secret's key `token`",
    EMAIL: "write the e-mail address of the subscription's service account into the Secret's key `email`",
    AUDIENCE: "write the audience of the subscription's tokens into the Secret's key `audience`",
}


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return ""


def _google(values: dict[str, str]) -> tuple[TokenRule, ...]:
    return (TokenRule(GOOGLE, values[AUDIENCE], email=values[EMAIL]),)


def _reason(error: SluiceError) -> str:
    found = {problem.code for problem in error.problems}
    if codes.CEL_INVALID in found:
        return "InvalidCELExpression"
    return "TokenNotFound" if codes.AUTH_REFUSED in found else "Failed"
