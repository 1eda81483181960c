"""Verbs of telephony, by noun: `carrier`, `calls`, `testing`."""
