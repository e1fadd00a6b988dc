// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// Fails in every way a contract can.
contract Failing {
    error Refused(address who, uint256 wanted, string why);
    error Empty();

    uint256 public touched;
    uint256[] private list;

    function reason(string calldata why) external {
        touched++;
        revert(why);
    }

    function custom(uint256 wanted, string calldata why) external {
        touched++;
        revert Refused(msg.sender, wanted, why);
    }

    function empty() external pure {
        revert Empty();
    }

    function silent() external pure {
        assembly {
            revert(0, 0)
        }
    }

    function broken(uint256 n) external pure {
        assert(n == 0);
    }

    function divide(uint256 a, uint256 b) external pure returns (uint256) {
        return a / b;
    }

    function overflow(uint256 a) external pure returns (uint256) {
        return a + type(uint256).max;
    }

    function item(uint256 i) external view returns (uint256) {
        return list[i];
    }

    function invalid() external pure {
        assembly {
            invalid()
        }
    }

    function burn() external {
        while (true) {
            touched++;
        }
    }

    function inner(Failing other, uint256 wanted) external {
        other.custom(wanted, "inner");
    }
}

contract Refusing {
    error Never(uint256 at);

    constructor(uint256 n) payable {
        if (n != 0) {
            revert Never(n);
        }
    }
}

/// Storage, events and money, to be looked at from outside.
contract Ledger {
    event Put(address indexed who, uint256 indexed key, uint256 value);
    event Said(string indexed topic, string text);
    event Plain(uint256 value) anonymous;

    mapping(uint256 => uint256) public values;
    uint256 public last;
    string public text;

    receive() external payable {}

    function put(uint256 key, uint256 value) external payable {
        values[key] = value;
        last = value;
        emit Put(msg.sender, key, value);
    }

    function putMany(uint256 first, uint256 count) external {
        for (uint256 i = 0; i < count; i++) {
            values[first + i] = i + 1;
            emit Put(msg.sender, first + i, i + 1);
        }
    }

    function say(string calldata topic, string calldata what) external {
        text = what;
        emit Said(topic, what);
    }

    function plain(uint256 value) external {
        emit Plain(value);
    }

    function pay(address payable to, uint256 amount) external {
        (bool ok,) = to.call{value: amount}("");
        require(ok, "pay failed");
    }

    function block_() external view returns (uint256 number, uint256 time, uint256 base, uint256 chain) {
        return (block.number, block.timestamp, block.basefee, block.chainid);
    }

    function sender() external view returns (address, uint256) {
        return (msg.sender, msg.sender.balance);
    }
}

/// What an account may delegate to [EIP-7702].
contract Account {
    event Ran(address indexed self, address indexed caller, uint256 calls);

    error NotOwner(address caller);

    struct Call {
        address to;
        uint256 value;
        bytes data;
    }

    receive() external payable {}

    function run(Call[] calldata calls) external payable {
        if (msg.sender != address(this)) {
            revert NotOwner(msg.sender);
        }
        for (uint256 i = 0; i < calls.length; i++) {
            (bool ok, bytes memory out) = calls[i].to.call{value: calls[i].value}(calls[i].data);
            if (!ok) {
                assembly {
                    revert(add(out, 32), mload(out))
                }
            }
        }
        emit Ran(address(this), msg.sender, calls.length);
    }

    function self() external view returns (address) {
        return address(this);
    }
}
