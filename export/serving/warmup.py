"""Warm-up requests, which TensorFlow Serving replays on a version before it takes traffic.

It reads them from ``assets.extra/tf_serving_warmup_requests``, a TFRecord file of PredictionLog messages. The first
request of each signature and batch size is slow, because kernels are chosen and memory is allocated.
"""

import os

import numpy as np

FILE = "tf_serving_warmup_requests"
#: Batch sizes: one example, and a full batch of the client.
_BATCHES = (1, 64)


def requests(name, functions):
    """Requests for every signature, with seeds 0, 1, … or what these give, such as their latents and labels.

    Args:
        name: name of the model.
        functions: dict of signature → concrete function, of `export.signatures.signatures`.

    Returns:
        List of PredictRequest, one for each signature and batch size 1 and 64.
    """
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    # Inputs besides seeds are outputs of signatures that take seeds alone.
    of_seeds = {
        output: function
        for function in functions.values()
        if [spec.name for spec in function.structured_input_signature[0]] == ["seeds"]
        for output in function.structured_outputs
    }
    made = []
    for signature, function in functions.items():
        for batch in _BATCHES:
            request = predict_pb2.PredictRequest()
            request.model_spec.name, request.model_spec.signature_name = name, signature
            seeds = np.arange(batch)
            for spec in function.structured_input_signature[0]:
                values = seeds
                if spec.name != "seeds":
                    values = of_seeds[spec.name](tf.constant(seeds, tf.int64))[spec.name]
                request.inputs[spec.name].CopyFrom(tf.make_tensor_proto(values, spec.dtype))
            made.append(request)
    return made


def write(folder, name, functions):
    """Writes `requests` into `folder`, a version's assets.extra."""
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    with tf.io.TFRecordWriter(os.fspath(folder / FILE)) as file:
        for request in requests(name, functions):
            log = prediction_log_pb2.PredictLog(request=request)
            file.write(prediction_log_pb2.PredictionLog(predict_log=log).SerializeToString())
