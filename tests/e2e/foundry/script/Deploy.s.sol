// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Cheats} from "../src/Vm.sol";
import {Greeter, Marker, Shop} from "../src/Shop.sol";

/// Two accounts deploy, call, pay, and use CREATE2.
contract Deploy is Cheats {
    function run() external returns (Shop shop, Marker marker, Greeter greeter) {
        vm.startBroadcast();
        shop = new Shop();
        marker = new Marker{salt: bytes32(uint256(7))}("here");
        require(marker.mark() == "here");
        shop.buy{value: 1 ether}(3);
        for (uint256 i = 1; i <= 20; i++) {
            shop.buy{value: i * 1 gwei}(i);
        }
        vm.stopBroadcast();

        vm.startBroadcast(vm.envUint("SECOND_KEY"));
        greeter = new Greeter();
        greeter.greet("hello");
        payable(address(0xaa)).transfer(5 gwei);
        require(shop.buy{value: 2 gwei}(2) == 22);
        vm.stopBroadcast();
        log("shop at", address(shop));
    }
}

/// Builds on what stands on the chain.
contract Again is Cheats {
    function run() external {
        Shop shop = Shop(vm.envAddress("SHOP"));
        uint256 before = shop.orders();
        vm.startBroadcast();
        shop.buy{value: 9 gwei}(9);
        shop.buy{value: 1 gwei}(1);
        vm.stopBroadcast();
        require(shop.orders() == before + 2);
    }
}

/// Must send nothing, for its second call fails.
contract Short is Cheats {
    function run() external {
        Shop shop = Shop(vm.envAddress("SHOP"));
        vm.startBroadcast();
        shop.buy{value: 1 gwei}(1);
        shop.buy{value: 1 gwei}(2);
        vm.stopBroadcast();
    }
}
