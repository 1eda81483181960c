"""Pages about prompts and voice agents."""

app_name = "agents"
urlpatterns = []
