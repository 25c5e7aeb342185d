"""Messages between client and Bridge: JSON-RPC 2.0 over one WebSocket at `/v1/rpc`.

Both sides use the structs exported here and nothing else; every struct refuses unknown fields.
`bytes` travel as base64, times are Unix milliseconds, durations seconds. `METHODS` maps a method to
the structs of its parameters and result, `EVENTS` an event type to the struct of its data,
`ERROR_SENTENCES` is the one table of errors. Every limit is a constant of `limits`; input beyond
one is answered with an error that names the field and the remedy, and changes nothing.

One error hides rooms: an unknown room and a room the caller is not a member of are both
`ACCESS_DENIED`.
"""

from .admin_calls import *  # noqa: F403
from .admin_room_calls import *  # noqa: F403
from .events import *  # noqa: F403
from .limits import *  # noqa: F403
from .methods import *  # noqa: F403
from .objects import *  # noqa: F403
from .room_calls import *  # noqa: F403
from .rpc import *  # noqa: F403
from .scopes import *  # noqa: F403
from .session_calls import *  # noqa: F403
from .stream_calls import *  # noqa: F403
from .values import *  # noqa: F403
