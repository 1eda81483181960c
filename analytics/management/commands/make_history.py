from django.core.management.base import BaseCommand, CommandError
from django.utils.timezone import now

from accounts.zones import zone_names
from agents.models import MessageAgent, VoiceAgent
from analytics import history
from analytics.management.workspaces import chosen
from telephony.management.commands.demo import demo_workspace
from telephony.models import Phone

DEMO_CALLS, DEMO_DAYS, DEMO_TEXTS = 900, 60, 60


class Command(BaseCommand):
    help = (
        "Invent past calls of a workspace's agents, marked as invented: no transcript "
        "is anybody's, no number exists. They cannot be taken back one by one. "
        "Without --workspace, for the demo workspace, once."
    )

    def add_arguments(self, parser):
        parser.add_argument("--workspace", help="its id")
        parser.add_argument("--calls", type=int, default=DEMO_CALLS)
        parser.add_argument("--days", type=int, default=DEMO_DAYS)
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument(
            "--zone",
            action="append",
            help="on whose clocks they are; may be given more than once",
        )

    def handle(self, **options):
        owner = self._owner(options["workspace"])
        if owner is None or history.is_made(owner):
            return
        zones = tuple(options["zone"] or [owner.timezone])
        if unknown := set(zones) - zone_names():
            raise CommandError(f"Unknown time zone: {', '.join(sorted(unknown))}")
        plan = history.Plan(
            owner=owner,
            agents=list(VoiceAgent.objects.for_owner(owner).order_by("pk")),
            phones=list(Phone.objects.for_owner(owner).order_by("pk")),
            calls=options["calls"],
            days=options["days"],
            until=now(),
            zones=zones,
            seed=options["seed"],
        )
        history.make(plan)
        writer = MessageAgent.objects.for_owner(owner).order_by("pk").first()
        if plan.phones and writer and not options["workspace"]:
            history.make_texts(plan, writer, DEMO_TEXTS)
        self.stdout.write(f"{plan.calls} calls were invented for {owner}.")

    def _owner(self, pk):
        return chosen(pk).get() if pk else demo_workspace()
