"""Huiyao (会邀): a self-hosted meeting-invitation service."""

__version__ = "0.1.0"
