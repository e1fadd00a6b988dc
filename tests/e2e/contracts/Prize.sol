// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

interface IVerifier {
    function verifyProof(uint256[2] calldata a, uint256[2][2] calldata b, uint256[2] calldata c, uint256[3] calldata publics)
        external
        view
        returns (bool);
}

/// Pays whoever proves to know the factors, once for each tag; the proof is for the sender alone.
contract Prize {
    event Won(address indexed winner, uint256 tag);

    error NotProven();
    error Used(uint256 tag);

    IVerifier public immutable verifier;
    uint256 public immutable product;
    mapping(uint256 => bool) public used;

    constructor(IVerifier with, uint256 number) payable {
        verifier = with;
        product = number;
    }

    function claim(uint256[2] calldata a, uint256[2][2] calldata b, uint256[2] calldata c, uint256 tag) external {
        if (used[tag]) {
            revert Used(tag);
        }
        if (!verifier.verifyProof(a, b, c, [tag, product, uint256(uint160(msg.sender))])) {
            revert NotProven();
        }
        used[tag] = true;
        emit Won(msg.sender, tag);
        payable(msg.sender).transfer(1 ether);
    }
}
