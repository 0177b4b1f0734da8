"""Distribution over devices."""

_D = "d = lamina.distribution\nmesh = d.DeviceMesh((1,), ['model'], ['cpu:0'])\n"
_MAP = _D + "layout_map = d.LayoutMap(mesh)\n"
# A layout map on a mesh of one device: `ModelParallel` makes a mesh of any number of devices.
_MODEL = "model = lamina.Sequential([lamina.Input((4,)), lamina.layers.Dense(3, name='wide')])\n"
_ON_MESH = "with d.ModelParallel(layout_map=layout_map).scope():\n  {}"
_BUILD = _ON_MESH.format(_MODEL.strip())
_FIT = _MODEL + "model.compile('sgd', 'mse')\n"
_TRAIN = "model.fit(numpy.ones((4, 4)), numpy.ones((4, 3)), verbose=0, devices={})"

CASES = {
    ("training/placement_mesh.py", "matches several patterns"): (
        "layout_map['.*kernel'] = (None,); layout_map['wide/.*'] = (None,)\n"
        "layout_map['wide/kernel']",
        "layout_map['wide/.*'] = (None,)  # «patterns of which one matches each path»\n"
        "layout_map['wide/kernel']",
        _MAP,
    ),
    ("distribution/layouts.py", "The layout map already has"): (
        "layout_map['a'] = (None,); layout_map['a'] = ('model',)",
        "layout_map['a'] = (None,); «del layout_map['a']»; layout_map['a'] = ('model',)",
        _MAP,
    ),
    ("distribution/layouts.py", "must be a TensorLayout or a tuple"): (
        "layout_map['a'] = [None, 'model']",
        "«layout_map['a'] = (None, 'model')»",
        _MAP,
    ),
    ("distribution/layouts.py", "needs … devices, and there are"): (
        "d.DeviceMesh((2, 4), ('batch', 'model'), ['cpu:0']).shape",
        "d.DeviceMesh((1, 1), ('batch', 'model'), «devices=[»'cpu:0']).shape",
        _D,
    ),
    ("distribution/layouts.py", "which cannot be changed"): (
        "layout = d.TensorLayout(('model',), mesh); layout.device_mesh = mesh",
        "layout = d.TensorLayout(('model',), mesh)  # «make another TensorLayout»",
        _D,
    ),
    ("distribution/layouts.py", "says nothing about devices"): (
        "d.TensorLayout(('model',)).backend_layout",
        "axes, device_mesh = ('model',), mesh\n«TensorLayout(axes, device_mesh)».backend_layout",
        _D + "TensorLayout = d.TensorLayout\n",
    ),
    ("distribution/strategies.py", "device_mesh must be a DeviceMesh"): (
        "d.DataParallel(['cpu:0'])",
        "d.«DataParallel(devices=[»'cpu:0'])",
        _D,
    ),
    ("distribution/strategies.py", "over the first axis of"): (
        "d.DataParallel(d.DeviceMesh((1, 1), ['batch', 'model'], ['cpu:0']))",
        "d.DataParallel(mesh)  # «a mesh with one axis»",
        _D,
    ),
    ("distribution/strategies.py", "ModelParallel needs a layout map"): (
        "d.ModelParallel()",
        "d.«ModelParallel(layout_map=layout_map, batch_dim_name='batch')»",
        "d = lamina.distribution\n"
        "layout_map = d.LayoutMap(d.DeviceMesh((1, 1), ['batch', 'model'], ['cpu:0']))\n",
    ),
    ("distribution/strategies.py", "The layout map has no mesh"): (
        "d.ModelParallel(layout_map=d.LayoutMap(None))",
        "device_mesh = mesh; LayoutMap = d.LayoutMap\n"
        "«layout_map = LayoutMap(device_mesh)»; d.ModelParallel(layout_map=layout_map)",
        _D,
    ),
    ("training/placement_mesh.py", "one entry for each axis"): (
        "layout_map['.*wide/.*'] = (None, 'model')\n" + _BUILD,
        "layout_map['.*wide/kernel'] = (None, 'model')  # «one entry for each axis»\n" + _BUILD,
        _MAP,
    ),
    ("training/placement_mesh.py", "matches no variable, so it has no"): (
        "layout_map['narrow'] = (None,)\n"
        + _ON_MESH.format((_FIT + _TRAIN.format("None")).replace("\n", "\n  ")),
        _FIT + "«print([v.path for v in model.variables])»",
        _MAP,
    ),
    ("training/placement_mesh.py", "is not a number of devices"): (
        _FIT + _TRAIN.format("True"),
        _FIT + _TRAIN.format("'all'") + "  # «fit(…, devices='all')»",
    ),
    ("training/placement_mesh.py", "there are … devices"): (
        _FIT + _TRAIN.format("99"),
        _FIT + _TRAIN.format("'all'") + "  # «fit(…, devices='all')»",
    ),
    ("training/placement_mesh.py", "must name each device once"): (
        _FIT + _TRAIN.format("['cpu:0', 'cpu:0']"),
        _FIT + _TRAIN.format("'all'") + "  # «fit(…, devices='all')»",
    ),
    ("distribution/initialization.py", "needs num_processes and process_id"): (
        "lamina.distribution.initialize('127.0.0.1:8476')",
        "pass  # «initialize('127.0.0.1:8476', num_processes=2, process_id=0)», in two processes",
    ),
    ("distribution/initialization.py", "An address has the form"): (
        "lamina.distribution.initialize('127.0.0.1', 2, 0)",
        "pass  # «'127.0.0.1:8476'», in two processes",
    ),
}
