"""Rows of every kind for a test's tenant: those that the isolation check makes."""

from voiceops.isolation.tenants import MARK, furnish, owned_models

__all__ = ["MARK", "furnish", "owned_models"]
