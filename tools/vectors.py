#!/usr/bin/env python3
"""Writes tests/vectors: published vectors of built-in contracts that the fixture pack lacks.

Usage: vectors.py WYCHEPROOF EIPS GETH KZG
The arguments are clones of github.com/C2SP/wycheproof, ethereum/EIPs, ethereum/go-ethereum and
ethereum/c-kzg-4844, bare or not, that hold the commits below.  What it writes depends on those commits alone;
tests/vectors/MANIFEST.md says what is in it."""
import hashlib
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
COMMITS = {
    "wycheproof": "dac1dd4729fd1f8dd9e1e9f3dce51d783da6c166",
    "eips": "f767a1e8078e17c9b381a91d35a09492189ede1b",
    "geth": "02b73d4ea7181464175e0a6cbecc0a3a2655a562",
    "kzg": "b7e4098813e02c866d8def4e88524be8a6bedc7f",
}
# A contract gets the digest: what is done with other hash functions is said by these two.
HASHES = {
    "SHA-256": lambda m: hashlib.sha256(m).digest(),
    "SHA-512": lambda m: hashlib.sha512(m).digest(),
}
# Why a signature cannot be said in the input of a contract.
NO_DER = "the DER is not canonical, or holds anything but two integers"
NO_ROOM = "r or s is negative or has more than 32 bytes"
HIGH_S = "Bitcoin refuses s above half the order, and ECRECOVER does not"
NO_LENGTH = "not 64 bytes, and ECRECOVER pads or cuts what it gets"
# Longer inputs are in the pack: geth's blsG1MultiExp has the same sums.
INPUT_MAX = 1280
# secp256k1 [SEC 2]
P = 2**256 - 2**32 - 977
N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141
G = (0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798,
     0x483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8)
CURVES = {"secp256k1": "ECREC", "secp256r1": "P256VERIFY"}


class Upstream:
    """Files of one clone at its commit."""

    def __init__(self, name, path):
        self.at, self.commit = ["git", "-C", path], COMMITS[name]

    def text(self, path):
        return subprocess.check_output(self.at + ["show", f"{self.commit}:{path}"], text=True)

    def list(self, folder):
        tree = subprocess.check_output(self.at + ["ls-tree", "--name-only", self.commit, folder + "/"], text=True)
        return tree.split()


def der_integer(der, at):
    """(value, end) of a canonical INTEGER, or None."""
    if at + 2 > len(der) or der[at] != 2 or not 1 <= der[at + 1] < 0x80:
        return None
    body = der[at + 2:at + 2 + der[at + 1]]
    padded = len(body) > 1 and (body[0] == 0 and body[1] < 0x80 or body[0] == 0xff and body[1] >= 0x80)
    if len(body) < der[at + 1] or padded:
        return None
    return int.from_bytes(body, "big", signed=True), at + 2 + len(body)


def der_signature(der):
    """(r, s) of a canonical SEQUENCE of two INTEGERs and nothing else, or None."""
    if len(der) < 2 or der[0] != 0x30 or der[1] >= 0x80 or der[1] != len(der) - 2:
        return None
    r = der_integer(der, 2)
    s = der_integer(der, r[1]) if r else None
    return (r[0], s[0]) if s and s[1] == len(der) else None


def signature(test, path, curve):
    """The bytes r ‖ s of a test, or why there are none."""
    raw = bytes.fromhex(test["sig"])
    bitcoin = "bitcoin" in path
    if "p1363" in path:
        return NO_LENGTH if len(raw) != 64 and curve == "secp256k1" else raw
    pair = der_signature(raw)
    if not pair:
        return NO_DER
    if not all(0 <= v < 1 << 256 for v in pair):
        return NO_ROOM
    if bitcoin and pair[1] > N // 2:
        return HIGH_S
    return b"".join(v.to_bytes(32, "big") for v in pair)


def add(a, b):
    """The sum of two points of secp256k1; None is infinity."""
    if a is None or b is None:
        return a or b
    if a[0] == b[0] and (a[1] + b[1]) % P == 0:
        return None
    slope = (3 * a[0] * a[0] * pow(2 * a[1], -1, P) if a == b else (b[1] - a[1]) * pow(b[0] - a[0], -1, P)) % P
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def multiply(k, point):
    total = None
    for bit in bin(k)[2:]:
        total = add(total, total)
        total = add(total, point) if bit == "1" else total
    return total


def verdict(test, curve, key, digest, rs):
    """What a contract says: the file's result, unless the signature's point has x = r + n.  It is good,
    but v = 27 and v = 28 stand for x = r."""
    r, s = int.from_bytes(rs[:32], "big"), int.from_bytes(rs[32:], "big")
    if test["result"] != "valid" or curve != "secp256k1" or r + N >= P:
        return test["result"] == "valid"
    e, q = int.from_bytes(digest, "big"), tuple(int.from_bytes(key[i:i + 32], "big") for i in (0, 32))
    u = pow(s, -1, N)
    x, _ = add(multiply(e * u % N, G), multiply(r * u % N, q))
    assert x % N == r
    return x == r


class Cases:
    """Distinct cases of ECDSA, each with the suites it is in."""

    def __init__(self):
        self.suites, self.skips, self.keys = [], [], {}

    def suite(self, name, total):
        self.suites.append({"name": name, "cases": total})
        return len(self.suites) - 1

    def add(self, suite, curve, key, digest, rs, good):
        cases = self.keys.setdefault((curve, key.hex()), {})
        verdict, of = cases.setdefault((digest + rs).hex(), (good, []))
        assert verdict == good, (key.hex(), digest.hex(), rs.hex())
        of.append(suite)

    def skip(self, suite, why, count):
        self.skips.append({"suite": suite, "cases": count, "why": why})


def add_wycheproof(cases, upstream, path):
    data = json.loads(upstream.text(path))
    curve = data["testGroups"][0]["publicKey"]["curve"]
    suite = cases.suite("Wycheproof/" + pathlib.Path(path).stem.removesuffix("_test"), data["numberOfTests"])
    left_out = {}
    for group in data["testGroups"]:
        key = bytes.fromhex(group["publicKey"]["uncompressed"])
        assert len(key) == 65 and key[0] == 4 and group["publicKey"]["curve"] == curve
        for test in group["tests"]:
            rs = signature(test, path, curve)
            if isinstance(rs, str):
                assert test["result"] == "invalid" or rs == NO_DER, test
                left_out[rs] = left_out.get(rs, 0) + 1
                continue
            digest = HASHES[group["sha"]](bytes.fromhex(test["msg"]))[:32]
            good = verdict(test, curve, key[1:], digest, rs)
            cases.add(suite, curve, key[1:], digest, rs, good)
    for why, count in sorted(left_out.items()):
        cases.skip(suite, why, count)


def add_eip_7951(cases, upstream):
    """Its vectors are those of an older Wycheproof; its gas is that of a draft."""
    vectors = json.loads(upstream.text("assets/eip-7951/test-vectors.json"))
    suite = cases.suite("EIP-7951", len(vectors))
    for vector in vectors:
        data = bytes.fromhex(vector["Input"])
        assert len(data) == 160
        cases.add(suite, "secp256r1", data[96:], data[:32], data[32:96], vector["Expected"] != "")


def write_ecdsa(cases, path):
    lines = []
    for (curve, key), tests in sorted(cases.keys.items()):
        body = ",\n".join(f'["{data}", {str(good).lower()}, {json.dumps(of)}]'
                          for data, (good, of) in sorted(tests.items()))
        lines.append(f' {{"contract": "{CURVES[curve]}", "key": "{key}", "tests": [\n{body}]}}')
    suites = ",\n".join(" " + json.dumps(s) for s in cases.suites)
    skips = ",\n".join(" " + json.dumps(s, ensure_ascii=False) for s in cases.skips)
    path.write_text(f'{{"suites": [\n{suites}],\n"skipped": [\n{skips}],\n"keys": [\n' + ",\n".join(lines) + "]}\n")


def plain(vectors, gas=True):
    """Vectors with the members that a test reads, one a line."""
    kept = ["Name", "Input", "Expected", "ExpectedError"] + (["Gas"] if gas else [])
    rows = [json.dumps({k: v[k] for k in kept if k in v}) for v in vectors]
    return "[\n" + ",\n".join(rows) + "]\n"


def eip_152(upstream):
    """The vectors in the EIP's text."""
    text = upstream.text("EIPS/eip-152.md")
    for part in text.split("#### Test vector ")[1:]:
        given = re.search(r"\* input:\s*(?:`([0-9a-f]+)`|\(empty\))", part)
        output = re.search(r'\* output:\s*(?:`([0-9a-f]+)`|error "([^"]+)")', part)
        vector = {"Name": "test vector " + part.split()[0], "Input": given[1] or ""}
        yield vector | ({"Expected": output[1]} if output[1] else {"ExpectedError": output[2]})


def eip_2537(upstream):
    """(name, vectors) of each file of the EIP."""
    for path in upstream.list("assets/eip-2537"):
        if path.endswith(".json") and not path.endswith("/msm_G2_bls.json"):
            vectors = json.loads(upstream.text(path))
            yield pathlib.Path(path).stem.removesuffix("_bls"), [v for v in vectors if len(v["Input"]) <= 2 * INPUT_MAX]


def geth(upstream, name):
    return json.loads(upstream.text(f"core/vm/testdata/precompiles/{name}.json"))


def ceremony(upstream):
    """A few of the points of the KZG ceremony's output, which is 4096 points in Lagrange form, 65 powers
    of tau in G2, and 4096 in G1, with its SHA-256."""
    text = upstream.text("src/trusted_setup.txt")
    lines = text.split()
    assert lines[:2] == ["4096", "65"] and len(lines) == 2 + 4096 + 65 + 4096
    lagrange, g2, g1 = lines[2:4098], lines[4098:4163], lines[4163:]
    names = {"sha256": hashlib.sha256(text.encode()).hexdigest(), "g1_lagrange_0": lagrange[0],
             "g1_lagrange_4095": lagrange[4095], "g2_tau_1": g2[1], "g2_tau_2": g2[2], "g1_tau_1": g1[1],
             "g1_tau_4095": g1[4095]}
    return "".join(f"{name} {value}\n" for name, value in names.items())


def main():
    wycheproof, eips, go, kzg = (Upstream(*pair) for pair in zip(COMMITS, sys.argv[1:], strict=True))
    out = ROOT / "tests" / "vectors"
    cases = Cases()
    for path in wycheproof.list("testvectors_v1"):
        if re.search(r"/ecdsa_secp256[rk]1_sha(256|512)_", path):
            add_wycheproof(cases, wycheproof, path)
    add_eip_7951(cases, eips)
    write_ecdsa(cases, out / "ecdsa.json")
    (out / "eip-152.json").write_text(plain(eip_152(eips), gas=False))
    for name, vectors in eip_2537(eips):
        (out / f"eip-2537-{name}.json").write_text(plain(vectors))
    for name in ("ecRecover", "pointEvaluation"):
        (out / f"geth-{name}.json").write_text(plain(geth(go, name)))
    (out / "kzg-ceremony.txt").write_text(ceremony(kzg))
    older = {v["Name"] for v in geth(go, "modexp")}
    later = [v for v in geth(go, "modexp_eip2565") if v["Name"] not in older]
    (out / "geth-modexp_eip2565.json").write_text(plain(later))


if __name__ == "__main__":
    main()
