"""The cluster's own certificates: one authority for the cluster, one for the aggregation layer."""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from dev.cluster import network
from dev.cluster.paths import write

if TYPE_CHECKING:
    from pathlib import Path

LIFETIME = datetime.timedelta(days=3650)


@dataclass(frozen=True)
class Leaf:
    """A certificate: who it names (CN is the user, O the group), and the names it serves."""

    name: str
    common_name: str
    organization: str = ""
    names: tuple[str, ...] = ()
    authority: str = "ca"


API_SERVER_NAMES = (
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "localhost",
    "127.0.0.1",
    network.API_SERVICE_IP,
    network.NODE_IP,
)

LEAVES = (
    Leaf("etcd", "etcd", names=(network.NODE_IP, "localhost")),
    Leaf("kube-apiserver", "kube-apiserver", names=API_SERVER_NAMES),
    Leaf("kube-apiserver-kubelet-client", "kube-apiserver-kubelet-client", "system:masters"),
    Leaf("front-proxy-client", "front-proxy-client", authority="front-proxy-ca"),
    Leaf("admin", "kubernetes-admin", "system:masters"),
    Leaf("kube-controller-manager", "system:kube-controller-manager", names=(network.NODE_IP,)),
    Leaf("kube-scheduler", "system:kube-scheduler", names=(network.NODE_IP,)),
    Leaf("kube-proxy", "system:kube-proxy"),
    Leaf("kubelet", f"system:node:{network.NODE_NAME}", "system:nodes"),
    Leaf("kubelet-serving", f"system:node:{network.NODE_NAME}", "system:nodes", (network.NODE_IP, network.NODE_NAME)),
)


def ensure(folder: Path) -> None:
    """Make what is not there; existing keys stay, or the running components would lose each other."""
    complete = folder / "complete"
    if complete.exists():
        return
    for authority in ("ca", "front-proxy-ca"):
        _authority(folder, authority)
    for leaf in LEAVES:
        _leaf(folder, leaf)
    _write_key(folder / "service-accounts.key", key := _key())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    write(folder / "service-accounts.pub", public.decode())
    complete.touch()


def _authority(folder: Path, name: str) -> None:
    key = _key()
    subject = _subject(f"text-to-image {name}", "")
    certificate = (
        _builder(subject, subject, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(folder / name, certificate, key)


def _leaf(folder: Path, leaf: Leaf) -> None:
    authority = x509.load_pem_x509_certificate((folder / f"{leaf.authority}.crt").read_bytes())
    signer = serialization.load_pem_private_key((folder / f"{leaf.authority}.key").read_bytes(), password=None)
    if not isinstance(signer, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{leaf.authority}.key is not an elliptic curve key")
    key = _key()
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if leaf.names else [])]
    builder = (
        _builder(_subject(leaf.common_name, leaf.organization), authority.subject, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if leaf.names:
        names = x509.SubjectAlternativeName([_general_name(name) for name in leaf.names])
        builder = builder.add_extension(names, critical=False)
    _write(folder / leaf.name, builder.sign(signer, hashes.SHA256()), key)


def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _subject(common_name: str, organization: str) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(attributes)


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    # Clocks of a machine just restored from a snapshot jump back: start the validity a day ago.
    now = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + LIFETIME)
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write(path: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    write(path.with_suffix(".crt"), certificate.public_bytes(serialization.Encoding.PEM).decode())
    _write_key(path.with_suffix(".key"), key)


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write(path, text.decode(), mode=0o600)
