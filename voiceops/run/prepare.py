"""Brings the database up to date and loads the demo; quick when both are done."""

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor


def main() -> None:
    django.setup()
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", interactive=False, verbosity=1)
    if settings.SIMULATOR:
        call_command("demo")
        call_command("furnish_demo")


if __name__ == "__main__":
    main()
