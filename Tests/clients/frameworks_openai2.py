#!/usr/bin/env python3
"""Tests of frameworks that want an older client of OpenAI's than the others: see frameworks.py.

    python3 Tests/clients/frameworks_openai2.py .build/release/mneme [NAME …]

Needs the packages in requirements-openai2.txt.
"""
import os

os.environ.update(OPENAI_API_KEY="none")

from harness import Folder, Server, run_tests, test

QUESTION = "What is the weather in Paris?"


@test
def llama_index():
    from llama_index.core.llms import ChatMessage
    from llama_index.core.tools import FunctionTool
    from llama_index.embeddings.openai import OpenAIEmbedding
    from llama_index.llms.openai_like import OpenAILike
    from pydantic import BaseModel, Field

    class City(BaseModel):
        """A city."""
        name: str = Field(max_length=30)
        population: int = Field(ge=0, le=50_000_000)

    def weather(city: str) -> str:
        """Tell the weather in a city."""
        return f"It is sunny in {city}."

    with Folder() as f, Server(f, "--model", "smollm2") as server:
        model = OpenAILike(model="smollm2", api_base=server.url + "/v1", api_key="none", is_chat_model=True, is_function_calling_model=True,
                           temperature=0, max_tokens=80, context_window=8192)
        tool = FunctionTool.from_defaults(weather)
        answer = model.chat_with_tools([tool], user_msg=QUESTION, tool_required=True)
        call = model.get_tool_calls_from_response(answer)[0]
        assert call.tool_name == "weather" and "city" in call.tool_kwargs, call
        result = model.predict_and_call([tool], user_msg=QUESTION, tool_required=True)
        assert "sunny" in str(result), result
        *_, last = model.stream_chat_with_tools([tool], user_msg=QUESTION, tool_required=True)
        assert model.get_tool_calls_from_response(last)[0].tool_kwargs == call.tool_kwargs, last
        city = model.as_structured_llm(City).chat([ChatMessage(content="Tell me about Paris.")]).raw
        assert isinstance(city, City), city
        embedding = OpenAIEmbedding(model_name="all-MiniLM-L6-v2", api_base=server.url + "/v1", api_key="none")
        assert len(embedding.get_text_embedding("hello world")) == 384


@test
def instructor():
    import instructor
    from openai import OpenAI
    from pydantic import BaseModel, Field

    class City(BaseModel):
        name: str = Field(max_length=30)
        population: int = Field(ge=0, le=50_000_000)

    with Folder() as f, Server(f, "--model", "smollm2") as server:
        for mode in (instructor.Mode.TOOLS, instructor.Mode.TOOLS_STRICT, instructor.Mode.JSON_SCHEMA):
            client = instructor.from_openai(OpenAI(base_url=server.url + "/v1", api_key="none"), mode=mode)
            ask = lambda kind, **more: client.chat.completions.create(
                model="smollm2", response_model=kind, temperature=0, max_tokens=80, max_retries=0,
                messages=[{"role": "user", "content": "Tell me about Paris, a city of 2 million people."}], **more)
            city = ask(City)
            assert isinstance(city, City) and city.population >= 0, (mode, city)
        client = instructor.from_openai(OpenAI(base_url=server.url + "/v1", api_key="none"), mode=instructor.Mode.TOOLS)
        partial = list(client.chat.completions.create_partial(model="smollm2", response_model=City, temperature=0, max_tokens=80, max_retries=0,
                                                              messages=[{"role": "user", "content": "Tell me about Paris."}]))
        assert partial[-1].name is not None, partial


run_tests()
