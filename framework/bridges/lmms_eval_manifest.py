"""What lmms-eval finds under its entry point `lmms_eval.models`: the name of our model class, not the class itself.

Nothing else imports this module. It asks lmms-eval for its registry only once it is called, because lmms-eval loads it
while it is itself being imported.
"""

from __future__ import annotations

from typing import Any


def manifests() -> list[Any]:
    """Returns our entries for lmms-eval's registry of models: `--model tokensieve`."""
    from lmms_eval.models.registry_v2 import ModelManifest

    return [ModelManifest(model_id="tokensieve", chat_class_path="framework.bridges.lmms_eval_model.TokenSieve")]
