#!/usr/bin/env python3
"""Tests of agent frameworks, unmodified, against a served model: each with a tool. Exits 1 if any fails.

    python3 Tests/clients/frameworks.py .build/release/mneme [NAME …]

Needs the packages in requirements.txt; frameworks that want an older client of OpenAI's are in frameworks_openai2.py. The
model is small, so that tools are demanded where a framework lets one demand them: what is tested is the form, not the wit.
"""
import asyncio, json, os

# Nobody is told of these runs, and nothing is looked for elsewhere.
os.environ.update(OPENAI_API_KEY="none", OPENAI_AGENTS_DISABLE_TRACING="1", LITELLM_LOCAL_MODEL_COST_MAP="True",
                  LANGSMITH_TRACING="false", HF_HUB_OFFLINE="1")

from harness import Folder, Server, run_tests, test

QUESTION = "What is the weather in Paris?"
LONG = "word " * 9000


class served:
    """A server with the small model; the address of its API."""

    def __enter__(self):
        self.folder = Folder().__enter__()
        self.server = Server(self.folder, "--model", "smollm2").__enter__()
        return self.server.url + "/v1"

    def __exit__(self, *_):
        self.server.__exit__()
        self.folder.__exit__()


def weather(city: str) -> str:
    """Tell the weather in a city."""
    return f"It is sunny in {city}."


@test
def langchain():
    from langchain_core.messages import HumanMessage, ToolMessage
    from langchain_core.tools import tool
    from langchain_openai import ChatOpenAI, OpenAIEmbeddings
    from openai import BadRequestError
    from pydantic import BaseModel, Field

    class City(BaseModel):
        """A city."""
        name: str = Field(max_length=30)
        population: int = Field(ge=0, le=50_000_000)

    with served() as url:
        chat = ChatOpenAI(base_url=url, model="smollm2", temperature=0, max_tokens=80)
        bound = chat.bind_tools([tool(weather)], tool_choice="required")
        messages = [HumanMessage(QUESTION)]
        called = bound.invoke(messages)
        assert called.tool_calls[0]["name"] == "weather" and type(called.tool_calls[0]["args"]["city"]) is str, called
        assert called.usage_metadata["output_tokens"] > 3, called
        messages += [called, ToolMessage(weather("Paris"), tool_call_id=called.tool_calls[0]["id"])]
        told = chat.bind_tools([tool(weather)], tool_choice="none").invoke(messages)
        assert told.content and not told.tool_calls, told
        pieces = None
        for piece in bound.stream([HumanMessage(QUESTION)]):
            pieces = piece if pieces is None else pieces + piece
        assert pieces.tool_calls[0]["args"] == called.tool_calls[0]["args"], pieces
        for method in ("json_schema", "function_calling"):
            city = chat.with_structured_output(City, method=method).invoke("Tell me about Paris.")
            assert len(city.name) <= 30 and city.population >= 0, (method, city)
        assert asyncio.run(chat.ainvoke("Say hello.")).content
        try:
            chat.invoke(LONG)
            raise AssertionError("a prompt that is too long was taken")
        except BadRequestError as error:
            assert error.code == "context_length_exceeded", error
        texts = ["hello world", "goodbye"]
        vectors = OpenAIEmbeddings(base_url=url, model="all-MiniLM-L6-v2", check_embedding_ctx_length=False).embed_documents(texts)
        assert len(vectors) == 2 and len(vectors[0]) == 384, vectors


@test
def litellm():
    import litellm
    with served() as url:
        ask = lambda text, **more: litellm.completion(model="openai/smollm2", api_base=url, api_key="none", temperature=0, max_tokens=80,
                                                      messages=[{"role": "user", "content": text}], **more)
        function = {"name": "weather", "description": "Tell the weather in a city.",
                    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}
        tools = {"tools": [{"type": "function", "function": function}], "tool_choice": "required"}
        call = ask(QUESTION, **tools).choices[0].message.tool_calls[0].function
        assert call.name == "weather" and "city" in json.loads(call.arguments), call
        chunks = list(ask(QUESTION, stream=True, **tools))
        whole = litellm.stream_chunk_builder(chunks).choices[0].message.tool_calls[0].function
        assert whole.name == "weather" and whole.arguments == call.arguments, whole
        try:
            ask(LONG)
            raise AssertionError("a prompt that is too long was taken")
        except litellm.ContextWindowExceededError:
            pass
        answer = litellm.embedding(model="openai/all-MiniLM-L6-v2", api_base=url, api_key="none", input=["hello world"])
        assert len(answer.data[0]["embedding"]) == 384


@test
def openai_agents():
    from agents import Agent, ModelSettings, OpenAIProvider, RunConfig, Runner, function_tool
    asked = []

    @function_tool
    def weather(city: str) -> str:
        """Tell the weather in a city."""
        asked.append(city)
        return f"It is sunny in {city}."

    with served() as url:
        # The default model is that of Responses.
        run = RunConfig(model_provider=OpenAIProvider(base_url=url, api_key="none"), tracing_disabled=True)
        settings = ModelSettings(tool_choice="required", temperature=0, max_tokens=40)
        agent = Agent(name="weather", instructions="Answer with the tool.", model="smollm2", tools=[weather], model_settings=settings)

        async def both():
            whole = await Runner.run(agent, QUESTION, run_config=run, max_turns=6)
            streamed = Runner.run_streamed(agent, QUESTION, run_config=run, max_turns=6)
            kinds = {event.type async for event in streamed.stream_events()}
            return whole.final_output, streamed.final_output, kinds
        whole, streamed, kinds = asyncio.run(both())
        assert len(asked) >= 2 and whole and streamed == whole, (asked, whole, streamed)
        assert "run_item_stream_event" in kinds, kinds


@test
def pydantic_ai():
    from pydantic import BaseModel, Field
    from pydantic_ai import Agent
    from pydantic_ai.exceptions import UsageLimitExceeded
    from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
    from pydantic_ai.providers.openai import OpenAIProvider
    from pydantic_ai.usage import UsageLimits

    class City(BaseModel):
        name: str = Field(max_length=30)
        population: int = Field(ge=0, le=50_000_000)

    with served() as url:
        provider = OpenAIProvider(base_url=url, api_key="none")
        settings = {"temperature": 0, "max_tokens": 80}
        for model in (OpenAIChatModel("smollm2", provider=provider), OpenAIResponsesModel("smollm2", provider=provider)):
            # The output is a tool unless one says otherwise.
            agent = Agent(model, output_type=City, model_settings=settings)
            city = agent.run_sync("Tell me about Paris.").output
            assert isinstance(city, City) and 0 <= city.population, city
        # A tool of one's own beside the output: the model is free to take either.
        agent = Agent(OpenAIChatModel("smollm2", provider=provider), output_type=City, model_settings=settings)

        @agent.tool_plain
        def people(city: str) -> int:
            """Tell how many people live in a city."""
            return 2_000_000
        try:
            assert isinstance(agent.run_sync("How many people live in Paris?", usage_limits=UsageLimits(request_limit=2)).output, City)
        except UsageLimitExceeded as error:
            # A model this small may ask again and again; every request was answered.
            assert "request_limit" in str(error), error


@test
def smolagents():
    from smolagents import OpenAIServerModel, ToolCallingAgent, tool
    asked = []

    @tool
    def weather(city: str) -> str:
        """Tell the weather in a city.

        Args:
            city: The city's name.
        """
        asked.append(city)
        return f"It is sunny in {city}."

    with served() as url:
        model = OpenAIServerModel("smollm2", api_base=url, api_key="none", temperature=0, max_tokens=80)
        agent = ToolCallingAgent([weather], model, max_steps=2, verbosity_level=0)
        agent.run(QUESTION)
        steps = [step for step in agent.memory.steps if getattr(step, "tool_calls", None)]
        assert steps and {call.name for step in steps for call in step.tool_calls} <= {"weather", "final_answer"}, agent.memory.steps
        assert not [step.error for step in steps if step.error], steps


run_tests()
