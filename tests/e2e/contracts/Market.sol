// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

interface IPair {
    function token0() external view returns (address);
    function swap(uint256 out0, uint256 out1, address to, bytes calldata data) external;
}

interface IToken {
    function transfer(address to, uint256 amount) external returns (bool);
}

/// Takes from a pair before it has paid.
contract Taker {
    function take(IPair pair, uint256 out0, uint256 out1, uint256 fee) external {
        pair.swap(out0, out1, address(this), abi.encode(fee));
    }

    function enter(IPair pair, uint256 out0) external {
        pair.swap(out0, 0, address(this), "again");
    }

    function uniswapV2Call(address, uint256 out0, uint256, bytes calldata data) external {
        if (data.length != 32) {
            IPair(msg.sender).swap(1, 0, address(this), "");
        } else {
            uint256 fee = abi.decode(data, (uint256));
            if (fee != 0) {
                IToken(IPair(msg.sender).token0()).transfer(msg.sender, out0 + fee);
            }
        }
    }
}
