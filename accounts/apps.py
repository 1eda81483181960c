from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self):
        autodiscover_modules("deletion")  # what apps say of their deleted rows
        # Models are loaded by now.
        from accounts import failed_tasks, signals  # noqa: F401
