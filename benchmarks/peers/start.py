"""A new process: imports a library; or loads a model and asks it once.

    python start.py import LIBRARY
    python start.py save LIBRARY FILE
    python start.py load LIBRARY FILE

`LIBRARY` is `lamina`, `keras` or `torch`.
"""

import importlib
import sys

task, name, *rest = sys.argv[1:]
library = importlib.import_module(name)

if task != "import":
    import numpy as np
    import workloads

    (path,) = rest
    workload = workloads.load("mlp")
    x = np.zeros((1, 28, 28), np.uint8)
    if name == "torch":
        model = workload.torch_model()
        if task == "save":
            library.save(model.state_dict(), path)
        else:
            model.load_state_dict(library.load(path, weights_only=True))
            with library.inference_mode():
                outputs = model(workload.torch_inputs(x)).softmax(1)
    elif task == "save":
        workload.keras_model(library).save(path)
    else:
        outputs = library.models.load_model(path).predict(x, verbose=0)
    if task == "load":
        print("prediction", int(np.argmax(outputs)), flush=True)
print("{}")
