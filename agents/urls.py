"""Pages about prompts and agents."""

from django.urls import path

from agents import views

app_name = "agents"
LANGUAGE_MODEL = [
    path("settings/language-model", views.language_model, name="language_model"),
    path(
        "settings/language-model/test",
        views.language_model_test,
        name="language_model_test",
    ),
    path(
        "settings/language-model/disconnect",
        views.language_model_disconnect,
        name="language_model_disconnect",
    ),
]

urlpatterns = [
    *LANGUAGE_MODEL,
    path("prompts", views.prompt_list, name="prompt_list"),
    path("prompts/new", views.prompt_create, name="prompt_create"),
    path("prompts/preview", views.prompt_preview, name="prompt_preview"),
    path("prompts/<uuid:pk>", views.prompt_detail, name="prompt_detail"),
    path(
        "prompts/<uuid:pk>/versions/<int:number>",
        views.prompt_version,
        name="prompt_version",
    ),
    path(
        "prompts/<uuid:pk>/versions/<int:number>/restore",
        views.prompt_restore,
        name="prompt_restore",
    ),
    path("prompts/<uuid:pk>/compare", views.prompt_compare, name="prompt_compare"),
    path("prompts/<uuid:pk>/delete", views.prompt_delete, name="prompt_delete"),
    path("tools", views.tool_list, name="tool_list"),
    path("tools/new", views.tool_create, name="tool_create"),
    path("tools/<uuid:pk>", views.tool_detail, name="tool_detail"),
    path("tools/<uuid:pk>/test", views.tool_test, name="tool_test"),
    path("tools/<uuid:pk>/delete", views.tool_delete, name="tool_delete"),
    path("voice-agents", views.agent_list, name="agent_list"),
    path("voice-agents/new", views.agent_create, name="agent_create"),
    path("voice-agents/variables", views.agent_variables, name="agent_variables"),
    path("voice-agents/<uuid:pk>", views.agent_detail, name="agent_detail"),
    path(
        "voice-agents/<uuid:pk>/activate", views.agent_activate, name="agent_activate"
    ),
    path(
        "voice-agents/<uuid:pk>/deactivate",
        views.agent_deactivate,
        name="agent_deactivate",
    ),
    path(
        "voice-agents/<uuid:pk>/duplicate",
        views.agent_duplicate,
        name="agent_duplicate",
    ),
    path("voice-agents/<uuid:pk>/delete", views.agent_delete, name="agent_delete"),
    path("message-agents", views.message_agent_list, name="message_agent_list"),
    path("message-agents/new", views.message_agent_create, name="message_agent_create"),
    path(
        "message-agents/variables",
        views.message_agent_variables,
        name="message_agent_variables",
    ),
    path(
        "message-agents/<uuid:pk>",
        views.message_agent_detail,
        name="message_agent_detail",
    ),
    path(
        "message-agents/<uuid:pk>/test",
        views.message_agent_test,
        name="message_agent_test",
    ),
    path(
        "message-agents/<uuid:pk>/activate",
        views.message_agent_activate,
        name="message_agent_activate",
    ),
    path(
        "message-agents/<uuid:pk>/deactivate",
        views.message_agent_deactivate,
        name="message_agent_deactivate",
    ),
    path(
        "message-agents/<uuid:pk>/duplicate",
        views.message_agent_duplicate,
        name="message_agent_duplicate",
    ),
    path(
        "message-agents/<uuid:pk>/delete",
        views.message_agent_delete,
        name="message_agent_delete",
    ),
]
