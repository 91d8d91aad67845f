// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {TestUSDC} from "./TestUSDC.sol";

/// Tokens as they occur in the wild, each different from TestUSDC in one way.

/// Has EIP-20 only: no authorisations, no version, no domain.
contract PlainToken {
    mapping(address account => uint256) public balanceOf;
    uint256 public totalSupply;

    event Transfer(address indexed from, address indexed to, uint256 value);

    function name() external pure returns (string memory) {
        return "Plain";
    }

    function symbol() external pure returns (string memory) {
        return "PLAIN";
    }

    function decimals() external pure returns (uint8) {
        return 6;
    }

    function mint(address to, uint256 value) external {
        totalSupply += value;
        balanceOf[to] += value;
        emit Transfer(address(0), to, value);
    }

    function transfer(address to, uint256 value) external returns (bool) {
        require(value <= balanceOf[msg.sender], "ERC20: transfer amount exceeds balance");
        balanceOf[msg.sender] -= value;
        balanceOf[to] += value;
        emit Transfer(msg.sender, to, value);
        return true;
    }
}

/// Returns without a revert, and without moving anything, when the nonce was used.
contract SilentToken is TestUSDC {
    function _authorize(
        address from,
        bytes32 data,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes memory signature
    ) internal override returns (bool) {
        if (authorizationState[from][nonce]) return false;
        return super._authorize(from, data, validAfter, validBefore, nonce, signature);
    }
}

/// Signs under the name "USDC", but name() says otherwise.
contract MisnamedToken is TestUSDC {
    function name() public pure override returns (string memory) {
        return "USD Coin";
    }
}

/// Keeps a hundredth of every transfer, so that the payee gets less than was signed.
contract FeeToken is TestUSDC {
    address private constant COLLECTOR = address(0xFEE);

    function _transfer(address from, address to, uint256 value) internal override {
        uint256 fee = value / 100;
        super._transfer(from, to, value - fee);
        if (fee > 0) super._transfer(from, COLLECTOR, fee);
    }
}

/// Says yes to every call and does nothing: any selector succeeds with empty data.
contract YesToken {
    fallback() external {}
}
