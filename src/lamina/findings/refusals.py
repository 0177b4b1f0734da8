"""Converts an error of Lamina to a finding with a stable code."""

import re

from lamina.findings.finding import Finding

# Parts of messages and their codes; the first part that a message contains decides.
_CODES = (
    ("NaN or infinite", "missing-values"),
    ("stopped being a finite number", "non-finite"),
    ("No loss scale keeps the gradients finite", "non-finite"),
    ("from_logits", "logits-mismatch"),
    ("no trainable weights", "frozen-weights"),
    ("takes class indices", "wrong-target-encoding"),
    ("the labels run from", "wrong-target-encoding"),
    ("needs labels from 0", "wrong-target-encoding"),
    ("takes one-hot labels", "wrong-target-encoding"),
    ("needs one whole-number label", "wrong-target-encoding"),
    ("binary_crossentropy takes labels", "loss-mismatch"),
    ("with loss='categorical_crossentropy';\n  for a regression", "loss-mismatch"),
    ("compares y_true and y_pred", "wrong-target-encoding"),
    ("which compares the outputs with targets, and y is None", "loss-mismatch"),
    ("looks for the classes on axis", "wrong-axis"),
)
# Other possible causes, by code.
_OTHERS = {
    "wrong-target-encoding": ("output-units", "loss-mismatch"),
    "loss-mismatch": ("wrong-target-encoding", "output-units"),
    "non-finite": ("learning-rate-too-high", "exploding-gradients", "inputs-not-scaled"),
}


def finding_of_error(error: BaseException) -> Finding:
    """The finding of an error that ended a program.

    Args:
        error: Any exception. Lamina's have a fix in their message.

    Returns:
        A finding; its code is `"refused"` if no other one fits.

    Example:
        >>> finding_of_error(ValueError("x holds 3 numbers that are NaN or infinite.")).code
        'missing-values'
    """
    message = str(error).strip() or type(error).__name__
    code = next((code for part, code in _CODES if part in message), "refused")
    title, *_ = re.split(r"\n\s*(?:Likely cause|Fix|Received):", message)
    fix = re.search(r"Fix: (.*)", message, re.DOTALL)
    return Finding(
        code,
        "problem",
        title=" ".join(title.split()),
        fix=" ".join(fix[1].split()) if fix else "Read the message; the program ended with it.",
        evidence={"error": type(error).__name__},
        others=_OTHERS.get(code, ()),
    )
