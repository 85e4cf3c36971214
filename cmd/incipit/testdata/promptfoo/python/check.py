def get_assert(output, context):
    return output == "hello"


def graded(output, context):
    return {"pass": True, "score": 0.25, "reason": "graded"}
