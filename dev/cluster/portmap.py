"""What the CNI plugin `portmap` leaves in iptables when a pod with a host port is killed instead of deleted."""

from __future__ import annotations

import re
import shlex
import subprocess

SHARED_CHAINS = ("CNI-HOSTPORT-DNAT", "CNI-HOSTPORT-SETMARK", "CNI-HOSTPORT-MASQ")


def remove(network: str, tables_before: list[str]) -> None:
    """Delete our network's mappings, and what all networks share once nobody else has a mapping."""
    for program, table in (("iptables", "ip nat"), ("ip6tables", "ip6 nat")):
        rules = _rules(program)
        for rule in rules:
            if f'name: \\"{network}\\"' in rule:
                _delete(program, rule)
        if not any(rule.startswith(f"-A {SHARED_CHAINS[0]} ") for rule in _rules(program)):
            _remove_shared(program)
        if table not in tables_before and not any(rule.startswith(("-A", "-N")) for rule in _rules(program)):
            subprocess.run(["nft", "delete", "table", *table.split()], check=False, capture_output=True)


def _delete(program: str, rule: str) -> None:
    """Delete a rule of ours, and the chain that it jumps to: one pod's."""
    _iptables(program, "-D", *shlex.split(rule)[1:])
    if chain := re.search(r"-j (CNI-DN-\S+)", rule):
        _iptables(program, "-F", chain[1])
        _iptables(program, "-X", chain[1])


def _remove_shared(program: str) -> None:
    for rule in _rules(program):
        if rule.startswith("-A") and rule.endswith(tuple(f"-j {chain}" for chain in SHARED_CHAINS)):
            _iptables(program, "-D", *shlex.split(rule)[1:])
    for chain in SHARED_CHAINS:
        _iptables(program, "-F", chain)
        _iptables(program, "-X", chain)


def _rules(program: str) -> list[str]:
    answer = subprocess.run([program, "-t", "nat", "-S"], check=False, text=True, capture_output=True)
    return answer.stdout.splitlines()


def _iptables(program: str, *argv: str) -> None:
    subprocess.run([program, "-t", "nat", *argv], check=False, capture_output=True)
