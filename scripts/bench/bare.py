"""The baselines: what the same work costs with nothing around it.

`application` is a Django project of two views and no middleware that do the same two
look-ups and check the same signature. `relay` is a WebSocket loop over the SDK.
"""

import json
import os

from django.conf import settings

if os.environ.get("BENCH_BARE") == "webhook":
    from django.apps import AppConfig

    from voiceops import settings as real

    class Accounts(AppConfig):
        """The models alone: the real one has signals, which need allauth."""

        name = "accounts"

    settings.configure(
        SECRET_KEY="bench",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        DATABASES=real.DATABASES,
        INSTALLED_APPS=[
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "django.contrib.admin.apps.SimpleAdminConfig",
            f"{__name__}.Accounts",
            "agents",
            "hooks",
            "telephony",
        ],
        AUTH_USER_MODEL="accounts.User",
        FIELD_ENCRYPTION_KEYS=real.FIELD_ENCRYPTION_KEYS,
        PATIENCE=real.PATIENCE,
        USE_TZ=True,
        LOGGING_CONFIG=None,
    )
    import django

    django.setup()
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpResponse, HttpResponseForbidden
    from django.urls import path
    from django.views.decorators.csrf import csrf_exempt
    from twilio.request_validator import RequestValidator

    from agents.models import VoiceAgent
    from telephony.models import Conversation, Phone

    TWIML = (
        '<?xml version="1.0" encoding="UTF-8"?><Response><Connect>'
        '<ConversationRelay url="wss://example.com/relay" /></Connect></Response>'
    )

    def signing_phone(request, token):
        phones = Phone.unscoped.select_related("carrier_account")
        phone = phones.get(webhook_token=token)
        validator = RequestValidator(phone.carrier_account.auth_token)
        url = os.environ["PUBLIC_BASE_URL"] + request.get_full_path()
        given = request.headers.get("X-Twilio-Signature", "")
        return phone if validator.validate(url, request.POST, given) else None

    @csrf_exempt
    def voice(request, token):
        phone = signing_phone(request, token)
        if phone is None:
            return HttpResponseForbidden()
        agents = VoiceAgent.unscoped.select_related("prompt")
        agents.get(phone=phone, is_active=True)
        return HttpResponse(TWIML, content_type="text/xml")

    @csrf_exempt
    def text(request, token):
        phone = signing_phone(request, token)
        if phone is None:
            return HttpResponseForbidden()
        talks = Conversation.unscoped.select_related("phone")
        talks.get(phone=phone, address=request.POST["From"])
        return HttpResponse("<Response/>", content_type="text/xml")

    def livez(request):
        return HttpResponse("ok")

    urlpatterns = [
        path("webhooks/twilio/voice/<token>", voice),
        path("webhooks/twilio/texts/<token>", text),
        path("livez", livez),
    ]
    application = get_wsgi_application()
else:
    from openai import AsyncOpenAI
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route, WebSocketRoute

    client = AsyncOpenAI(
        base_url=os.environ.get("LLM_BASE_URL") or "http://127.0.0.1:1",
        api_key="bench",
    )

    async def relay(websocket):
        await websocket.accept()
        history = [{"role": "system", "content": "You answer the phone. " * 30}]
        async for text in websocket.iter_text():
            frame = json.loads(text)
            if frame["type"] != "prompt":
                continue
            history.append({"role": "user", "content": frame["voicePrompt"]})
            stream = await client.chat.completions.create(
                model="fixed", messages=history, stream=True
            )
            said = []
            async for chunk in stream:
                token = chunk.choices[0].delta.content if chunk.choices else None
                if token:
                    said.append(token)
                    await websocket.send_text(
                        json.dumps({"type": "text", "token": token, "last": False})
                    )
            await websocket.send_text(
                json.dumps({"type": "text", "token": "", "last": True})
            )
            history.append({"role": "assistant", "content": "".join(said)})

    async def up(request):
        return PlainTextResponse("ok")

    application = Starlette(
        routes=[Route("/livez", up), WebSocketRoute("/relay", relay)]
    )
