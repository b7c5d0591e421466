"""aiogram imported lazily behaves as aiogram imported plainly; a new version that breaks this shows here."""

from __future__ import annotations

import json
import subprocess
import sys

# Runs in a process of its own: which import comes first decides what is tested.
PROGRAM = """
import sys
if sys.argv[1] == "lazily":
    import mim.telegram_adapter
import aiogram, json
from aiogram import methods, types
from aiogram.methods.base import Response
from pydantic import BaseModel

rebuild = BaseModel.model_rebuild.__func__.__module__
built_before = types.Update.__pydantic_complete__
chat = {"id": 1, "type": "private"}
message = {"message_id": 1, "date": 1, "chat": chat, "text": "a",
           "entities": [{"type": "bold", "offset": 0, "length": 1}],
           "reply_to_message": {"message_id": 2, "date": 0, "chat": chat}, "something_new": {"x": 1}}
answer = {"ok": True, "result": [{"update_id": 1, "message": message}]}
read = Response[methods.GetUpdates.__returning__].model_validate(answer)
sent = methods.SendMessage(chat_id=1, text="x", link_preview_options=types.LinkPreviewOptions(is_disabled=True))
models = [getattr(module, name) for module in (types, methods) for name in module.__all__]
# Every twelfth, since building all takes seconds, and which ones does not matter: they hang together.
models = [model for model in models if isinstance(model, type) and issubclass(model, BaseModel)][::12]
usable = [model.__name__ for model in models if model.model_rebuild() is not False and model.__pydantic_complete__]
print(json.dumps({"built_before": built_before, "rebuild": rebuild, "usable": sorted(usable), "all": len(models),
                  "read": repr(read), "sent": repr(sent)}))
"""


def start(how: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", PROGRAM, how], stdout=subprocess.PIPE, text=True)


def test_the_models_of_a_lazily_imported_aiogram_work_as_usual() -> None:
    programs = start("lazily"), start("plainly")
    lazily, plainly = (json.loads(program.communicate(timeout=60)[0]) for program in programs)
    assert (lazily.pop("built_before"), plainly.pop("built_before")) == (False, True)
    assert lazily == plainly
    assert lazily["rebuild"] == "pydantic.main"
    assert len(lazily["usable"]) == lazily["all"]
