"""What the benchmarks of the operator and of the service measure is what the images hold."""

import base64
import json
import subprocess
from pathlib import Path

from dev.bench import image
from dev.bench.programs import http, serving


def test_the_service_is_measured_in_its_image() -> None:
    with serving(image.subject("--image-bytes", "2048"), {}) as service:
        answer = json.loads(http(f"{service.url}/generate", {"prompt": "a lighthouse", "width": 64, "height": 64}))
        root = Path(f"/proc/{service.pid}/root").readlink()

    assert len(base64.b64decode(answer["images"][0]["b64_json"])) == 2048
    assert root.name == image.described("service")["name"]


def test_the_operator_is_measured_in_its_image_with_a_service_account(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("its token")
    program = (
        "import t2i_operator; from t2i_operator.kube.service_account import FOLDER; "
        "print(t2i_operator.__file__, *FOLDER.iterdir())"
    )
    command = (*image.operator(tmp_path)[:-1], image.PYTHON, "-c", program)
    told = subprocess.run(command, check=True, text=True, capture_output=True).stdout.split()  # noqa: S603

    assert told == ["/opt/app/t2i_operator/__init__.py", "/var/run/secrets/kubernetes.io/serviceaccount/token"]
