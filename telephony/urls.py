"""Pages about carrier accounts, numbers and calls."""

from django.urls import path

from telephony.views import calls, testing

app_name = "telephony"
urlpatterns = [
    # Calls and testing
    path("calls", calls.call_list, name="call_list"),
    path("calls/<uuid:pk>", calls.call_detail, name="call_detail"),
    path("calls/by-sid/<str:sid>", calls.call_by_sid, name="call_by_sid"),
    path("live", calls.call_live, name="call_live"),
    path("live/badge", calls.call_live_badge, name="call_live_badge"),
    path("test", testing.agent_test_choose, name="agent_test_choose"),
    path("voice-agents/<uuid:pk>/test", testing.agent_test, name="agent_test"),
]
