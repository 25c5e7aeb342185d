"""What administrators do: over the socket as `admin.*`, or in process as `Bridge.admin`.

Each method of the protocol is a method of `Admin` with the same name and parameters; `actor` says
who calls. None can read or change what members say: no key for that is at the Bridge.
"""

from .audit import AuditAdmin
from .base import AdminParts
from .contexts import ContextAdmin
from .keys import KeyAdmin
from .participants import ParticipantAdmin
from .rooms import RoomAdmin
from .statistics import StatisticsAdmin
from .users import UserAdmin


class Admin(
    ContextAdmin, UserAdmin, RoomAdmin, ParticipantAdmin, StatisticsAdmin, KeyAdmin, AuditAdmin
):
    """Administration of one Bridge. Everything may raise `RequestError`."""


__all__ = ["Admin", "AdminParts"]
