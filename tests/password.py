"""The password of everybody in the tests; it needs no Django to be known."""

PASSWORD = "correct horse battery staple"
