from celery import shared_task


@shared_task(ignore_result=True)
def check_isolation():
    """Check for the operators' page. A second delivery checks once more."""
    from voiceops.isolation import background  # it names this module

    background.run()
