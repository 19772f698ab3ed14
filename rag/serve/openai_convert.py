"""From the body of a chat completion to what is asked: a request to a model, or a question to a knowledge base."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from rag.serve.openai_errors import refused, wrong
from rag.serve.openai_messages import (
    AnyMessage,
    AssistantMessage,
    Content,
    MediaPart,
    SystemMessage,
    TextPart,
    ToolMessage,
    UserMessage,
)
from rag.serve.openai_request import ChatBody, FunctionTool, NamedTool, ResponseFormat, check_extras
from rag.serve.wants import WantsInput
from routing.chat import NO_WISH, ChatOptions, ChatRequest, Message, Tags, Tool, ToolCall, Wants

# A knowledge base's answer is written as its own settings say.
_OWN_SETTINGS = ("temperature", "max_tokens", "max_completion_tokens", "seed", "stop")
_OWN_EXTRAS = ("top_p", "presence_penalty", "frequency_penalty")


def chat_request(body: ChatBody, *, tags: Tags, deadline: float) -> ChatRequest:
    """The request to a model; raises `UnsupportedParameterError` for what cannot be passed on."""
    check_extras(body)
    tools = {} if body.tool_choice == "none" else {tool.function.name: _tool(tool) for tool in body.tools or ()}
    stop = (body.stop,) if isinstance(body.stop, str) else tuple(body.stop or ())
    return ChatRequest(
        messages=tuple(_message(f"messages.{place}", message) for place, message in enumerate(body.messages)),
        options=ChatOptions(body.temperature, body.max_completion_tokens or body.max_tokens, body.seed, stop),
        response_schema=_schema(body.response_format),
        tools=tuple(tools.values()),
        tool_choice=_choice(body.tool_choice, tools),
        deadline=deadline,
        tags=tags,
        wants=_wants(body),
    )


def question(body: ChatBody) -> str:
    """The last message of the user; raises `InvalidValueError`, or `UnsupportedParameterError` for tools and forms."""
    check_extras(body, without_effect=_OWN_EXTRAS)
    if body.tools:
        raise refused("tools", "A knowledge base calls no tools.", hint="Leave them out.")
    if body.response_format is not None and body.response_format.type != "text":
        raise refused("response_format", "A knowledge base answers in text.", hint="Leave it out.")
    place, message = _last_of_user(body)
    return _text(f"messages.{place}.content", message.content)


def conversation(body: ChatBody) -> tuple[Message, ...]:
    """What the user and the assistant said before the question; raises as `question`."""
    last, _ = _last_of_user(body)
    turns = []
    for place, message in enumerate(body.messages[:last]):
        if isinstance(message, UserMessage | AssistantMessage) and message.content:
            turns.append(Message(message.role, _text(f"messages.{place}.content", message.content)))
    return tuple(turns)


def _wants(body: ChatBody) -> Wants:
    """Whether the request may leave the machine; who answers it is named already, and how soon is the model's."""
    given = body.plumbline
    if given is None:
        return NO_WISH
    if given.filter is not None:
        raise refused("plumbline.filter", "Only knowledge bases ('kb/…') search.", hint="Leave it out.")
    wants = given.wants or WantsInput()
    for name in ("model", "latency", "task", "language"):
        if getattr(wants, name) is not None:
            message = f"Only knowledge bases ('kb/…') take '{name}': here 'model' alone says who answers."
            raise refused(f"plumbline.wants.{name}", message, hint="Leave it out.")
    return wants.value()


def _last_of_user(body: ChatBody) -> tuple[int, UserMessage]:
    for place in reversed(range(len(body.messages))):
        message = body.messages[place]
        if isinstance(message, UserMessage):
            return place, message
    raise wrong("messages", "There is no message of the user, and so no question.")


def without_effect(body: ChatBody, history: Sequence[Message]) -> list[str]:
    """What a knowledge base does not heed: messages but the question and `history`, and settings that are its own."""
    named = [name for name in _OWN_SETTINGS if getattr(body, name) is not None]
    named += [name for name in _OWN_EXTRAS if (body.model_extra or {}).get(name) is not None]
    return ["messages", *named] if len(body.messages) > 1 + len(history) else named


def _message(param: str, message: AnyMessage) -> Message:
    if isinstance(message, ToolMessage):
        return Message("tool", _text(f"{param}.content", message.content), tool_call_id=message.tool_call_id)
    if message.name is not None:
        raise refused(f"{param}.name", "This server does not pass on the names of participants.", hint="Leave it out.")
    if isinstance(message, AssistantMessage):
        return _assistant(param, message)
    text = _text(f"{param}.content", message.content)
    return Message("system" if isinstance(message, SystemMessage) else "user", text)


def _assistant(param: str, message: AssistantMessage) -> Message:
    calls = tuple(ToolCall(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or ())
    said = "" if message.content is None else _text(f"{param}.content", message.content)
    if message.content is None and message.refusal is None and not calls:
        raise wrong(f"{param}.content", "An assistant's message needs 'content' or 'tool_calls'.")
    return Message("assistant", said + (message.refusal or ""), calls)


def _text(param: str, content: Content) -> str:
    """The text of a content; the parts of a list are lines of their own."""
    if isinstance(content, str):
        return content
    texts = []
    for place, part in enumerate(content):
        if isinstance(part, MediaPart):
            raise refused(f"{param}.{place}", f"This server takes text, not parts of the type '{part.type}'.")
        texts.append(part.text if isinstance(part, TextPart) else part.refusal)
    return "\n".join(texts)


def _tool(tool: FunctionTool) -> Tool:
    function = tool.function
    parameters = function.parameters or {"type": "object", "properties": {}}
    return Tool(function.name, function.description or "", parameters, strict=bool(function.strict))


def _choice(
    choice: Literal["none", "auto", "required"] | NamedTool | None, tools: Mapping[str, Tool]
) -> Literal["auto", "required"] | Tool:
    if not isinstance(choice, NamedTool):
        return "required" if choice == "required" else "auto"
    if choice.function.name not in tools:
        raise wrong("tool_choice.function.name", f"There is no tool '{choice.function.name}' among 'tools'.")
    return tools[choice.function.name]


def _schema(form: ResponseFormat | None) -> dict[str, object] | None:
    """The schema that the answer must satisfy; the name that the client gives it becomes its title."""
    if form is None or form.json_schema is None:
        return None
    given = form.json_schema
    described = {} if given.description is None else {"description": given.description}
    return {**described, **given.content, "title": given.name}
