"""Assistants that answer a telephone for somebody and ask who calls, and why.

Apple's and Google's say nearly the same in every language: both the caller's name and
the reason of the call are wanted. What is recognized is that pair, or the service's
name for itself. A person who asks for both gets the same answer, which does no harm.
"""

import re

ASKED_WITHIN = 4  # utterances from the beginning of a call

NAME = re.compile(r"\b(name|namen|nombre|nom|nome|naam|namn|navn)\b|名前|이름|姓名")
REASON = re.compile(
    r"\b(reason|purpose|grund|anliegen|motivo|raison|motif|objet|reden|anledning)\b"
    r"|\bwhy you('re| are) calling|\bwarum (du|sie) anruf|用件|용건|原因|事由"
)
SERVICE = re.compile(
    r"call screen|screening (service|assistant|this call|your call|calls)"
)
HOLD = re.compile(
    r"stay on the line|\bhold\b|moment|if (this|the) person|available|connect you"
    r"|am apparat|warte|dran|no cuelgue|espere|ne quittez pas|un instant|patient(er|ez)"
    r"|in linea|attenda|aguarde|お待ち|기다려|请稍"
)


def asks_who_calls(text: str) -> bool:
    words = _plain(text)
    return bool(SERVICE.search(words) or (NAME.search(words) and REASON.search(words)))


def asks_to_wait(text: str) -> bool:
    """Likewise an assistant's: a person who answers says something else."""
    return bool(HOLD.search(_plain(text)))


def _plain(text: str) -> str:
    return text.replace("’", "'").casefold()
