// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/* A token whose whole use is to be sent around: anybody may give it out. */
contract BenchToken is ERC20 {
    constructor() ERC20("Bench", "BENCH") {}

    function give(address[] calldata to, uint256 amount) external {
        for (uint256 i = 0; i < to.length; i++) {
            _mint(to[i], amount);
        }
    }
}

/* Two tokens in one pool, whose balances keep their product; three thousandths of what comes in stay. */
contract BenchPair {
    using SafeERC20 for IERC20;

    event Swap(address indexed trader, uint256 paid0, uint256 paid1, uint256 got0, uint256 got1);
    event Sync(uint112 reserve0, uint112 reserve1);

    IERC20 public immutable token0;
    IERC20 public immutable token1;
    uint112 private reserve0;
    uint112 private reserve1;
    uint256 private locked;

    constructor(IERC20 first, IERC20 second) {
        token0 = first;
        token1 = second;
    }

    modifier alone() {
        require(locked == 0, "locked");
        locked = 1;
        _;
        locked = 0;
    }

    /* Takes what the pool was given as its reserves. */
    function sync() external alone {
        update(token0.balanceOf(address(this)), token1.balanceOf(address(this)));
    }

    /* Pays paid of one token and gets as much of the other as leaves the product. */
    function swap(bool zeroForOne, uint256 paid, uint256 least) external alone returns (uint256 got) {
        (uint256 before0, uint256 before1) = (reserve0, reserve1);
        (uint256 inside, uint256 outside) = zeroForOne ? (before0, before1) : (before1, before0);
        uint256 counted = paid * 997;
        got = (counted * outside) / (inside * 1000 + counted);
        require(got > 0 && got >= least, "too little");
        (IERC20 tokenIn, IERC20 tokenOut) = zeroForOne ? (token0, token1) : (token1, token0);
        tokenIn.safeTransferFrom(msg.sender, address(this), paid);
        tokenOut.safeTransfer(msg.sender, got);
        uint256 now0 = token0.balanceOf(address(this));
        uint256 now1 = token1.balanceOf(address(this));
        require(now0 * now1 >= before0 * before1, "product");
        update(now0, now1);
        if (zeroForOne) {
            emit Swap(msg.sender, paid, 0, 0, got);
        } else {
            emit Swap(msg.sender, 0, paid, got, 0);
        }
    }

    function update(uint256 now0, uint256 now1) private {
        require(now0 <= type(uint112).max && now1 <= type(uint112).max, "overflow");
        reserve0 = uint112(now0);
        reserve1 = uint112(now1);
        emit Sync(uint112(now0), uint112(now1));
    }
}
