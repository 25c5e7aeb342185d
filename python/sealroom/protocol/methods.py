"""The table of methods: name, struct of the parameters, struct of the result."""

from typing import Final

from . import admin_calls, calls
from .objects import Context, User
from .values import Empty, Message

METHODS: Final[dict[str, tuple[type[Message], type[Message]]]] = {
    "auth.challenge": (calls.ChallengeParams, calls.ChallengeResult),
    "auth.login": (calls.LoginParams, calls.LoginResult),
    "auth.resume": (calls.ResumeParams, calls.ResumeResult),
    "auth.admin": (admin_calls.AdminParams, Empty),
    "context.users": (calls.ContextUsersParams, calls.ContextUsersResult),
    "context.get": (calls.ContextParams, calls.ContextView),
    "room.create": (calls.RoomCreateParams, calls.RoomResult),
    "room.get": (calls.RoomParams, calls.RoomResult),
    "room.list": (calls.RoomListParams, calls.RoomListResult),
    "room.update": (calls.RoomUpdateParams, calls.RoomResult),
    "room.history": (calls.RoomHistoryParams, calls.RoomHistoryResult),
    "room.delete": (calls.RoomParams, Empty),
    "room.delete_many": (calls.RoomDeleteManyParams, calls.RoomDeleteManyResult),
    "room.close": (calls.RoomParams, Empty),
    "room.reopen": (calls.RoomParams, Empty),
    "room.join": (calls.RoomParams, calls.JoinResult),
    "room.leave": (calls.RoomParams, Empty),
    "room.kick": (calls.RoomKickParams, Empty),
    "room.send_event": (calls.RoomSendEventParams, Empty),
    "room.ready": (calls.RoomReadyParams, Empty),
    "room.participants": (calls.RoomParams, calls.ParticipantsResult),
    "stream.publish": (calls.PublishParams, calls.PublishResult),
    "stream.unpublish": (calls.UnpublishParams, Empty),
    "stream.list": (calls.RoomParams, calls.StreamListResult),
    "subscription.update": (calls.SubscriptionParams, calls.SubscriptionResult),
    "media.answer": (calls.AnswerParams, calls.AnswerResult),
    "media.trickle": (calls.TrickleParams, Empty),
    "events.subscribe": (calls.EventSubscribeParams, calls.EventSubscription),
    "events.subscribe_for": (calls.EventQueriesParams, calls.EventQueriesResult),
    "events.unsubscribe": (calls.EventSubscription, Empty),
    "admin.context_create": (admin_calls.ContextCreateParams, Context),
    "admin.context_set_policy": (admin_calls.ContextPolicyParams, Empty),
    "admin.context_list": (admin_calls.PageParams, admin_calls.ContextListResult),
    "admin.user_add": (admin_calls.UserAddParams, User),
    "admin.user_remove": (admin_calls.UserRemoveParams, Empty),
    "admin.user_set_acl": (admin_calls.UserAclParams, Empty),
    "admin.user_list": (admin_calls.ContextPageParams, calls.ContextUsersResult),
    "admin.room_list": (admin_calls.ContextPageParams, admin_calls.AdminRoomListResult),
    "admin.key_create": (admin_calls.KeyCreateParams, admin_calls.KeyCreated),
    "admin.key_list": (admin_calls.PageParams, admin_calls.KeyListResult),
    "admin.key_revoke": (admin_calls.KeyRevokeParams, Empty),
}
