"""The operators' pages beside those of models, in the admin's looks."""
