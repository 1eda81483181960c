"""The API of the workspace's budget."""

from decimal import Decimal

from django.utils.timezone import now
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.response import Response

from accounts.api_base import OwnedSerializer, OwnedView
from accounts.permissions import Action
from analytics.api import examples
from analytics.budgets import spending
from telephony.models import Budget
from telephony.services import budgets
from voiceops.api_schema import shown_as


@shown_as(request=examples.NEW_BUDGET, answer=examples.BUDGET)
class BudgetSerializer(OwnedSerializer):
    is_set = serializers.BooleanField(
        read_only=True, help_text="False: there is none; the rest are the defaults."
    )
    month = serializers.DateField(
        read_only=True, help_text="The first day of the month that goes on."
    )
    spent = serializers.DecimalField(
        max_digits=20,
        decimal_places=6,
        read_only=True,
        help_text="In it, in `currency`, as far as it is known by now.",
    )
    is_stopped = serializers.BooleanField(
        read_only=True, help_text="Whether calls and first texts are held now."
    )

    class Meta:
        model = Budget
        fields = [
            "amount",
            "currency",
            "warn_percent",
            "stops_outgoing",
            "is_set",
            "month",
            "spent",
            "is_stopped",
        ]
        extra_kwargs = {
            "amount": {"help_text": "A calendar month, on the workspace's clock."},
            "currency": {"help_text": "Costs in another one are not counted."},
            "warn_percent": {
                "help_text": "When so much is spent, owner and admins get an e-mail "
                "and webhooks `budget.warning`, once a month."
            },
            "stops_outgoing": {
                "help_text": "Whether outgoing calls are held when it is used up, and "
                "texts to people who have not written within seven days refused."
            },
        }

    def update(self, budget, given) -> Budget:
        names = ("currency", "warn_percent", "stops_outgoing")
        defaults = {name: Budget._meta.get_field(name).default for name in names}
        return spending.keep(budget.owner, at=now(), **{**defaults, **given})

    def to_representation(self, budget):
        owner, is_set = budget.owner, budget.amount is not None
        month = budgets.month_of(owner, now())
        spent = spending.spent_in(owner, month).get(budget.currency, Decimal(0))
        # Like `super()`, which knows no amount that is not there.
        told = {name: getattr(budget, name) for name in ("currency", "warn_percent")}
        return {
            "amount": f"{budget.amount:.2f}" if is_set else None,
            **told,
            "stops_outgoing": budget.stops_outgoing,
            "is_set": is_set,
            "month": month[0].isoformat(),
            "spent": f"{spent:.6f}",
            "is_stopped": budgets.wait_of(owner, now()) is not None,
        }


class BudgetView(OwnedView):
    model = Budget
    serializer_class = BudgetSerializer
    needed_action = Action.MANAGE_WORKSPACE

    def get_object(self):
        owner = self.request.workspace
        return budgets.find(owner) or Budget(owner=owner)

    @extend_schema(
        operation_id="budget_get",
        summary="Read the budget",
        description="And what is spent of it this month.",
    )
    def get(self, request):
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(
        operation_id="budget_replace",
        summary="Set the budget",
        description="Fields that are left out get their defaults. It holds at once, "
        "against what this month has cost already.",
    )
    def put(self, request):
        serializer = self.get_serializer(self.get_object(), data=request.data)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response(serializer.data)

    @extend_schema(
        operation_id="budget_delete",
        summary="Remove the budget",
        description="Nothing is warned of and nothing held any more.",
        responses={204: None},
    )
    def delete(self, request):
        budgets.remove(request.workspace)
        return Response(status=status.HTTP_204_NO_CONTENT)
