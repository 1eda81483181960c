"""The same conversation through pipecat's text pipeline: context, model, words out.

Run by the interpreter that `BENCH_PIPECAT` names, which has `requirements-bench.txt`
and nothing of ours: an ASGI application like the other sides.
"""

import asyncio
import json
import os

from pipecat.frames.frames import (
    EndFrame,
    Frame,
    LLMFullResponseEndFrame,
    LLMMessagesAppendFrame,
    LLMTextFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.runner import PipelineRunner
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
)
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.openai.llm import OpenAILLMService
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute


class Mouth(FrameProcessor):
    """Sends each token of the model as it passes."""

    def __init__(self, websocket) -> None:
        super().__init__()
        self._websocket = websocket

    async def process_frame(self, frame: Frame, direction) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, LLMTextFrame):
            await self._say(frame.text, is_last=False)
        elif isinstance(frame, LLMFullResponseEndFrame):
            await self._say("", is_last=True)
        await self.push_frame(frame, direction)

    async def _say(self, token: str, *, is_last: bool) -> None:
        frame = {"type": "text", "token": token, "last": is_last}
        await self._websocket.send_text(json.dumps(frame))


async def relay(websocket):
    await websocket.accept()
    context = LLMContext([{"role": "system", "content": "You answer the phone. " * 30}])
    both = LLMContextAggregatorPair(context)
    model = OpenAILLMService(
        base_url=os.environ["LLM_BASE_URL"],
        api_key="bench",
        settings=OpenAILLMService.Settings(model="fixed"),
    )
    worker = PipelineWorker(
        Pipeline([both.user(), model, Mouth(websocket), both.assistant()])
    )
    running = asyncio.create_task(PipelineRunner(handle_sigint=False).run(worker))
    async for text in websocket.iter_text():
        frame = json.loads(text)
        if frame["type"] == "prompt":
            said = {"role": "user", "content": frame["voicePrompt"]}
            asked = LLMMessagesAppendFrame(messages=[said], run_llm=True)
            await worker.queue_frame(asked)
    await worker.queue_frame(EndFrame())
    await running


async def up(request):
    return PlainTextResponse("ok")


application = Starlette(routes=[Route("/livez", up), WebSocketRoute("/relay", relay)])
