"""Pages about carrier accounts, numbers and calls."""

app_name = "telephony"
urlpatterns = []
