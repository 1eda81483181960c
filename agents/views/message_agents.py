from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)
from django.views.decorators.vary import vary_on_headers

from accounts.decorators import can_write
from agents import llm, services, texting
from agents.forms.message_agents import (
    ConversationForm,
    MessageAgentForm,
    NewMessageAgentForm,
    latest,
)
from agents.message_starters import MESSAGE_STARTERS
from agents.models import MessageAgent
from agents.prompts import TEXTING_PREAMBLE
from agents.segments import MAX_TEXT_CHARACTERS, size_of
from agents.starters import starter_of
from agents.tools import Toolbox
from agents.views.agents import (
    activate,
    deactivate,
    delete,
    duplicate,
    get_agent,
    list_agents,
    save_form,
)
from voiceops import limits
from voiceops.htmx import full_or_partial

# Twilio's magic number (Test Credentials page): nobody has it.
TEXTER_NUMBER = "+15005550006"
ANSWER_WITHIN_S = 40
ANSWERS_A_MINUTE = 20  # of a workspace: each asks the model


async def _only_tried(given):
    return "Taken down, in this test only. Confirm it to them."


async def _handed_over(given):
    return texting.HANDED_OVER


# Nothing is kept: what these do is only said to be done.
ONLY_TRIED = {
    **dict.fromkeys(("note_fact", "do_not_call", "book_follow_up"), _only_tried),
    "hand_over": _handed_over,
}


@dataclass(frozen=True)
class Line:
    """A text or a tool as the page of a test shows it."""

    text: texting.Entry

    LIMIT = MAX_TEXT_CHARACTERS

    @property
    def body(self):
        return self.text.body

    @property
    def is_tool(self):
        return isinstance(self.text, texting.Use)

    @property
    def is_answer(self):
        return not self.is_tool and self.text.sender == "agent"

    @property
    def is_too_long(self):
        return self.is_answer and len(self.text.body) > self.LIMIT

    @property
    def meta(self):
        """What the text would cost."""
        return size_of(self.text.body).in_words()


@login_required
@require_safe
@vary_on_headers("HX-Request")
def message_agent_list(request):
    return list_agents(request, MessageAgent, "agents/message_agent_list.html")


@login_required
@can_write
@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def message_agent_create(request):
    key = (request.POST or request.GET).get("start", "")
    starter = starter_of(key, MESSAGE_STARTERS)
    form = NewMessageAgentForm(
        request.POST or None, starter=starter, owner=request.workspace
    )
    context = {
        "form": form,
        "starter": starter,
        "starters": MESSAGE_STARTERS,
        "preamble": TEXTING_PREAMBLE,
        "provider": services.provider_of(request.workspace),
    }
    if request.method == "POST":
        return save_form(request, form, "agents/message_agent_create.html", context)
    template = full_or_partial(request, "agents/message_agent_create.html", "start")
    return render(request, template, context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def message_agent_detail(request, pk):
    agent = get_agent(request, MessageAgent, pk)
    context = {
        "agent": agent,
        "preamble": TEXTING_PREAMBLE,
        "provider": services.provider_of(request.workspace, agent.model),
    }
    if request.method == "POST":
        return _change(request, agent, context)
    form = MessageAgentForm(owner=request.workspace, instance=agent)
    context |= {"form": form}
    return render(request, "agents/message_agent_detail.html", context)


@can_write
def _change(request, agent, context):
    # A form writes into its instance: the page goes on showing what is stored.
    instance = get_agent(request, MessageAgent, agent.pk)
    form = MessageAgentForm(request.POST, owner=request.workspace, instance=instance)
    return save_form(request, form, "agents/message_agent_detail.html", context)


@login_required
@require_POST
def message_agent_variables(request):
    """What follows from the texts that are being written: placeholders, versions."""
    form = MessageAgentForm(request.POST, owner=request.workspace)
    return render(request, "agents/agent_variables.html", {"form": form})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def message_agent_test(request, pk):
    """A conversation as a texter has it. The page carries it; nothing is stored."""
    agent = get_agent(request, MessageAgent, pk)
    if request.method == "POST":
        return _write(request, agent)
    return _conversation(request, agent, ConversationForm(), texts=[])


@can_write
def _write(request, agent):
    form = ConversationForm(request.POST)
    if not form.is_valid():
        texts = form.cleaned_data.get("texts", [])
        return _conversation(request, agent, form, texts=texts)
    texts, pretend_open = form.told, form.cleaned_data["pretend_open"]
    usage = limits.count("message-agent-test", request.workspace.pk, ANSWERS_A_MINUTE)
    if settings.RATE_LIMITS and not usage.is_allowed:
        wait = _("That was often. Try again in %(s)d seconds.") % {"s": usage.reset_s}
        form.add_error(None, wait)
        return _conversation(request, agent, form, texts=texts[:-1])
    try:
        answer = texting.answer(
            agent,
            texts,
            number=TEXTER_NUMBER,
            at=timezone.now(),
            deadline_s=ANSWER_WITHIN_S,
            pretend_open=pretend_open,
            toolbox=Toolbox.of(agent, ONLY_TRIED),
        )
    except llm.ModelFailed as failure:
        form.add_error(None, _("No answer. %(why)s") % {"why": failure})
        return _conversation(request, agent, form, texts=texts[:-1])
    answers = [texting.Text("agent", answer.body)] if answer.body else []
    texts = latest([*texts, *answer.uses, *answers])
    initial = {"texts": texts, "pretend_open": pretend_open}
    form = ConversationForm(initial=initial)
    return _conversation(request, agent, form, texts=texts, answer=answer)


def _conversation(request, agent, form, *, texts, answer=None):
    context = {
        "agent": agent,
        "provider": services.provider_of(request.workspace, agent.model),
        "number": TEXTER_NUMBER,
        "form": form,
        "lines": [Line(text) for text in texts],
        "answer": answer,
    }
    template = full_or_partial(request, "agents/message_agent_test.html", "chat")
    status = 422 if form.errors else 200
    return render(request, template, context, status=status)


@login_required
@require_POST
@can_write
def message_agent_activate(request, pk):
    return activate(request, get_agent(request, MessageAgent, pk))


@login_required
@require_POST
@can_write
def message_agent_deactivate(request, pk):
    return deactivate(request, get_agent(request, MessageAgent, pk))


@login_required
@require_POST
@can_write
def message_agent_duplicate(request, pk):
    return duplicate(request, get_agent(request, MessageAgent, pk))


@login_required
@require_POST
@can_write
def message_agent_delete(request, pk):
    return delete(
        request,
        get_agent(request, MessageAgent, pk),
        _("“%(name)s” is deleted."),
        "agents:message_agent_list",
    )
