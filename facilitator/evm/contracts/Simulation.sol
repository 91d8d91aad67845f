// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.28;

/// Tries payments without making them. It is never deployed: eth_call runs its
/// creation code, and what the constructor returns is the answer. Each payment
/// is tried on the state as it is, alone: its effects are reverted before the
/// next, so that payments in one call can neither help nor harm one another.
contract Simulation {
    struct Payment {
        address token;
        address from;
        address to;
        bytes32 nonce;
        bytes data; // calldata of transferWithAuthorization
    }

    struct Outcome {
        bool success; // the call did not revert
        uint256 received; // what `to` has more than before
        uint256 gas; // that the call took
    }

    /// What is asked besides, if nothing arrived.
    struct Diagnosis {
        bool deployed; // the token has code
        bool supported; // the token answers authorizationState
        bool used; // authorizationState: what reverted has not changed it
        uint256 balance; // of `from`
        bytes32 separator; // DOMAIN_SEPARATOR
        bytes result; // what the call returned, or its revert data
        bytes name; // raw answer of name()
        bytes version; // raw answer of version()
    }

    constructor(Payment[] memory payments) {
        Trial trial = new Trial();
        bytes[] memory outcomes = new bytes[](payments.length); // each an encoded Outcome, with a Diagnosis behind it if nothing arrived
        for (uint256 i = 0; i < payments.length; i++) {
            try trial.run(payments[i]) {}
            catch (bytes memory outcome) {
                outcomes[i] = outcome;
            }
        }
        bytes memory out = abi.encode(outcomes);
        assembly {
            return(add(out, 32), mload(out))
        }
    }
}

/// Makes one payment and reverts with its outcome.
contract Trial {
    uint256 private constant QUERY_GAS = 100000;
    uint256 private constant MAX_RETURN = 160; // of what a stranger's token returns

    function run(Simulation.Payment calldata p) external {
        Simulation.Outcome memory o;
        Simulation.Diagnosis memory d;
        d.deployed = p.token.code.length > 0;
        if (d.deployed) {
            uint256 before = balanceOf(p.token, p.to);
            uint256 gas = gasleft();
            (o.success, d.result) = limited(p.token, p.data);
            o.gas = gas - gasleft();
            uint256 afterwards = balanceOf(p.token, p.to);
            o.received = afterwards > before ? afterwards - before : 0;
        }
        bytes memory out = abi.encode(o);
        if (!o.success || o.received == 0) {
            bytes memory used = ask(p.token, abi.encodeWithSignature("authorizationState(address,bytes32)", p.from, p.nonce));
            d.supported = used.length == 32;
            d.used = word(used) != 0;
            d.balance = balanceOf(p.token, p.from);
            d.separator = bytes32(word(ask(p.token, abi.encodeWithSignature("DOMAIN_SEPARATOR()"))));
            d.name = ask(p.token, abi.encodeWithSignature("name()"));
            d.version = ask(p.token, abi.encodeWithSignature("version()"));
            out = bytes.concat(out, abi.encode(d));
        }
        assembly {
            revert(add(out, 32), mload(out))
        }
    }

    function balanceOf(address token, address account) private view returns (uint256) {
        return word(ask(token, abi.encodeWithSignature("balanceOf(address)", account)));
    }

    function limited(address token, bytes memory data) private returns (bool ok, bytes memory result) {
        assembly {
            ok := call(gas(), token, 0, add(data, 32), mload(data), 0, 0)
        }
        result = returned();
    }

    function ask(address token, bytes memory data) private view returns (bytes memory) {
        bool ok;
        assembly {
            ok := staticcall(QUERY_GAS, token, add(data, 32), mload(data), 0, 0)
        }
        return ok ? returned() : bytes("");
    }

    function returned() private pure returns (bytes memory result) {
        assembly {
            let size := returndatasize()
            if gt(size, MAX_RETURN) { size := MAX_RETURN }
            result := mload(0x40)
            mstore(result, size)
            returndatacopy(add(result, 32), 0, size)
            mstore(0x40, and(add(add(result, size), 63), not(31)))
        }
    }

    function word(bytes memory b) private pure returns (uint256 w) {
        if (b.length >= 32) {
            assembly {
                w := mload(add(b, 32))
            }
        }
    }
}
