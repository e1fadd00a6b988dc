// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Cheats} from "../src/Vm.sol";
import {Shop} from "../src/Shop.sol";

/// Runs on a fork of the node's chain: Forge reads what it needs of its state.
contract ForkTest is Cheats {
    function testState() external {
        Shop shop = Shop(vm.envAddress("SHOP"));
        require(shop.orders() == vm.envUint("ORDERS"), "orders");
        require(address(shop).balance == vm.envUint("TILL"), "till");
        require(shop.voucher().balanceOf(msg.sender) == 0, "voucher");
        require(block.chainid == 31337, "chain id");
        require(block.number == vm.envUint("NUMBER"), "number");
        shop.buy{value: 4 gwei}(4);
        require(shop.voucher().balanceOf(address(this)) == 4, "bought");
        require(shop.orders() == vm.envUint("ORDERS") + 1, "one more");
    }

    function testRefusal() external {
        Shop shop = Shop(vm.envAddress("SHOP"));
        (bool ok, bytes memory why) = address(shop).call{value: 1}(abi.encodeCall(Shop.buy, (1)));
        require(!ok, "sold too cheaply");
        require(keccak256(why) == keccak256(abi.encodeWithSelector(Shop.TooLittle.selector, 1, 1 gwei)), "why");
    }
}
