// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Votes} from "./Votes.sol";

/* Who validates, decided by those who do: proof of authority.
 *
 * The contract holds the list that the validator set follows.  At an epoch's end the chain reads it by
 * validators() and takes one bounded step from the set in force towards it (docs/formats/consensus.md
 * "Next set"), so what is decided here in one epoch holds from the next one on, and never all at once.
 *
 * Nothing here pays anybody, and no code can be changed: no owner, no proxy, no call to foreign code. */
contract Authority {
    /* The protocol itself, which nobody has the key of. */
    address private constant SYSTEM = 0xffffFFFfFFffffffffffffffFfFFFfffFFFfFFfE;

    uint256 private constant VALIDATORS_MAX = 256;
    uint64 private constant WEIGHT_MAX = 2 ** 32; // of all together
    /* How long a proposal waits for votes, and an accepted candidate may wait before it comes. */
    uint64 public constant LIFETIME = 7 days;

    struct Validator {
        address operator;
        uint64 weight;
        uint64 seen; // the epoch in which it last said that it is there
        bytes key;
        bytes keyProof;
        bytes randaoKey;
        bytes randaoProof;
    }

    struct Seat {
        uint64 number; // 0: nobody's; of each that ever joined another one
        uint64 weight;
        uint64 seen;
        bytes key;
        bytes keyProof;
        bytes randaoKey;
        bytes randaoProof;
    }

    enum Kind {
        Add,
        Remove,
        Weigh
    }

    struct Proposal {
        address target;
        Kind kind;
        bool passed;
        uint64 weight;
        uint64 until; // time, in seconds
        uint64 seat; // of the target when it was proposed
    }

    struct Candidate {
        uint64 weight;
        uint64 until;
    }

    struct Head {
        uint64 epoch;
        uint64 view_;
        uint64 parentView;
        uint64 timeMs;
    }

    /* How many blocks a validator has led. */
    struct Led {
        uint64 epoch; // of its last one
        uint64 inEpoch;
        uint64 inEpochBefore; // in the epoch before that one
        uint64 ever;
    }

    /* What evidence does to whom it is against. */
    enum Mode {
        Report, // an event, and no more
        Eject // the seat is lost, unless it is the last
    }

    uint8 public scheme; // of votes; 0: not initialized
    Mode public mode;
    uint64 private seats; // numbers given out
    uint64 public totalWeight;

    Head public head;
    address public leader; // of the newest block
    bytes32 public genesis; // hash of block 0
    bytes32 private setHash; // of the epoch's validators
    bytes32 private setHashBefore; // of those of the epoch before, 0 if there was none

    address[] private order;
    mapping(address operator => Seat) private seatOf;
    mapping(address operator => Led) public led;
    mapping(bytes32 keyHash => address) private ownerOf; // a key belongs to one for ever

    Proposal[] public proposals;
    mapping(uint256 id => mapping(address operator => uint64 seat)) private yes;
    mapping(address operator => Candidate) public candidates;
    mapping(uint64 epoch => mapping(address operator => bool)) public reported;

    event Proposed(uint256 indexed id, address indexed by, address indexed target, Kind kind, uint64 weight);
    event Voted(uint256 indexed id, address indexed by, bool agreed);
    event Passed(uint256 indexed id);
    event Accepted(address indexed candidate, uint64 weight, uint64 until);
    event Joined(address indexed operator, uint64 weight);
    event Ready(address indexed operator, uint64 epoch, bytes key, bytes randaoKey);
    event Weighed(address indexed operator, uint64 weight);
    event Removed(address indexed operator);
    event Equivocated(address indexed operator, uint64 epoch, uint64 view_, uint8 kinds);

    error NotSystem();
    error NotValidator();
    error Initialized();
    error BadList();
    error BadTarget();
    error BadWeight();
    error BadKey();
    error KeyTaken();
    error NoSuchProposal();
    error Expired();
    error AlreadyPassed();
    error LastValidator();
    error UnknownEpoch();
    error AlreadyReported();

    modifier onlySystem() {
        if (msg.sender != SYSTEM) revert NotSystem();
        _;
    }

    modifier onlyValidator() {
        if (seatOf[msg.sender].number == 0) revert NotValidator();
        _;
    }

    /* --- the protocol's own calls --- */

    /* Once, before block 1: whoever makes a genesis file runs it and writes down the storage. */
    function initialize(uint8 scheme_, Mode mode_, Validator[] calldata list) external onlySystem {
        if (scheme != 0) revert Initialized();
        if (scheme_ == 0 || list.length == 0) revert BadList();
        scheme = scheme_;
        mode = mode_;
        for (uint256 i = 0; i < list.length; i++) {
            Validator calldata v = list[i];
            if (v.operator == address(0) || seatOf[v.operator].number != 0) revert BadList();
            join(v.operator, v.weight);
            setKeys(v.operator, v.key, v.keyProof, v.randaoKey, v.randaoProof);
        }
    }

    /* First of all in each block.  set: the hash of the epoch's validators. */
    function onBlock(uint64 epoch, uint64 view_, uint64 parentView, uint64 timeMs, address leader_, bytes32 set)
        external
        onlySystem
    {
        if (genesis == 0) genesis = blockhash(0);
        if (head.epoch != epoch || setHash == 0) {
            setHashBefore = head.epoch + 1 == epoch ? setHash : bytes32(0);
            setHash = set;
        }
        head = Head(epoch, view_, parentView, timeMs);
        leader = leader_;
        Led memory l = led[leader_];
        if (l.epoch != epoch) {
            l.inEpochBefore = l.epoch + 1 == epoch ? l.inEpoch : 0;
            l.inEpoch = 0;
            l.epoch = epoch;
        }
        l.inEpoch++;
        l.ever++;
        led[leader_] = l;
    }

    /* What the validator set follows, in order. */
    function validators() external view returns (uint8, Validator[] memory list) {
        list = new Validator[](order.length);
        for (uint256 i = 0; i < list.length; i++) {
            list[i] = validator(order[i]);
        }
        return (scheme, list);
    }

    /* --- changes --- */

    /* A validator proposes, and agrees.  weight: of who is to be added, or is to weigh another. */
    function propose(Kind kind, address target, uint64 weight) external onlyValidator returns (uint256 id) {
        uint64 seat = seatOf[target].number;
        if (target == address(0) || (seat == 0) != (kind == Kind.Add)) revert BadTarget();
        if ((weight == 0) != (kind == Kind.Remove) || weight > WEIGHT_MAX) revert BadWeight();
        id = proposals.length;
        proposals.push(Proposal(target, kind, false, weight, uint64(block.timestamp) + LIFETIME, seat));
        emit Proposed(id, msg.sender, target, kind, weight);
        decide(id, true);
    }

    /* Agrees to a proposal or takes that back. */
    function vote(uint256 id, bool agreed) external onlyValidator {
        if (id >= proposals.length) revert NoSuchProposal();
        decide(id, agreed);
    }

    /* "I am there, and these are my keys": a candidate takes its seat by it, a validator changes its
     * keys by it or, with the keys it has, only says so.  The set takes up keys from whoever said so
     * in the epoch that ends or the one before. */
    function ready(
        bytes calldata key,
        bytes calldata keyProof,
        bytes calldata randaoKey,
        bytes calldata randaoProof
    ) external {
        if (seatOf[msg.sender].number == 0) {
            Candidate memory c = candidates[msg.sender];
            if (c.weight == 0) revert NotValidator();
            if (block.timestamp > c.until) revert Expired();
            delete candidates[msg.sender];
            join(msg.sender, c.weight);
        }
        setKeys(msg.sender, key, keyProof, randaoKey, randaoProof);
        seatOf[msg.sender].seen = head.epoch;
        emit Ready(msg.sender, head.epoch, key, randaoKey);
    }

    /* --- evidence --- */

    /* Two votes that no honest validator signs both, rlp([vote, vote]), with the set of their epoch,
     * which is this one or the one before; points as Votes.verify wants them. */
    function report(bytes calldata evidence, bytes calldata set, bytes calldata points) external {
        Votes.Domain memory domain = Votes.Domain(scheme, genesis);
        (Votes.Conflict memory found, bytes calldata one, bytes calldata two) = Votes.conflict(evidence, domain);
        bytes32 hash = hashOf(found.epoch);
        if (hash == 0 || keccak256(set) != hash) revert UnknownEpoch();
        (address operator, bytes calldata key) = Votes.member(set, domain.scheme, found.signer);
        if (reported[found.epoch][operator]) revert AlreadyReported();
        Votes.verify(domain.scheme, key, found, one, two, points);
        reported[found.epoch][operator] = true;
        emit Equivocated(operator, found.epoch, found.view_, found.kinds);
        if (mode != Mode.Eject) return;
        delete candidates[operator];
        if (seatOf[operator].number != 0 && order.length > 1) remove(operator);
    }

    /* --- what there is --- */

    function validator(address operator) public view returns (Validator memory) {
        Seat storage s = seatOf[operator];
        return Validator(operator, s.weight, s.seen, s.key, s.keyProof, s.randaoKey, s.randaoProof);
    }

    function isValidator(address operator) external view returns (bool) {
        return seatOf[operator].number != 0;
    }

    function count() external view returns (uint256) {
        return order.length;
    }

    function proposalCount() external view returns (uint256) {
        return proposals.length;
    }

    /* The hash of the validators of the newest block's epoch or the one before; 0: unknown. */
    function hashOf(uint64 epoch) public view returns (bytes32) {
        if (epoch == head.epoch) return setHash;
        return epoch + 1 == head.epoch ? setHashBefore : bytes32(0);
    }

    /* How many who are validators agree. */
    function votesFor(uint256 id) public view returns (uint256 votes) {
        for (uint256 i = 0; i < order.length; i++) {
            address operator = order[i];
            if (yes[id][operator] == seatOf[operator].number) votes++;
        }
    }

    /* --- inside --- */

    function decide(uint256 id, bool agreed) private {
        Proposal memory p = proposals[id];
        if (p.passed) revert AlreadyPassed();
        if (block.timestamp > p.until) revert Expired();
        yes[id][msg.sender] = agreed ? seatOf[msg.sender].number : 0;
        emit Voted(id, msg.sender, agreed);
        if (votesFor(id) * 2 <= order.length) return;
        if (seatOf[p.target].number != p.seat) revert BadTarget();
        proposals[id].passed = true;
        emit Passed(id);
        if (p.kind == Kind.Add) {
            uint64 until = uint64(block.timestamp) + LIFETIME;
            candidates[p.target] = Candidate(p.weight, until);
            emit Accepted(p.target, p.weight, until);
        } else if (p.kind == Kind.Remove) {
            remove(p.target);
        } else {
            weigh(totalWeight - seatOf[p.target].weight + p.weight);
            seatOf[p.target].weight = p.weight;
            emit Weighed(p.target, p.weight);
        }
    }

    function weigh(uint64 total) private {
        if (total > WEIGHT_MAX) revert BadWeight();
        totalWeight = total;
    }

    function join(address operator, uint64 weight) private {
        if (order.length == VALIDATORS_MAX) revert BadList();
        if (weight == 0 || weight > WEIGHT_MAX) revert BadWeight();
        weigh(totalWeight + weight);
        Seat storage s = seatOf[operator];
        s.number = ++seats;
        s.weight = weight;
        order.push(operator);
        emit Joined(operator, weight);
    }

    /* The others keep their order. */
    function remove(address operator) private {
        uint256 last = order.length - 1;
        if (last == 0) revert LastValidator();
        uint256 pos = 0;
        while (order[pos] != operator) pos++;
        for (; pos < last; pos++) {
            order[pos] = order[pos + 1];
        }
        order.pop();
        totalWeight -= seatOf[operator].weight;
        delete seatOf[operator];
        emit Removed(operator);
    }

    function setKeys(
        address operator,
        bytes calldata key,
        bytes calldata keyProof,
        bytes calldata randaoKey,
        bytes calldata randaoProof
    ) private {
        (uint256 keyLen, uint256 keyProofLen, uint256 randaoProofLen) = lengths();
        if (key.length != keyLen || keyProof.length != keyProofLen) revert BadKey();
        if (randaoKey.length != 48 || randaoProof.length != randaoProofLen) revert BadKey();
        take(operator, key);
        take(operator, randaoKey);
        Seat storage s = seatOf[operator];
        s.key = key;
        s.keyProof = keyProof;
        s.randaoKey = randaoKey;
        s.randaoProof = randaoProof;
    }

    /* A key that was once somebody's is nobody else's, so that keys never change hands in a set. */
    function take(address operator, bytes calldata key) private {
        bytes32 hash = keccak256(key);
        address owner = ownerOf[hash];
        if (owner == operator) return;
        if (owner != address(0)) revert KeyTaken();
        ownerOf[hash] = operator;
    }

    /* Of a key, its proof, and the proof of a randao key. */
    function lengths() private view returns (uint256, uint256, uint256) {
        if (scheme == Votes.SECP256K1) return (20, 0, 96);
        if (scheme == Votes.BLS12_381) return (48, 96, 96);
        if (scheme == Votes.KEYED_HASH) return (32, 0, 0);
        revert BadKey();
    }
}
