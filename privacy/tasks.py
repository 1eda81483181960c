"""Work of privacy that nobody waits for."""

from celery import shared_task
from django.utils.timezone import now


@shared_task(ignore_result=True)
def remove_old():
    """Remove what workspaces keep no longer. Safe to run twice at once."""
    from privacy import retention  # leaf: a task's module loads no models

    retention.run(now())


@shared_task(ignore_result=True)
def erase():
    """Go on forgetting numbers. Safe to run twice at once."""
    from privacy import erasures  # it imports this module

    erasures.run()


@shared_task(ignore_result=True)
def make_exports():
    """Make the files that were asked for. Safe to run twice at once."""
    from privacy import exports  # leaf, as above

    exports.forget(now())
    exports.run()


@shared_task(ignore_result=True)
def remove_workspaces():
    """Delete the workspaces whose time has come. Safe to run twice at once."""
    from privacy import leaving  # leaf, as above

    leaving.run()
