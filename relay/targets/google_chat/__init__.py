"""Google Chat: through a space's incoming webhook, and as a Chat app. Both say the same in the same way."""

from relay.targets.google_chat.app import GoogleChatAppOptions, GoogleChatAppTarget
from relay.targets.google_chat.limits import MESSAGE_BYTES, TEXT_UNITS
from relay.targets.google_chat.webhook import TARGET, GoogleChatOptions, GoogleChatTarget

__all__ = [
    "MESSAGE_BYTES",
    "TARGET",
    "TARGETS",
    "TEXT_UNITS",
    "GoogleChatAppOptions",
    "GoogleChatAppTarget",
    "GoogleChatOptions",
    "GoogleChatTarget",
]

TARGETS = (GoogleChatTarget, GoogleChatAppTarget)
