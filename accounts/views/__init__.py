from accounts.views.profile import admin_log_in

__all__ = ["admin_log_in"]
