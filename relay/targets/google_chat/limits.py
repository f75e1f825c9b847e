"""How much of a message Google Chat takes."""

MESSAGE_BYTES = 32_000
"""Largest message, all of it (Google Chat docs, "Create a message")."""

TEXT_UNITS = 4_000
"""Longest text, in UTF-16 units: the API refuses texts over 4,096 characters."""
