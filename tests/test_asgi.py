"""The server of sockets, streams and pages as it begins and ends."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from agents.llm import OpenAIProvider
from voiceops.asgi import application, lifespan


def test_server_that_ends_leaves_no_connection_to_a_model_open():
    async def serve():
        async with lifespan(application):
            provider = OpenAIProvider(base_url="http://a/v1", api_key="k", model="m")
            client = provider._client()
        return client.is_closed()

    with ThreadPoolExecutor(1) as beside:  # the signals of this process stay its own
        assert beside.submit(asyncio.run, serve()).result()
