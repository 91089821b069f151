"""What a pod loads: the client library of Kubernetes is for kubeconfigs, and is a fifth of the operator's memory."""

import subprocess
import sys

_IN_A_POD = """
import sys
from t2i_operator import main
with main._no_client_library():
    import t2i_operator.runtime.process
assert "kopf" in sys.modules
assert "kubernetes" not in sys.modules, sorted(name for name in sys.modules if name.startswith("kubernetes"))
import kubernetes.aio.config
"""


def test_a_pod_does_without_the_client_library_and_a_kubeconfig_still_finds_it() -> None:
    subprocess.run([sys.executable, "-W", "ignore", "-c", _IN_A_POD], check=True, timeout=120)  # noqa: S603
