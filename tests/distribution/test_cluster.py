"""What `detect` reads from the variables of each launcher; the environments are made up."""

import json

import pytest

from lamina.distribution.cluster import Cluster, detect
from lamina.distribution.launchers import expand_nodelist

pytestmark = pytest.mark.quick

KERAS = {
    "KERAS_DISTRIBUTION_JOB_ADDRESSES": "10.0.0.1:1234",
    "KERAS_DISTRIBUTION_NUM_PROCESSES": "2",
    "KERAS_DISTRIBUTION_PROCESS_ID": "1",
}
TORCHRUN = {
    "MASTER_ADDR": "node1", "MASTER_PORT": "29500", "WORLD_SIZE": "4", "RANK": "3",
    "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2",
}  # fmt: skip
SLURM = {
    "SLURM_JOB_ID": "4097", "SLURM_STEP_NODELIST": "node[07-08]", "SLURM_NTASKS": "4",
    "SLURM_PROCID": "2", "SLURM_LOCALID": "0", "SLURM_STEP_TASKS_PER_NODE": "2(x2)",
}  # fmt: skip
OPEN_MPI_4 = {
    "OMPI_MCA_orte_hnp_uri": "1531576320.0;tcp://10.96.0.1,10.148.0.1:34911",
    "OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_LOCAL_RANK": "1",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "2",
}  # fmt: skip
OPEN_MPI_5 = {
    "PMIX_NAMESPACE": "prterun-gpu-node-1-4099@1", "PMIX_RANK": "1",
    "OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_LOCAL_RANK": "0",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "1",
}  # fmt: skip
JOB_SET = {
    "KUBERNETES_SERVICE_HOST": "10.0.0.1", "JOB_COMPLETION_INDEX": "1", "JOBSET_NAME": "train",
    "REPLICATED_JOB_NAME": "workers", "KERAS_DISTRIBUTION_NUM_PROCESSES": "2",
}  # fmt: skip
JOB = {
    "KUBERNETES_SERVICE_HOST": "10.0.0.1", "JOB_COMPLETION_INDEX": "1",
    "KERAS_DISTRIBUTION_NUM_PROCESSES": "2", "JAX_COORDINATOR_ADDRESS": "train-0.pods:8476",
}  # fmt: skip


def tf_config(kind, index, **cluster):
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})}


@pytest.mark.parametrize(
    ("environ", "cluster"),
    [
        (KERAS, Cluster("Keras's variables", "10.0.0.1:1234", 2, 1)),
        (
            {**KERAS, "KERAS_DISTRIBUTION_JOB_ADDRESSES": "10.0.0.1:1234, 10.0.0.2:2345"},
            Cluster("Keras's variables", "10.0.0.1:1234", 2, 1),
        ),
        (
            {**KERAS, "KERAS_DISTRIBUTION_JOB_ADDRESSES": "[fe80::1]:1234"},
            Cluster("Keras's variables", "[fe80::1]:1234", 2, 1),
        ),
        ({**KERAS, **SLURM}, Cluster("Keras's variables", "10.0.0.1:1234", 2, 1)),
        (
            {**SLURM, "KERAS_DISTRIBUTION_JOB_ADDRESSES": "head:99"},
            Cluster("Slurm", "head:99", 4, 2, (0,)),
        ),
        (TORCHRUN, Cluster("torchrun", "node1:29500", 4, 3, (1,))),
        (
            {**TORCHRUN, "TORCHELASTIC_USE_AGENT_STORE": "True"},
            Cluster("torchrun", "node1:29501", 4, 3, (1,)),
        ),
        ({**TORCHRUN, "LOCAL_WORLD_SIZE": "1"}, Cluster("torchrun", "node1:29500", 4, 3)),
        ({**TORCHRUN, "CUDA_VISIBLE_DEVICES": "5"}, Cluster("torchrun", "node1:29500", 4, 3)),
        ({**TORCHRUN, **SLURM}, Cluster("torchrun", "node1:29500", 4, 3, (1,))),
        (
            {"MASTER_ADDR": "a", "MASTER_PORT": "1", **SLURM},
            Cluster("Slurm", "node07:61441", 4, 2, (0,)),
        ),
        (SLURM, Cluster("Slurm", "node07:61441", 4, 2, (0,))),
        ({**SLURM, "SLURM_STEP_TASKS_PER_NODE": "1(x4)"}, Cluster("Slurm", "node07:61441", 4, 2)),
        ({**SLURM, "SLURM_GPUS_PER_TASK": "2"}, Cluster("Slurm", "node07:61441", 4, 2)),
        ({**SLURM, "SLURM_STEP_NUM_TASKS": "3"}, Cluster("Slurm", "node07:61441", 3, 2, (0,))),
        ({**SLURM, "JAX_COORDINATOR_PORT": "77"}, Cluster("Slurm", "node07:77", 4, 2, (0,))),
        ({**SLURM, "JAX_LOCAL_DEVICE_IDS": "2,3"}, Cluster("Slurm", "node07:61441", 4, 2, (2, 3))),
        (OPEN_MPI_4, Cluster("Open MPI", "10.96.0.1:62624", 4, 1, (1,))),
        (
            {**OPEN_MPI_4, "OMPI_MCA_orte_hnp_uri": "4096.0;tcp6://[fe80::1,2620::2]:43370"},
            Cluster("Open MPI", "[fe80::1]:61441", 4, 1, (1,)),
        ),
        ({**OPEN_MPI_4, **SLURM}, Cluster("Open MPI", "10.96.0.1:62624", 4, 1, (1,))),
        (OPEN_MPI_5, Cluster("Open MPI", "gpu-node-1:61443", 4, 1)),
        (
            {**OPEN_MPI_5, "OMPI_COMM_WORLD_LOCAL_SIZE": "4"},
            Cluster("Open MPI", "127.0.0.1:61443", 4, 1, (0,)),
        ),
        (
            {**OPEN_MPI_5, "JAX_COORDINATOR_ADDRESS": "node9:12"},
            Cluster("Open MPI", "node9:12", 4, 1),
        ),
        (JOB_SET, Cluster("Kubernetes", "train-workers-0-0.train:55527", 2, 1)),
        (JOB, Cluster("Kubernetes", "train-0.pods:8476", 2, 1)),
        (
            {"PMIX_RANK": "1", "PMIX_NAMESPACE": "a", **KERAS},
            Cluster("Keras's variables", "10.0.0.1:1234", 2, 1),
        ),
        (
            {"TPU_WORKER_HOSTNAMES": "t-0,t-1", "TPU_WORKER_ID": "1"},
            Cluster("a TPU pod", None, None, None),
        ),
        ({"TPU_WORKER_HOSTNAMES": "localhost"}, None),
        (tf_config("worker", 1, worker=["a:1", "b:2"]), Cluster("TF_CONFIG", "a:1", 2, 1)),
        (
            tf_config("worker", 0, chief=["c:3"], worker=["a:1"]),
            Cluster("TF_CONFIG", "c:3", 2, 1),
        ),
        (tf_config("worker", 0, worker=["a:1"]), None),
        ({"KERAS_DISTRIBUTION_NUM_PROCESSES": "1"}, Cluster("Keras's variables", None, 1, 0)),
        ({"SLURM_JOB_ID": "7", "SLURM_NTASKS": "1"}, None),
        ({"MASTER_ADDR": "localhost"}, None),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, None),
        ({"JAX_COORDINATOR_ADDRESS": "a:1"}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_what_is_told_is_read(environ, cluster):
    assert detect(environ) == cluster


@pytest.mark.parametrize(
    ("environ", "named", "fix"),
    [
        ({**KERAS, "KERAS_DISTRIBUTION_PROCESS_ID": ""}, "KERAS_DISTRIBUTION_PROCESS_ID is missing",
         "export KERAS_DISTRIBUTION_PROCESS_ID=0"),
        ({"KERAS_DISTRIBUTION_PROCESS_ID": "0"}, "KERAS_DISTRIBUTION_NUM_PROCESSES are missing",
         "export KERAS_DISTRIBUTION_JOB_ADDRESSES=HOST:PORT"),
        ({**KERAS, "KERAS_DISTRIBUTION_NUM_PROCESSES": "two"}, "NUM_PROCESSES='two'", "=2"),
        ({**KERAS, "KERAS_DISTRIBUTION_NUM_PROCESSES": "0"}, "whole number from 1", "=2"),
        ({**KERAS, "KERAS_DISTRIBUTION_PROCESS_ID": "2"}, "KERAS_DISTRIBUTION_PROCESS_ID=2",
         "the numbers 0 to 1"),
        ({**KERAS, "KERAS_DISTRIBUTION_JOB_ADDRESSES": "10.0.0.1"}, "'10.0.0.1' must be",
         "export KERAS_DISTRIBUTION_JOB_ADDRESSES=10.0.0.1:12345"),
        ({**KERAS, "KERAS_DISTRIBUTION_JOB_ADDRESSES": "a:1,b:1,c:1"}, "has 3 addresses",
         "export KERAS_DISTRIBUTION_JOB_ADDRESSES=a:1"),
        ({**TORCHRUN, "RANK": ""}, "and RANK is not", "torchrun --nproc-per-node 2"),
        ({**TORCHRUN, "MASTER_PORT": "x"}, "MASTER_PORT='x'", "export MASTER_PORT"),
        ({**TORCHRUN, "RANK": "4"}, "RANK=4", "export RANK=0"),
        ({"SLURM_JOB_ID": "7", "SLURM_NTASKS": "4"}, "SLURM_STEP_NODELIST", "srun"),
        ({**SLURM, "SLURM_PROCID": ""}, "SLURM_PROCID", "srun"),
        ({**SLURM, "SLURM_STEP_NODELIST": "node[1-"}, "SLURM_STEP_NODELIST='node[1-'", "srun"),
        ({**SLURM, "SLURM_STEP_NODELIST": "node[3-1]"}, "'3-1'", "srun"),
        ({**OPEN_MPI_4, "OMPI_COMM_WORLD_RANK": ""}, "OMPI_COMM_WORLD_RANK", "mpirun"),
        ({**OPEN_MPI_4, "OMPI_MCA_orte_hnp_uri": "x"}, "OMPI_MCA_orte_hnp_uri='x'",
         "mpirun -x JAX_COORDINATOR_ADDRESS=HOST:PORT"),
        ({**OPEN_MPI_5, "PMIX_NAMESPACE": "x"}, "OMPI_MCA_orte_hnp_uri",
         "mpirun -x JAX_COORDINATOR_ADDRESS=HOST:PORT"),
        ({"PMIX_RANK": "1", "PMIX_NAMESPACE": "a"}, "PMIx has started this process",
         "export KERAS_DISTRIBUTION_NUM_PROCESSES"),
        ({**JOB_SET, "KERAS_DISTRIBUTION_NUM_PROCESSES": ""}, "NUM_PROCESSES is missing",
         "export KERAS_DISTRIBUTION_NUM_PROCESSES=2"),
        ({**JOB_SET, "JOBSET_NAME": ""}, "JOBSET_NAME", "jobset.sigs.k8s.io/jobset-name"),
        ({**JOB_SET, "HOSTNAME": "train-workers-1-0"}, "KERAS_DISTRIBUTION_PROCESS_ID",
         "replicas: 1"),
        ({**JOB, "JAX_COORDINATOR_ADDRESS": ""}, "JOB_ADDRESSES is missing", "=HOST:PORT"),
        ({**JOB, "JAX_COORDINATOR_ADDRESS": "a:b"}, "JAX_COORDINATOR_ADDRESS='a:b'", "=a:12345"),
        ({"TF_CONFIG": "{"}, "TF_CONFIG='{' is not", "export TF_CONFIG='{\"cluster\": "),
        (tf_config("evaluator", 0, worker=["a:1", "b:2"]), "this process is evaluator 0", "index"),
        (tf_config("worker", 0, worker=["a:1"], ps=["b:2"]), "parameter servers", "worker"),
        ({**SLURM, "JAX_LOCAL_DEVICE_IDS": "a"}, "JAX_LOCAL_DEVICE_IDS='a'", "=0,1"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_what_to_type(environ, named, fix):
    with pytest.raises(ValueError, match="\n  Fix: ") as caught:
        detect(environ)
    assert named in str(caught.value)
    assert fix in str(caught.value)


@pytest.mark.parametrize(
    ("nodes", "hosts"),
    [
        ("node001", ["node001"]),
        ("node001,host2", ["node001", "host2"]),
        ("node[098-101],host2", ["node098", "node099", "node100", "node101", "host2"]),
        ("node[001,007-008]-ib", ["node001-ib", "node007-ib", "node008-ib"]),
        ("rack[1-2]n[3-4]", ["rack1n3", "rack1n4", "rack2n3", "rack2n4"]),
    ],
)
def test_lists_of_hosts_are_expanded_as_slurm_means_them(nodes, hosts):
    assert list(expand_nodelist(nodes)) == hosts


def test_the_place_is_described_in_a_line():
    assert detect(SLURM).describe() == (
        "process 2 of 4, started by Slurm; process 0 is at node07:61441"
    )
