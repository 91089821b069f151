"""The pod's own way in: two files, a token that is made anew now and then, and a sentence when one is missing."""

from pathlib import Path

import pytest
from t2i_operator.kube.errors import NoClusterError
from t2i_operator.kube.service_account import ServiceAccount

HERE = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text("first\n")
    (tmp_path / "ca.crt").write_text("certificate")
    return tmp_path


async def _token(account: ServiceAccount) -> str | None:
    return await account.get_api_key_with_prefix("BearerToken", "authorization")


async def test_a_pod_needs_no_more_than_it_is_given(folder: Path) -> None:
    account = ServiceAccount(HERE, folder)
    assert (account.host, account.ssl_ca_cert) == ("https://10.96.0.1:443", str(folder / "ca.crt"))
    assert await _token(account) == "first"


def test_an_address_of_ipv6_is_bracketed(folder: Path) -> None:
    assert ServiceAccount({**HERE, "KUBERNETES_SERVICE_HOST": "fd00::1"}, folder).host == "https://[fd00::1]:443"


async def test_the_token_is_read_again_after_a_minute(folder: Path) -> None:
    now = 1000.0
    account = ServiceAccount(HERE, folder, lambda: now)
    (folder / "token").write_text("second")
    now += 59
    assert await _token(account) == "first"
    now += 1
    assert await _token(account) == "second"


def test_the_pod_s_namespace_is_where_whoever_names_none_means_to_be(folder: Path) -> None:
    assert ServiceAccount(HERE, folder).namespace == "default"
    (folder / "namespace").write_text("studio")
    assert ServiceAccount(HERE, folder).namespace == "studio"


async def test_a_refused_token_is_read_again_at_once(folder: Path) -> None:
    account = ServiceAccount(HERE, folder)
    (folder / "token").write_text("second")
    await account.reload()
    assert await _token(account) == "second"


async def test_the_last_token_serves_while_the_file_cannot_be_read(folder: Path) -> None:
    account = ServiceAccount(HERE, folder)
    (folder / "token").write_text("")
    await account.reload()
    assert await _token(account) == "first"
    (folder / "token").unlink()
    await account.reload()
    assert await _token(account) == "first"


@pytest.mark.parametrize("lacks", ["token", "ca.crt"])
@pytest.mark.parametrize("how", [Path.unlink, lambda file: file.write_text("")])
def test_what_is_missing_is_said(folder: Path, lacks: str, how: object) -> None:
    assert callable(how)
    how(folder / lacks)
    with pytest.raises(NoClusterError, match="ServiceAccount"):
        ServiceAccount(HERE, folder)


def test_a_variable_that_is_missing_is_said(folder: Path) -> None:
    with pytest.raises(NoClusterError, match="KUBERNETES_SERVICE_PORT"):
        ServiceAccount({"KUBERNETES_SERVICE_HOST": "10.96.0.1"}, folder)
