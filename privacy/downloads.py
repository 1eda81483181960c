"""An export's file as an HTTP answer."""

from django.http import StreamingHttpResponse

from privacy import exporting
from privacy.models import Export


def file_of(export: Export) -> StreamingHttpResponse:
    answer = StreamingHttpResponse(
        exporting.contents(export), content_type="application/zip"
    )
    answer["Content-Disposition"] = f'attachment; filename="voiceops-{export}.zip"'
    answer["Content-Length"] = export.size
    return answer
