"""The HTTP interface: /api/..., and the addresses first published without it."""

urlpatterns = []
