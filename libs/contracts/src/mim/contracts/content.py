"""What can be said or done in a chat: one model for every provider. Which kinds a provider can do is in `providers`.

Content(text="hello")                                            a text
Content(media=Media(kind="voice", source="https://…/hello.ogg"))  a voice message
Content(kind="reaction", target=MessageRef(id="225"), emoji="👍")  a reaction to message 225
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic import StringConstraints as Chars

from mim.contracts.fields import Bool, HttpUrl, MessageText, Model, Name, PhoneNumber, Recipient, clean_text


class MessageKind(StrEnum):
    """What a message is, or what is done to one. `edit`, `delete`, `reaction` and `read` concern `target`, which
    `forward` copies; `typing` shows that the account is writing."""

    TEXT = "text"
    IMAGE = "image"
    DOCUMENT = "document"
    AUDIO = "audio"
    VOICE = "voice"
    VIDEO = "video"
    STICKER = "sticker"
    LOCATION = "location"
    CONTACT = "contact"
    POLL = "poll"
    FORWARD = "forward"
    EDIT = "edit"
    DELETE = "delete"
    REACTION = "reaction"
    READ = "read"
    TYPING = "typing"

    @property
    def is_message(self) -> bool:
        """Whether something new appears in the chat."""
        return self not in _ACTS


_ACTS = frozenset((MessageKind.EDIT, MessageKind.DELETE, MessageKind.REACTION, MessageKind.READ, MessageKind.TYPING))
_NEEDS_TARGET = _ACTS - {MessageKind.TYPING} | {MessageKind.FORWARD}


class MediaKind(StrEnum):
    """What a file is shown as at the messenger."""

    IMAGE = "image"
    DOCUMENT = "document"
    AUDIO = "audio"
    VOICE = "voice"
    VIDEO = "video"
    STICKER = "sticker"


UploadId = Annotated[str, Chars(pattern=r"^[0-9a-f]{64}$")]


class Media(Model):
    """A file to be sent: what was uploaded before (`upload` is its id), or fetched from `source` by the worker just
    before it is sent."""

    model_config = {
        **Model.model_config,
        "json_schema_extra": {"examples": [{"kind": "image", "source": "https://example.com/picture.png"}]},
    }

    kind: MediaKind
    source: HttpUrl | None = None
    upload: UploadId | None = None
    file_name: Name | None = None

    @model_validator(mode="after")
    def _is_somewhere(self) -> Self:
        if (self.source is None) == (self.upload is None):
            raise ValueError("give either source, the URL of the file, or upload, the id that its upload returned")
        return self


class Location(Model):
    """A place on the map, in degrees."""

    latitude: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
    longitude: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
    name: Name | None = None
    address: Name | None = None


class ContactCard(Model):
    """Somebody's name and number."""

    name: Name
    phone_number: PhoneNumber


class Poll(Model):
    """A question with answers to choose from: one, or with `multiple` several."""

    question: Annotated[str, Chars(strip_whitespace=True, min_length=1, max_length=255), AfterValidator(clean_text)]
    options: Annotated[
        tuple[
            Annotated[str, Chars(strip_whitespace=True, min_length=1, max_length=100), AfterValidator(clean_text)], ...
        ],
        Field(min_length=2, max_length=12),
    ]
    multiple: Bool = False


class MessageRef(Model):
    """A message that is there already, by the messenger's own id.

    `chat_id` is where it is, if that is not the chat written to. WhatsApp also wants to know whose it is: `from_me`,
    and in a group `sender`, the contact's id.
    """

    id: Annotated[str, Chars(pattern=r"^[A-Za-z0-9_.=-]{1,128}$")]
    chat_id: Recipient | None = None
    from_me: Bool = False
    sender: Recipient | None = None


Emoji = Annotated[str, Chars(max_length=16), AfterValidator(clean_text)]


class Content(Model):
    """What is to be said or done. Where `kind` is left out, it is what the content is.

    Beside `media`, `text` is its caption and may be empty; with `edit` it is the new text. An empty `emoji` takes the
    account's reaction away.
    """

    kind: MessageKind = MessageKind.TEXT
    text: MessageText | Literal[""] = ""
    media: Media | None = None
    location: Location | None = None
    contact: ContactCard | None = None
    poll: Poll | None = None
    reply_to: MessageRef | None = None
    target: MessageRef | None = None
    emoji: Emoji = ""
    parse_mode: Literal["HTML", "Markdown", "MarkdownV2"] | None = None
    disable_web_page_preview: Bool = False
    disable_notification: Bool = False

    @model_validator(mode="before")
    @classmethod
    def _kind_from_content(cls, given: Any) -> Any:
        if not isinstance(given, dict) or given.get("kind") is not None:
            return given
        media = given.get("media")
        kind = media.get("kind") if isinstance(media, dict) else getattr(media, "kind", None)
        parts = (MessageKind.LOCATION, MessageKind.CONTACT, MessageKind.POLL)
        kind = kind or next((part for part in parts if given.get(part) is not None), MessageKind.TEXT)
        return {**given, "kind": kind}

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        kind = self.kind
        if kind in (MessageKind.TEXT, MessageKind.EDIT) and not self.text:
            raise ValueError("a message needs a text or media" if kind is MessageKind.TEXT else "an edit needs a text")
        if kind in MediaKind and (self.media is None or self.media.kind.value != kind.value):
            raise ValueError(f"kind {kind} needs media of that kind")
        if kind in ("location", "contact", "poll") and getattr(self, kind) is None:
            raise ValueError(f"kind {kind} needs {kind}")
        if kind in _NEEDS_TARGET and self.target is None:
            raise ValueError(f"kind {kind} needs target: the message that it is about")
        return self

    @property
    def summary(self) -> str:
        """The content in a line of text, for lists of messages."""
        if self.text:
            return self.text
        if self.poll is not None:
            return self.poll.question
        if self.contact is not None:
            return f"{self.contact.name} {self.contact.phone_number}"
        if self.location is not None:
            return self.location.name or f"{self.location.latitude}, {self.location.longitude}"
        return self.emoji
