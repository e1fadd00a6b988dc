// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC20Votes} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Votes.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {ERC721URIStorage} from "@openzeppelin/contracts/token/ERC721/extensions/ERC721URIStorage.sol";
import {IERC721Receiver} from "@openzeppelin/contracts/token/ERC721/IERC721Receiver.sol";
import {ERC1155} from "@openzeppelin/contracts/token/ERC1155/ERC1155.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";

contract Coin is ERC20, ERC20Permit, Ownable {
    constructor(uint256 supply) ERC20("Coin", "COIN") ERC20Permit("Coin") Ownable(msg.sender) {
        _mint(msg.sender, supply);
    }

    function mint(address to, uint256 amount) external onlyOwner {
        _mint(to, amount);
    }
}

contract Deed is ERC721URIStorage, Ownable {
    uint256 private next = 1;

    constructor() ERC721("Deed", "DEED") Ownable(msg.sender) {}

    function mint(address to, string calldata uri) external onlyOwner returns (uint256 id) {
        id = next++;
        _safeMint(to, id);
        _setTokenURI(id, uri);
    }
}

contract DeedVault is IERC721Receiver {
    event Kept(address indexed operator, address indexed from, uint256 indexed id, bytes data);

    function onERC721Received(address operator, address from, uint256 id, bytes calldata data)
        external
        returns (bytes4)
    {
        emit Kept(operator, from, id, data);
        return IERC721Receiver.onERC721Received.selector;
    }
}

contract Items is ERC1155, Ownable {
    constructor() ERC1155("ipfs://items/{id}.json") Ownable(msg.sender) {}

    function mintBatch(address to, uint256[] calldata ids, uint256[] calldata amounts) external onlyOwner {
        _mintBatch(to, ids, amounts, "");
    }
}

contract Share is ERC20, ERC20Permit, ERC20Votes {
    constructor(uint256 supply) ERC20("Share", "SHARE") ERC20Permit("Share") {
        _mint(msg.sender, supply);
    }

    function _update(address from, address to, uint256 value) internal override(ERC20, ERC20Votes) {
        super._update(from, to, value);
    }

    function nonces(address owner) public view override(ERC20Permit, Nonces) returns (uint256) {
        return super.nonces(owner);
    }
}
