// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Bls} from "./Bls.sol";
import {Rlp} from "./Rlp.sol";

/* What validators sign, as docs/formats/consensus.md has it: votes, validator sets, evidence. */
library Votes {
    uint8 internal constant SECP256K1 = 1;
    uint8 internal constant BLS12_381 = 2;
    uint8 internal constant KEYED_HASH = 255;

    uint8 private constant NOTARIZE = 1;
    uint8 private constant NULLIFY = 2;
    uint8 private constant FINALIZE = 3;

    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    error BadVote();
    error BadSignature();
    error NoConflict();

    struct Domain {
        uint8 scheme;
        bytes32 genesis;
    }

    /* One vote; start and end say where it stands in the evidence. */
    struct Vote {
        uint8 kind;
        uint64 epoch;
        uint64 view_;
        uint64 parentView;
        uint64 height;
        bytes32 parentHash;
        bytes32 blockHash;
        uint64 signer;
        uint256 start;
        uint256 end;
    }

    /* Who signed two votes that no honest validator signs both, and where. */
    struct Conflict {
        uint64 epoch;
        uint64 view_;
        uint64 signer;
        uint8 kinds; /* that of the first vote times 16, and that of the second */
        bytes first; /* what was signed */
        bytes second;
    }

    /* Reads rlp([vote, vote]) and says whether the votes conflict; signatures are verify's. */
    function conflict(bytes calldata evidence, Domain memory domain)
        internal
        view
        returns (Conflict memory found, bytes calldata one, bytes calldata two)
    {
        Vote memory a;
        Vote memory b;
        (a, one) = read(evidence, Rlp.open(evidence));
        (b, two) = read(evidence, a.end);
        if (b.end != evidence.length || !less(evidence[a.start:a.end], evidence[b.start:b.end])) revert BadVote();
        if (a.epoch != b.epoch || a.view_ != b.view_ || a.signer != b.signer) revert NoConflict();
        found.epoch = a.epoch;
        found.view_ = a.view_;
        found.signer = a.signer;
        found.kinds = (a.kind << 4) | b.kind;
        found.first = preimage(a, domain);
        found.second = preimage(b, domain);
        bool both = a.kind == NULLIFY && b.kind == FINALIZE;
        bool twice = a.kind == b.kind && keccak256(found.first) != keccak256(found.second);
        if (!both && !twice) revert NoConflict();
    }

    /* Operator and key of the validator at a place of a set's RLP. */
    function member(bytes calldata set, uint8 scheme, uint64 place)
        internal
        pure
        returns (address operator, bytes calldata key)
    {
        uint64 named;
        uint256 end;
        uint256 pos = Rlp.open(set);
        (named, pos) = Rlp.uint64At(set, pos);
        (pos, end) = Rlp.list(set, pos);
        if (named != scheme) revert BadVote();
        for (uint64 i = 0; i < place && pos < end; i++) {
            (, pos) = Rlp.list(set, pos);
        }
        if (pos >= end) revert BadVote();
        (pos,) = Rlp.list(set, pos);
        bytes calldata who;
        (who, pos) = Rlp.text(set, pos);
        (key,) = Rlp.text(set, pos);
        operator = address(bytes20(who));
    }

    /* Reverts unless both signatures are the key's.  points: of scheme 2 the key, the first and the
     * second signature as EIP-2537 spells them; of other schemes nothing. */
    function verify(
        uint8 scheme,
        bytes calldata key,
        Conflict memory found,
        bytes calldata one,
        bytes calldata two,
        bytes calldata points
    ) internal view {
        bool good;
        if (scheme == BLS12_381) {
            if (points.length != Bls.G1 + 2 * Bls.G2) revert Bls.BadPoint();
            bytes calldata keyPoint = points[:Bls.G1];
            good = Bls.verify(key, keyPoint, one, points[Bls.G1:Bls.G1 + Bls.G2], found.first)
                && Bls.verify(key, keyPoint, two, points[Bls.G1 + Bls.G2:], found.second);
        } else if (points.length != 0) {
            revert Bls.BadPoint();
        } else if (scheme == SECP256K1) {
            good = recovers(key, one, found.first) && recovers(key, two, found.second);
        } else if (scheme == KEYED_HASH) {
            good = keccak256(bytes.concat(key, found.first)) == bytes32(one)
                && keccak256(bytes.concat(key, found.second)) == bytes32(two);
        }
        if (!good) revert BadSignature();
    }

    function recovers(bytes calldata key, bytes calldata signature, bytes memory signed)
        private
        pure
        returns (bool)
    {
        if (signature.length != 65 || key.length != 20) return false;
        uint8 parity = uint8(signature[64]);
        bytes32 s = bytes32(signature[32:64]);
        if (parity > 1 || uint256(s) > HALF_ORDER) return false;
        address signer = ecrecover(keccak256(signed), 27 + parity, bytes32(signature[:32]), s);
        return signer != address(0) && signer == address(bytes20(key));
    }

    function read(bytes calldata evidence, uint256 pos)
        private
        pure
        returns (Vote memory vote, bytes calldata signature)
    {
        uint64 number;
        uint256 end;
        vote.start = pos;
        (pos, end) = Rlp.list(evidence, pos);
        (number, pos) = Rlp.uint64At(evidence, pos);
        if (number < NOTARIZE || number > FINALIZE) revert BadVote();
        vote.kind = uint8(number);
        (vote.epoch, pos) = Rlp.uint64At(evidence, pos);
        (vote.view_, pos) = Rlp.uint64At(evidence, pos);
        if (vote.kind != NULLIFY) {
            (vote.parentView, pos) = Rlp.uint64At(evidence, pos);
            (vote.height, pos) = Rlp.uint64At(evidence, pos);
            (vote.parentHash, pos) = Rlp.bytes32At(evidence, pos);
            (vote.blockHash, pos) = Rlp.bytes32At(evidence, pos);
        }
        (vote.signer, pos) = Rlp.uint64At(evidence, pos);
        (signature, pos) = Rlp.text(evidence, pos);
        vote.end = end;
        if (pos != end || vote.parentView >= vote.view_) revert BadVote();
    }

    function preimage(Vote memory vote, Domain memory domain) private view returns (bytes memory) {
        bytes memory where = abi.encodePacked("keel/1/vote", domain.scheme, uint64(block.chainid), domain.genesis);
        bytes memory what = abi.encodePacked(vote.kind, vote.epoch, vote.view_, vote.parentView, vote.height);
        return bytes.concat(where, what, vote.parentHash, vote.blockHash);
    }

    function less(bytes calldata a, bytes calldata b) private pure returns (bool) {
        uint256 n = a.length < b.length ? a.length : b.length;
        for (uint256 i = 0; i < n; i++) {
            if (a[i] != b[i]) return a[i] < b[i];
        }
        return a.length < b.length;
    }
}
