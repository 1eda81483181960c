"""What the API tells of an address that opens by itself."""

from rest_framework import serializers

from telephony.api import examples
from voiceops.api_schema import shown_as


@shown_as(answer=examples.MEDIA_LINK)
class MediaLinkSerializer(serializers.Serializer):
    url = serializers.URLField()
    expires_at = serializers.DateTimeField()
