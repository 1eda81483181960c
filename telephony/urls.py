"""Pages about carrier accounts, numbers and calls."""

from django.urls import path

from telephony.views import carrier_accounts, phones

app_name = "telephony"

CARRIER_ACCOUNTS = [
    path(
        "carrier-accounts",
        carrier_accounts.carrier_account_list,
        name="carrier_account_list",
    ),
    path(
        "carrier-accounts/new",
        carrier_accounts.carrier_account_create,
        name="carrier_account_create",
    ),
    path(
        "carrier-accounts/<uuid:pk>",
        carrier_accounts.carrier_account_detail,
        name="carrier_account_detail",
    ),
    path(
        "carrier-accounts/<uuid:pk>/delete",
        carrier_accounts.carrier_account_delete,
        name="carrier_account_delete",
    ),
]

PHONES = [
    path("numbers", phones.phone_list, name="phone_list"),
    path("numbers/new", phones.phone_create, name="phone_create"),
    path("numbers/<uuid:pk>", phones.phone_detail, name="phone_detail"),
    path("numbers/<uuid:pk>/check", phones.phone_check, name="phone_check"),
    path("numbers/<uuid:pk>/point", phones.phone_point, name="phone_point"),
    path("numbers/<uuid:pk>/delete", phones.phone_delete, name="phone_delete"),
]

urlpatterns = [*CARRIER_ACCOUNTS, *PHONES]
