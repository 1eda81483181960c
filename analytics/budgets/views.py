from decimal import Decimal

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.decorators import may
from analytics.budgets import spending
from analytics.budgets.forms import BudgetForm
from telephony.models import Budget
from telephony.services import budgets
from voiceops.htmx import go_to

UNPROCESSABLE = 422
can_manage = may("manage_workspace")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def budget(request):
    if request.method == "POST":
        return _save(request)
    return _page(request, _form(request))


def _form(request, data=None):
    owner = request.workspace
    kept = budgets.find(owner) or Budget()
    return BudgetForm(data, instance=kept, owner=owner)


@can_manage
def _save(request):
    form = _form(request, request.POST)
    if not form.is_valid():
        return _page(request, form, status=UNPROCESSABLE)
    spending.keep(request.workspace, at=now(), **form.cleaned_data)
    messages.success(request, _("The budget is saved."))
    return go_to(request, reverse("analytics:budget"))


def _page(request, form, status=200):
    owner = request.workspace
    context = {"form": form, "month": this_month(owner)}
    return render(request, "analytics/budget.html", context, status=status)


def this_month(owner):
    """What is spent of the budget, and what is spent besides."""
    month = budgets.month_of(owner, now())
    spent = dict(spending.spent_in(owner, month))
    kept = budgets.find(owner)
    told = {"first": month[0], "next": month[1], "budget": kept}
    if kept is not None:
        mine = spent.pop(kept.currency, Decimal(0))
        told |= {
            "spent": mine,
            "percent": int(100 * mine / kept.amount),
            "left": kept.amount - mine,
        }
    return told | {"elsewhere": list(spent.items())}


@login_required
@require_POST
@can_manage
def budget_remove(request):
    if budgets.remove(request.workspace):
        messages.success(request, _("There is no budget any more."))
    return go_to(request, reverse("analytics:budget"))
