// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/* Ethereum's recursive length prefix, read from calldata.  Only the one canonical encoding of a value
 * is taken; an item is told by where its payload begins and ends. */
library Rlp {
    error BadRlp();

    function item(bytes calldata input, uint256 pos)
        internal
        pure
        returns (bool isList, uint256 from, uint256 to)
    {
        if (pos >= input.length) revert BadRlp();
        uint256 first = uint8(input[pos]);
        from = pos + 1;
        if (first < 0x80) return (false, pos, from);
        isList = first >= 0xc0;
        uint256 len = first - (isList ? 0xc0 : 0x80);
        if (len > 55) {
            uint256 end = from + len - 55;
            len = number(input, from, end);
            if (len < 56) revert BadRlp();
            from = end;
        } else if (len == 1 && !isList && (from == input.length || uint8(input[from]) < 0x80)) {
            revert BadRlp();
        }
        to = from + len;
        if (to > input.length) revert BadRlp();
    }

    /* The whole of input, which must be one list, to be walked with the functions below. */
    function open(bytes calldata input) internal pure returns (uint256 pos) {
        (bool isList, uint256 from, uint256 to) = item(input, 0);
        if (!isList || to != input.length) revert BadRlp();
        return from;
    }

    function list(bytes calldata input, uint256 pos) internal pure returns (uint256 from, uint256 to) {
        bool isList;
        (isList, from, to) = item(input, pos);
        if (!isList) revert BadRlp();
    }

    function text(bytes calldata input, uint256 pos)
        internal
        pure
        returns (bytes calldata payload, uint256 next)
    {
        (bool isList, uint256 from, uint256 to) = item(input, pos);
        if (isList) revert BadRlp();
        return (input[from:to], to);
    }

    function uint64At(bytes calldata input, uint256 pos) internal pure returns (uint64 value, uint256 next) {
        (bool isList, uint256 from, uint256 to) = item(input, pos);
        if (isList) revert BadRlp();
        return (number(input, from, to), to);
    }

    function bytes32At(bytes calldata input, uint256 pos)
        internal
        pure
        returns (bytes32 value, uint256 next)
    {
        bytes calldata payload;
        (payload, next) = text(input, pos);
        if (payload.length != 32) revert BadRlp();
        value = bytes32(payload);
    }

    function number(bytes calldata input, uint256 from, uint256 to) private pure returns (uint64 value) {
        if (to > input.length || to - from > 8 || (to > from && input[from] == 0)) revert BadRlp();
        for (uint256 i = from; i < to; i++) {
            value = (value << 8) | uint8(input[i]);
        }
    }
}
