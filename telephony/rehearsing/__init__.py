"""Test scripts for agents: what the caller does, how, and what is expected. Pure."""
