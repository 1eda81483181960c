"""Hours of work on everything twice: does anything grow, slow down or fail?

`make soak` holds 50 calls that are talked in, sends five webhooks a second besides, and
schedules a call a second, on PostgreSQL and Redis behind the front.
"""
