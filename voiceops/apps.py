from django.contrib.admin.apps import AdminConfig


class OperatorsConfig(AdminConfig):
    """Django's admin, behind a door of ours."""

    default_site = "accounts.operators.OperatorsSite"
