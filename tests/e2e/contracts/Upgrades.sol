// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";
import {OwnableUpgradeable} from "@openzeppelin/contracts-upgradeable/access/OwnableUpgradeable.sol";
import {Initializable} from "@openzeppelin/contracts-upgradeable/proxy/utils/Initializable.sol";

contract CounterV1 is Initializable, OwnableUpgradeable, UUPSUpgradeable {
    uint256 public count;

    constructor() {
        _disableInitializers();
    }

    function initialize(address owner, uint256 start) external initializer {
        __Ownable_init(owner);
        count = start;
    }

    function increment() external virtual {
        count += 1;
    }

    function version() external pure virtual returns (string memory) {
        return "one";
    }

    function _authorizeUpgrade(address) internal override onlyOwner {}
}

contract CounterV2 is CounterV1 {
    uint256 public step;

    error StepIsZero();

    function setStep(uint256 value) external {
        if (value == 0) {
            revert StepIsZero();
        }
        step = value;
    }

    function increment() external override {
        count += step;
    }

    function version() external pure override returns (string memory) {
        return "two";
    }
}
