"""Relay: database changes and inbound webhooks become messages, delivered once it is certain they arrived."""

__version__ = "0.1.0"
