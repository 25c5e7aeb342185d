"""What API keys may do: scopes, and the one that each method of `admin.*` asks for."""

from typing import Final, Literal, TypeAlias, get_args

Scope: TypeAlias = Literal[
    "*",
    "contexts:read",
    "contexts:write",
    "users:read",
    "users:write",
    "rooms:read",
    "rooms:write",
    "participants:read",
    "participants:write",
    "statistics:read",
    "keys:read",
    "keys:write",
    "audit:read",
    "audit:write",
]
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
ALL_SCOPES: Final[Scope] = "*"

METHOD_SCOPES: Final[dict[str, Scope]] = {
    "admin.context_create": "contexts:write",
    "admin.context_get": "contexts:read",
    "admin.context_update": "contexts:write",
    "admin.context_set_policy": "contexts:write",
    "admin.context_delete": "contexts:write",
    "admin.context_list": "contexts:read",
    "admin.user_add": "users:write",
    "admin.user_get": "users:read",
    "admin.user_set_identity": "users:write",
    "admin.user_set_acl": "users:write",
    "admin.user_remove": "users:write",
    "admin.user_list": "users:read",
    "admin.room_get": "rooms:read",
    "admin.room_list": "rooms:read",
    "admin.room_close": "rooms:write",
    "admin.room_reopen": "rooms:write",
    "admin.room_delete": "rooms:write",
    "admin.room_delete_many": "rooms:write",
    "admin.participant_list": "participants:read",
    "admin.participant_kick": "participants:write",
    "admin.statistics": "statistics:read",
    "admin.bridge_list": "statistics:read",
    "admin.context_statistics": "statistics:read",
    "admin.room_statistics": "statistics:read",
    "admin.key_create": "keys:write",
    "admin.key_list": "keys:read",
    "admin.key_revoke": "keys:write",
    "admin.audit_list": "audit:read",
    "admin.audit_prune": "audit:write",
}

_Scopes: TypeAlias = frozenset[Scope] | list[Scope] | tuple[Scope, ...]


def covers(granted: _Scopes, wanted: _Scopes) -> bool:
    """Tell whether all wanted scopes are granted. `write` does not bring `read`."""
    return ALL_SCOPES in granted or set(wanted) <= set(granted)
