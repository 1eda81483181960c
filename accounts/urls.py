"""Pages about the person and the workspace."""

app_name = "accounts"
urlpatterns = []
