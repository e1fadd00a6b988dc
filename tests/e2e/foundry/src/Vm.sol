// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// Those of Forge's cheats that the scripts use, at the address Forge gives them.
interface Vm {
    function startBroadcast() external;
    function startBroadcast(uint256 key) external;
    function stopBroadcast() external;
    function envAddress(string calldata name) external view returns (address);
    function envUint(string calldata name) external view returns (uint256);
}

abstract contract Cheats {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    function log(string memory text, address value) internal view {
        address(0x000000000000000000636F6e736F6c652e6c6f67).staticcall(
            abi.encodeWithSignature("log(string,address)", text, value)
        );
    }
}
