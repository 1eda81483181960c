"""What the carrier calls. Each view verifies the signature before anything else."""

app_name = "webhooks"
urlpatterns = []
