from agents.services import Refused


def unless_refused(form, service, *args, **kwargs):
    """What the service returns; None if it refused: an error of `form` says why."""
    try:
        return service(*args, **kwargs)
    except Refused as refusal:
        form.add_error(refusal.field, str(refusal))
        return None
