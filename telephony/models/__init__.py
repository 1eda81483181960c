from telephony.models.budgets import Budget, BudgetNotice
from telephony.models.calls import (
    ID_MARGIN,
    AfterCall,
    Call,
    CallEvent,
    CallFact,
    CallQuerySet,
    CarrierAccount,
    Phone,
    TestLine,
    Turn,
)
from telephony.models.campaigns import (
    Campaign,
    CampaignEvent,
    CampaignFile,
    RefusedRow,
)
from telephony.models.contacts import Contact
from telephony.models.costs import CallCost, Standing, TextCost
from telephony.models.inbox import CannedReply, ConversationLabel, Label, Note
from telephony.models.interventions import Intervention
from telephony.models.outgoing import CallingRules, DialledDay, DoNotContact
from telephony.models.recordings import Recording
from telephony.models.recurring import RecurringCall
from telephony.models.rehearsals import Rehearsal, TestScript
from telephony.models.removals import CarrierRemoval
from telephony.models.scheduled import ScheduledCall
from telephony.models.text_tools import ConversationFact, TextToolUse
from telephony.models.texts import Conversation, Message

__all__ = [
    "Budget",
    "BudgetNotice",
    "ID_MARGIN",
    "AfterCall",
    "Call",
    "CallCost",
    "CallEvent",
    "CallFact",
    "CallQuerySet",
    "CallingRules",
    "Campaign",
    "CampaignEvent",
    "CampaignFile",
    "CannedReply",
    "CarrierAccount",
    "CarrierRemoval",
    "Contact",
    "Conversation",
    "ConversationFact",
    "ConversationLabel",
    "DialledDay",
    "DoNotContact",
    "Intervention",
    "Label",
    "Message",
    "Note",
    "Phone",
    "ScheduledCall",
    "Recording",
    "RecurringCall",
    "RefusedRow",
    "Rehearsal",
    "TestLine",
    "TestScript",
    "Standing",
    "TextCost",
    "TextToolUse",
    "Turn",
]
