"""What the carrier calls. Each view verifies the signature before anything else."""

from django.urls import path

from telephony import webhooks

app_name = "webhooks"
urlpatterns = [
    path("voice/<str:token>", webhooks.voice, name="voice"),
    path("fallback/<str:token>", webhooks.fallback, name="fallback"),
    path("status/<str:token>", webhooks.phone_status, name="phone_status"),
    path("texts/<str:token>", webhooks.text, name="text"),
    path("messages/<uuid:message_id>/status", webhooks.text_status, name="text_status"),
    path("calls/<uuid:call_id>/answered", webhooks.answered, name="answered"),
    path("calls/<uuid:call_id>/detected", webhooks.detected, name="detected"),
    path("calls/<uuid:call_id>/fallback", webhooks.call_fallback, name="call_fallback"),
    path("calls/<uuid:call_id>/gather", webhooks.gather_turn, name="gather"),
    path("calls/<uuid:call_id>/relay-ended", webhooks.relay_ended, name="relay_ended"),
    path("calls/<uuid:call_id>/whisper", webhooks.whisper, name="whisper"),
    path("calls/<uuid:call_id>/handed-over", webhooks.handed_over, name="handed_over"),
    path("calls/<uuid:call_id>/status", webhooks.call_status, name="call_status"),
    path("calls/<uuid:call_id>/recording", webhooks.recording, name="recording"),
]
