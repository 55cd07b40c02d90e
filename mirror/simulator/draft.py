"""The builder of conversations, by the name that the rest of the simulator asks for it.

``Desk(now, chance).draft(title, days_ago)`` begins a ``Draft``; its ``user``, ``assistant``, ``call``, ``tool`` and
``thinking`` each hang one message under the last, ``mark`` and ``branch_at`` go back to an earlier one.
"""

from mirror.simulator.story_draft import DAY, Desk, Draft, as_json, attachment, cite, code, image, multimodal

__all__ = ["DAY", "Desk", "Draft", "as_json", "attachment", "cite", "code", "image", "multimodal"]
