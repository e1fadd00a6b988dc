// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

contract Voucher is ERC20, Ownable {
    constructor(address owner) ERC20("Voucher", "VCH") Ownable(owner) {}

    function mint(address to, uint256 amount) external onlyOwner {
        _mint(to, amount);
    }
}

library Price {
    function total(uint256 count) external pure returns (uint256) {
        return count * 1 gwei;
    }
}

contract Shop {
    event Sold(address indexed buyer, uint256 indexed order, uint256 count);

    error TooLittle(uint256 paid, uint256 price);

    Voucher public immutable voucher;
    uint256 public orders;
    mapping(address => uint256) public bought;

    constructor() {
        voucher = new Voucher(address(this));
    }

    function buy(uint256 count) external payable returns (uint256) {
        uint256 price = Price.total(count);
        if (msg.value < price) {
            revert TooLittle(msg.value, price);
        }
        bought[msg.sender] += count;
        voucher.mint(msg.sender, count);
        emit Sold(msg.sender, ++orders, count);
        return orders;
    }
}

/// Its address depends on its code and a salt alone.
contract Marker {
    bytes32 public immutable mark;

    constructor(bytes32 what) {
        mark = what;
    }
}

/// What an account delegates to.
contract Greeter {
    event Greeted(address indexed self, string text);

    string public last;

    function greet(string calldata text) external {
        last = text;
        emit Greeted(address(this), text);
    }
}
