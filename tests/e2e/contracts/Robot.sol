// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// Does what its call data say, step after step; what each step gives goes into a number that it
/// returns.  A step is a byte and its operands:
///
///     01 key value2          sstore                   09 to20            selfdestruct
///     02 key                 sload                    0a size2           revert
///     03 key value2          tstore                   0b size2           return
///     04 key                 tload                    0c                 invalid
///     05 topics size2        log                      0d who20           what others see of who
///     06 kind to20 gas3 value8 size2 data   call      0e                 sender, value, block, fees
///     07 value8 size2 data   create                   0f                 gas
///     08 salt value8 size2 data   create2             10 count2          hashes
///     11 at3                 a byte of memory         12 at3 from3 size2 mcopy
contract Robot {
    fallback() external payable {
        assembly {
            function take(at, size) -> value {
                value := shr(sub(256, shl(3, size)), calldataload(at))
            }
            function mix(acc, value) -> mixed {
                mstore(0, acc)
                mstore(32, value)
                mixed := keccak256(0, 64)
            }
            function returned(acc, word) -> mixed {
                let size := returndatasize()
                returndatacopy(0x80, 0, size)
                mixed := mix(mix(mix(acc, word), size), keccak256(0x80, size))
            }
            function calling(acc, at) -> mixed, next {
                let to := take(add(at, 1), 20)
                let gas_ := take(add(at, 21), 3)
                let value := take(add(at, 24), 8)
                let size := take(add(at, 32), 2)
                calldatacopy(0x80, add(at, 34), size)
                next := add(add(at, 34), size)
                if iszero(gas_) { gas_ := gas() }
                let ok
                switch take(at, 1)
                case 0 { ok := call(gas_, to, value, 0x80, size, 0, 0) }
                case 1 { ok := callcode(gas_, to, value, 0x80, size, 0, 0) }
                case 2 { ok := delegatecall(gas_, to, 0x80, size, 0, 0) }
                default { ok := staticcall(gas_, to, 0x80, size, 0, 0) }
                mixed := returned(acc, ok)
            }
            function creating(acc, at, two) -> mixed, next {
                let value := take(add(at, two), 8)
                let size := take(add(at, add(two, 8)), 2)
                let data := add(at, add(two, 10))
                calldatacopy(0x80, data, size)
                next := add(data, size)
                let made
                switch two
                case 0 { made := create(value, 0x80, size) }
                default { made := create2(value, 0x80, size, take(at, 1)) }
                mixed := returned(acc, mix(made, extcodehash(made)))
            }
            function logging(acc, at) {
                let size := take(add(at, 1), 2)
                switch take(at, 1)
                case 0 { log0(0, size) }
                case 1 { log1(0, size, acc) }
                case 2 { log2(0, size, acc, 2) }
                case 3 { log3(0, size, acc, 2, 3) }
                default { log4(0, size, acc, 2, 3, size) }
            }
            function seen(acc, who) -> mixed {
                mixed := mix(mix(mix(acc, balance(who)), extcodesize(who)), extcodehash(who))
                mstore(0x80, 0)
                extcodecopy(who, 0x80, 1, 40)
                mixed := mix(mixed, keccak256(0x80, 64))
            }
            function around(acc) -> mixed {
                mixed := mix(mix(mix(acc, address()), caller()), callvalue())
                mixed := mix(mix(mix(mixed, origin()), gasprice()), selfbalance())
                mixed := mix(mix(mix(mixed, number()), timestamp()), chainid())
                mixed := mix(mix(mix(mixed, basefee()), gaslimit()), blobbasefee())
                mixed := mix(mix(mixed, codesize()), coinbase())
            }

            let acc := 1
            let at := 0
            for {} lt(at, calldatasize()) {} {
                let op := take(at, 1)
                at := add(at, 1)
                switch op
                case 0x01 {
                    sstore(take(at, 1), take(add(at, 1), 2))
                    at := add(at, 3)
                }
                case 0x02 {
                    acc := mix(acc, sload(take(at, 1)))
                    at := add(at, 1)
                }
                case 0x03 {
                    tstore(take(at, 1), take(add(at, 1), 2))
                    at := add(at, 3)
                }
                case 0x04 {
                    acc := mix(acc, tload(take(at, 1)))
                    at := add(at, 1)
                }
                case 0x05 {
                    logging(acc, at)
                    at := add(at, 3)
                }
                case 0x06 { acc, at := calling(acc, at) }
                case 0x07 { acc, at := creating(acc, at, 0) }
                case 0x08 { acc, at := creating(acc, at, 1) }
                case 0x09 { selfdestruct(take(at, 20)) }
                case 0x0a { revert(0, take(at, 2)) }
                case 0x0b { return(0, take(at, 2)) }
                case 0x0c { invalid() }
                case 0x0d {
                    acc := seen(acc, take(at, 20))
                    at := add(at, 20)
                }
                case 0x0e { acc := around(acc) }
                case 0x0f { acc := mix(acc, gas()) }
                case 0x10 {
                    for { let n := take(at, 2) } n { n := sub(n, 1) } { acc := mix(acc, n) }
                    at := add(at, 2)
                }
                case 0x11 {
                    mstore8(take(at, 3), acc)
                    at := add(at, 3)
                }
                case 0x12 {
                    mcopy(take(at, 3), take(add(at, 3), 3), take(add(at, 6), 2))
                    at := add(at, 8)
                }
                default { acc := mix(acc, op) }
            }
            mstore(0, acc)
            return(0, 32)
        }
    }
}
