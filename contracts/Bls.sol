// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/* BLS signatures over BLS12-381, keys in G1 and signatures in G2, as Ethereum's consensus layer makes
 * them, checked by the built-in contracts of EIP-2537.
 *
 * Keys and signatures travel compressed; a square root on chain is dear, so whoever asks brings the
 * points as EIP-2537 spells them, and they are compared with the compressed bytes.  That they are on
 * the curve and in their subgroup is checked by the pairing. */
library Bls {
    error BadPoint();

    address private constant SHA256 = address(0x02);
    address private constant MODEXP = address(0x05);
    address private constant G2_ADD = address(0x0d);
    address private constant PAIRING = address(0x0f);
    address private constant MAP_FP2_TO_G2 = address(0x11);

    uint256 internal constant G1 = 128;
    uint256 internal constant G2 = 256;

    /* (p - 1) / 2: a y above it is the larger one of the two. */
    uint256 private constant HALF_HIGH = 0x0d0088f51cbff34d258dd3db21a5d66b;
    uint256 private constant HALF_LOW = 0xb23ba5c279c2895fb39869507b587b120f55ffff58a9ffffdcff7fffffffd555;

    bytes private constant MODULUS =
        hex"00000000000000000000000000000000" hex"1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf"
        hex"6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab";
    /* The generator of G1, negated. */
    bytes private constant MINUS_ONE =
        hex"00000000000000000000000000000000" hex"17f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905"
        hex"a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb" hex"00000000000000000000000000000000"
        hex"114d1d6855d545a8aa7d76c8cf2e21f267816aef1db507c9" hex"6655b9d5caac42364e6f38ba0ecb751bad54dcd6b939c2ca";
    /* The domain, with its length behind it. */
    bytes private constant DOMAIN = "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_\x2b";

    /* Is the signature the key's over message?  Both compressed, their points beside them. */
    function verify(
        bytes calldata key,
        bytes calldata keyPoint,
        bytes calldata signature,
        bytes calldata signaturePoint,
        bytes memory message
    ) internal view returns (bool) {
        checkG1(key, keyPoint);
        checkG2(signature, signaturePoint);
        bytes memory pairs = bytes.concat(MINUS_ONE, signaturePoint, keyPoint, hashToG2(message));
        return abi.decode(ask(PAIRING, pairs), (uint256)) == 1;
    }

    /* hash_to_curve [RFC 9380, BLS12381G2_XMD:SHA-256_SSWU_RO_] */
    function hashToG2(bytes memory message) internal view returns (bytes memory) {
        bytes32 first = sha256(bytes.concat(new bytes(64), message, hex"010000", DOMAIN));
        bytes32[8] memory b;
        b[0] = sha256(bytes.concat(first, hex"01", DOMAIN));
        for (uint256 i = 1; i < 8; i++) {
            b[i] = sha256(bytes.concat(first ^ b[i - 1], bytes1(uint8(i + 1)), DOMAIN));
        }
        bytes memory one = bytes.concat(reduce(b[0], b[1]), reduce(b[2], b[3]));
        bytes memory two = bytes.concat(reduce(b[4], b[5]), reduce(b[6], b[7]));
        return ask(G2_ADD, bytes.concat(ask(MAP_FP2_TO_G2, one), ask(MAP_FP2_TO_G2, two)));
    }

    /* 64 bytes modulo p. */
    function reduce(bytes32 high, bytes32 low) private view returns (bytes memory) {
        bytes memory lengths = bytes.concat(bytes32(uint256(64)), bytes32(uint256(1)), bytes32(uint256(64)));
        return ask(MODEXP, bytes.concat(lengths, high, low, hex"01", MODULUS));
    }

    function ask(address builtin, bytes memory input) private view returns (bytes memory) {
        (bool done, bytes memory output) = builtin.staticcall(input);
        if (!done || output.length == 0) revert BadPoint();
        return output;
    }

    function checkG1(bytes calldata compressed, bytes calldata point) private pure {
        if (compressed.length != 48 || point.length != G1) revert BadPoint();
        checkHead(compressed, point[:64], isLarge(point[64:128]));
    }

    /* In G2 a number has two parts; compressed, the second stands first. */
    function checkG2(bytes calldata compressed, bytes calldata point) private pure {
        if (compressed.length != 96 || point.length != G2) revert BadPoint();
        bytes calldata second = point[192:256];
        bool large = isZero(second) ? isLarge(point[128:192]) : isLarge(second);
        checkHead(compressed[:48], point[64:128], large);
        if (keccak256(compressed[48:]) != keccak256(point[16:64])) revert BadPoint();
    }

    /* 48 bytes with the flags "compressed", not "infinity", and "the larger y". */
    function checkHead(bytes calldata compressed, bytes calldata x, bool large) private pure {
        uint8 flags = large ? 0xa0 : 0x80;
        bytes1 head = bytes1(uint8(x[16]) | flags);
        if (uint8(x[16]) > 0x1f || compressed[0] != head) revert BadPoint();
        if (keccak256(compressed[1:]) != keccak256(x[17:])) revert BadPoint();
    }

    function isLarge(bytes calldata number) private pure returns (bool) {
        uint256 high = uint256(bytes32(number[:32]));
        return high > HALF_HIGH || (high == HALF_HIGH && uint256(bytes32(number[32:])) > HALF_LOW);
    }

    function isZero(bytes calldata number) private pure returns (bool) {
        return bytes32(number[:32]) == 0 && bytes32(number[32:]) == 0;
    }
}
