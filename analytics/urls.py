"""Pages of the figures. Not under /analytics, which is the API's."""

from django.urls import path

from analytics import views
from analytics.budgets import views as budget_views

app_name = "analytics"
urlpatterns = [
    path("", views.dashboard, name="dashboard"),
    path("voice-agents/<uuid:pk>/figures", views.agent_figures, name="agent_figures"),
    path("numbers/<uuid:pk>/figures", views.phone_figures, name="phone_figures"),
    path("dashboard/live", views.dashboard_live, name="dashboard_live"),
    path("costs", views.costs, name="costs"),
    path("settings/budget", budget_views.budget, name="budget"),
    path(
        "settings/budget/remove",
        budget_views.budget_remove,
        name="budget_remove",
    ),
]
