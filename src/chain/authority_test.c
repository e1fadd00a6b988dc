#include "chain/authority_rig_priv.h"

enum { ADD, REMOVE, WEIGH };

static authority_rig rig;

/* Proposes as person 0 and lets further people agree until it has passed; gives its number. */
static u64 pass(unsigned kind, usize target, u64 weight, usize voters)
{
    kl_span output = rig_ok(&rig, rig_operator(&rig, 0), rig_propose(&rig, kind, target, weight));
    u64 id;
    CHECK_RULE(kl_abi_u64(output, 0, &id), KL_RULE_NONE);
    for (usize i = 1; i < voters; i++)
        rig_ok(&rig, rig_operator(&rig, i), rig_vote(id, true));
    return id;
}

/* The storage that initialize leaves is what the chain reads back, under every scheme. */
KL_TEST(authority_genesis_is_read_back)
{
    static const u8 schemes[] = {KL_SCHEME_SECP256K1, KL_SCHEME_BLS12_381, KL_SCHEME_KEYED_HASH};
    for (usize i = 0; i < KL_COUNT_OF(schemes); i++) {
        rig_init(&rig, schemes[i], KL_AUTHORITY_EJECT, 4, seed);
        CHECK_U64(rig.set.count, 4);
        CHECK(rig.set.scheme == rig.scheme);
        for (u32 k = 0; k < 4; k++) {
            const kl_validator *want = &rig.people[k].validator, *got = &rig.set.validators[k];
            CHECK(kl_address_eq(&got->operator, & want->operator));
            CHECK(memcmp(got->key, want->key, sizeof want->key) == 0);
            CHECK(memcmp(got->randao_key, want->randao_key, sizeof want->randao_key) == 0);
            CHECK_U64(got->weight, 1);
        }
        kl_valset was = rig.set;
        rig_epoch(&rig);
        CHECK(kl_hash_eq(&was.hash, &rig.set.hash));
        rig_done(&rig);
    }
}

/* The same genesis is the same account; keys in order, none zero. */
KL_TEST(authority_account_is_the_same_every_time)
{
    kl_alloc a, b;
    kl_rule broken;
    rig_init(&rig, KL_SCHEME_SECP256K1, KL_AUTHORITY_REPORT, 3, seed);
    const kl_authority_genesis genesis = {rig.scheme, KL_AUTHORITY_REPORT, rig.people, 3};
    CHECK_OK(kl_authority_account(&a, &genesis, &rig.arena, &broken));
    CHECK_OK(kl_authority_account(&b, &genesis, &rig.arena, &broken));
    CHECK(a.slot_count > 10 && a.slot_count == b.slot_count && a.nonce == 1);
    CHECK_SPAN(a.code, kl_authority_code_span());
    for (usize i = 0; i < a.slot_count; i++) {
        CHECK(kl_hash_eq(&a.keys[i], &b.keys[i]) && kl_u256_eq(a.values[i], b.values[i]));
        CHECK(!kl_u256_is_zero(a.values[i]));
        CHECK(i == 0 || memcmp(a.keys[i - 1].b, a.keys[i].b, 32) < 0);
    }
    rig_done(&rig);
}

static kl_rule account_of(usize count)
{
    kl_alloc out;
    kl_rule broken;
    const kl_authority_genesis genesis = {rig.scheme, KL_AUTHORITY_EJECT, rig.people, count};
    CHECK_OK(kl_authority_account(&out, &genesis, &rig.arena, &broken));
    return broken;
}

KL_TEST(authority_refuses_a_bad_genesis)
{
    rig_init(&rig, KL_SCHEME_BLS12_381, KL_AUTHORITY_EJECT, 3, seed);
    CHECK_RULE(account_of(0), KL_RULE_VALSET_EMPTY);
    CHECK_RULE(account_of(KL_VALIDATORS_MAX + 1), KL_RULE_VALSET_SIZE);
    kl_policy_entry was = rig.people[1];
    rig.people[1].validator.weight = 0;
    CHECK_RULE(account_of(2), KL_RULE_POLICY_LIST);
    rig.people[1].validator.weight = KL_WEIGHT_MAX;
    CHECK_RULE(account_of(2), KL_RULE_POLICY_LIST);
    rig.people[1].validator.weight = KL_WEIGHT_MAX - 1;
    CHECK_RULE(account_of(2), KL_RULE_NONE);
    rig.people[1] = was;
    rig.people[1].key_proof.len--;
    CHECK_RULE(account_of(2), KL_RULE_POLICY_LIST);
    rig.people[1] = was;
    rig.people[1].randao_proof.len = 0;
    CHECK_RULE(account_of(2), KL_RULE_POLICY_LIST);
    rig.people[1] = was;
    memset(&rig.people[1].validator.operator, 0, sizeof(kl_address));
    CHECK_RULE(account_of(2), KL_RULE_POLICY_LIST);
    rig.people[1] = rig.people[0]; /* an operator twice */
    CHECK_RULE(account_of(2), KL_RULE_POLICY_LIST);
    rig.people[1].validator.operator= was.validator.operator; /* a key twice */
    CHECK_RULE(account_of(2), KL_RULE_POLICY_LIST);
    rig_done(&rig);
}

/* A set of 256, with the longest keys, is written, and read with the gas of a system call.  Keys of
 * scheme 2 are made up: none has both of its keys from the first one, be it with the other sign. */
KL_TEST(authority_holds_as_many_as_a_set)
{
    static const u8 schemes[] = {KL_SCHEME_BLS12_381, KL_SCHEME_KEYED_HASH};
    static kl_policy_entry entries[KL_VALIDATORS_MAX];
    for (usize k = 0; k < 2; k++) {
        kl_alloc alloc;
        kl_rule broken;
        kl_valset set;
        kl_authority_alarm alarm;
        rig_init(&rig, schemes[k], KL_AUTHORITY_EJECT, 1, seed);
        const kl_validator *real = &rig.people[0].validator;
        u8 apart = (u8)(1 + real->randao_key[0] - real->key[0]);
        for (usize i = 0; i < KL_VALIDATORS_MAX; i++) {
            entries[i] = rig.people[0];
            entries[i].validator.operator.b[0] = entries[i].validator.key[0] =(u8) i;
            entries[i].validator.randao_key[0] = (u8)(i + apart);
        }
        const kl_authority_genesis genesis = {rig.scheme, KL_AUTHORITY_EJECT, entries,
                                              KL_VALIDATORS_MAX};
        CHECK_OK(kl_authority_account(&alloc, &genesis, &rig.arena, &broken));
        CHECK_RULE(broken, KL_RULE_NONE);
        rig_load(&rig, &alloc);
        CHECK_OK(kl_authority_read(&set, rig.exec, &kl_authority_address, NULL, 0, true, &rig.arena,
                                   &alarm));
        CHECK_U64(alarm.halt, KL_HALT_NONE); /* made-up keys of scheme 2 are none */
        CHECK_RULE(alarm.broken, k ? KL_RULE_NONE : KL_RULE_VALSET_EMPTY);
        CHECK(!k || set.count == KL_VALIDATORS_MAX);
        rig_done(&rig);
    }
}

/* An addition: more than half agree, the candidate says that it is there, and the epoch ends. */
KL_TEST(authority_adds_whom_more_than_half_want_and_who_is_there)
{
    rig_init(&rig, KL_SCHEME_SECP256K1, KL_AUTHORITY_EJECT, 4, seed);
    const kl_address *candidate = rig_operator(&rig, 5);
    rig_refused(&rig, candidate, rig_ready(&rig, 5), "NotValidator()");
    u64 id = pass(ADD, 5, 1, 2); /* two of four are not more than half */
    rig_refused(&rig, candidate, rig_ready(&rig, 5), "NotValidator()");
    CHECK_U64(rig_number(&rig, "count()"), 4);
    rig_ok(&rig, rig_operator(&rig, 3), rig_vote(id, true));
    CHECK_U64(rig_events(&rig, "Passed(uint256)"), 1);
    CHECK_U64(rig_events(&rig, "Accepted(address,uint64,uint64)"), 1);
    rig_refused(&rig, rig_operator(&rig, 2), rig_vote(id, true), "AlreadyPassed()");
    rig_epoch(&rig);
    CHECK_U64(rig.set.count, 4); /* it has not said anything yet */
    rig_ok(&rig, candidate, rig_ready(&rig, 5));
    CHECK_U64(rig_events(&rig, "Joined(address,uint64)"), 1);
    CHECK_U64(rig_events(&rig, "Ready(address,uint64,bytes,bytes)"), 1);
    CHECK(!rig_validates(&rig, 5));
    rig_epoch(&rig);
    CHECK_U64(rig.set.count, 5);
    CHECK_U64(rig_place(&rig.set, candidate), 4);
    CHECK_U64(rig_number(&rig, "totalWeight()"), 5);
    /* an acceptance is good for one seat */
    pass(REMOVE, 5, 0, 3);
    CHECK_U64(rig_number(&rig, "totalWeight()"), 4);
    rig_refused(&rig, candidate, rig_ready(&rig, 5), "NotValidator()");
    rig_done(&rig);
}

/* Who was put off by the bound has to say again that it is there. */
KL_TEST(authority_forgets_who_was_ready_long_ago)
{
    rig_init(&rig, KL_SCHEME_KEYED_HASH, KL_AUTHORITY_EJECT, 4, seed);
    for (usize i = 5; i < 9; i++)
        pass(ADD, i, 1, 3);
    for (usize i = 5; i < 9; i++)
        rig_ok(&rig, rig_operator(&rig, i), rig_ready(&rig, i));
    for (usize want = 5; want <= 6; want++) { /* one an epoch, F being 1 */
        rig_epoch(&rig);
        CHECK_U64(rig.set.count, want);
    }
    rig_epoch(&rig);
    CHECK_U64(rig.set.count, 6);
    rig_ok(&rig, rig_operator(&rig, 8), rig_ready(&rig, 8));
    rig_epoch(&rig);
    CHECK_U64(rig.set.count, 7);
    CHECK(rig_validates(&rig, 8) && !rig_validates(&rig, 7));
    rig_done(&rig);
}

KL_TEST(authority_removes_and_forgets_the_votes_of_who_is_gone)
{
    rig_init(&rig, KL_SCHEME_KEYED_HASH, KL_AUTHORITY_EJECT, 5, seed);
    kl_span output =
        rig_ok(&rig, rig_operator(&rig, 4), rig_propose(&rig, REMOVE, 3, 0)); /* 4 against 3 */
    u64 id, first;
    CHECK_RULE(kl_abi_u64(output, 0, &id), KL_RULE_NONE);
    rig_ok(&rig, rig_operator(&rig, 2), rig_vote(id, true));
    const u64 words[] = {id};
    output = rig_ok(&rig, rig_operator(&rig, 0), rig_input("votesFor(uint256)", 1, words));
    CHECK_RULE(kl_abi_u64(output, 0, &first), KL_RULE_NONE);
    CHECK_U64(first, 2);
    pass(REMOVE, 4, 0, 3);
    CHECK_U64(rig_events(&rig, "Removed(address)"), 1);
    output = rig_ok(&rig, rig_operator(&rig, 0), rig_input("votesFor(uint256)", 1, words));
    CHECK_RULE(kl_abi_u64(output, 0, &first), KL_RULE_NONE);
    CHECK_U64(first, 1);
    rig_refused(&rig, rig_operator(&rig, 4), rig_vote(id, true), "NotValidator()");
    /* comes back: its old vote does not */
    pass(ADD, 4, 1, 3);
    rig_ok(&rig, rig_operator(&rig, 4), rig_ready(&rig, 4));
    output = rig_ok(&rig, rig_operator(&rig, 0), rig_input("votesFor(uint256)", 1, words));
    CHECK_RULE(kl_abi_u64(output, 0, &first), KL_RULE_NONE);
    CHECK_U64(first, 1);
    rig_done(&rig);
}

KL_TEST(authority_keeps_the_last_validator)
{
    rig_init(&rig, KL_SCHEME_KEYED_HASH, KL_AUTHORITY_EJECT, 2, seed);
    pass(REMOVE, 1, 0, 2);
    rig_refused(&rig, rig_operator(&rig, 0), rig_propose(&rig, REMOVE, 0, 0), "LastValidator()");
    rig_epoch(&rig);
    CHECK_U64(rig.set.count, 1);
    rig_epoch(&rig);
    CHECK(rig_validates(&rig, 0));
    rig_done(&rig);
}

KL_TEST(authority_weighs)
{
    rig_init(&rig, KL_SCHEME_KEYED_HASH, KL_AUTHORITY_EJECT, 4, seed);
    pass(WEIGH, 2, 9, 3);
    CHECK_U64(rig_events(&rig, "Weighed(address,uint64)"), 1);
    CHECK_U64(rig_number(&rig, "totalWeight()"), 12);
    rig_epoch(&rig);
    CHECK_U64(rig.set.validators[2].weight, 9);
    const kl_address *zero = rig_operator(&rig, 0);
    rig_refused(&rig, zero, rig_propose(&rig, WEIGH, 2, 0), "BadWeight()");
    rig_refused(&rig, zero, rig_propose(&rig, WEIGH, 2, KL_WEIGHT_MAX + 1), "BadWeight()");
    rig_refused(&rig, zero, rig_propose(&rig, REMOVE, 2, 1), "BadWeight()");
    rig_refused(&rig, zero, rig_propose(&rig, ADD, 6, 0), "BadWeight()");
    rig_refused(&rig, zero, rig_propose(&rig, ADD, 2, 1), "BadTarget()");
    rig_refused(&rig, zero, rig_propose(&rig, REMOVE, 6, 0), "BadTarget()");
    rig_refused(&rig, zero, rig_propose(&rig, WEIGH, 6, 1), "BadTarget()");
    rig_refused(&rig, rig_operator(&rig, 6), rig_propose(&rig, WEIGH, 2, 1), "NotValidator()");
    /* all together pass the bound only when it is decided */
    u64 id = pass(WEIGH, 1, KL_WEIGHT_MAX - 3, 2);
    rig_refused(&rig, rig_operator(&rig, 2), rig_vote(id, true), "BadWeight()");
    rig_done(&rig);
}

KL_TEST(authority_proposals_expire_and_votes_can_be_taken_back)
{
    rig_init(&rig, KL_SCHEME_KEYED_HASH, KL_AUTHORITY_EJECT, 4, seed);
    u64 week = rig_number(&rig, "LIFETIME()");
    u64 old = pass(ADD, 6, 1, 2), accepted = pass(ADD, 7, 1, 3), id = pass(ADD, 8, 1, 2);
    CHECK_U64(accepted, old + 1);
    rig_ok(&rig, rig_operator(&rig, 1), rig_vote(id, false));
    rig_ok(&rig, rig_operator(&rig, 2), rig_vote(id, true));
    CHECK_U64(rig_events(&rig, "Voted(uint256,address,bool)"), 1);
    CHECK_U64(rig_events(&rig, "Passed(uint256)"), 0);
    rig_refused(&rig, rig_operator(&rig, 2), rig_vote(id + 1, true), "NoSuchProposal()");
    rig.header.timestamp += week;
    rig_block(&rig);
    rig_refused(&rig, rig_operator(&rig, 2), rig_vote(old, true), "Expired()");
    rig_refused(&rig, rig_operator(&rig, 7), rig_ready(&rig, 7), "Expired()");
    /* who was removed and added again is another target */
    id = pass(REMOVE, 3, 0, 2);
    pass(REMOVE, 3, 0, 3);
    pass(ADD, 3, 1, 2);
    rig_ok(&rig, rig_operator(&rig, 3), rig_ready(&rig, 3));
    rig_refused(&rig, rig_operator(&rig, 2), rig_vote(id, true), "BadTarget()");
    rig_done(&rig);
}

KL_TEST(authority_rotates_keys)
{
    rig_init(&rig, KL_SCHEME_BLS12_381, KL_AUTHORITY_EJECT, 4, seed);
    kl_policy_entry old = rig.people[1];
    rig_rekey(&rig, 1, seed);
    rig_ok(&rig, rig_operator(&rig, 1), rig_ready(&rig, 1));
    CHECK(memcmp(rig.set.validators[1].key, old.validator.key, 48) == 0);
    rig_epoch(&rig);
    CHECK(memcmp(rig.set.validators[1].key, rig.people[1].validator.key, 48) == 0);
    CHECK_U64(rig_place(&rig.set, rig_operator(&rig, 1)), 1);
    /* its old key is nobody else's ever, and still its own */
    memcpy(rig.people[2].validator.key, old.validator.key, sizeof old.validator.key);
    rig_refused(&rig, rig_operator(&rig, 2), rig_ready(&rig, 2), "KeyTaken()");
    memcpy(rig.people[1].validator.key, old.validator.key, sizeof old.validator.key);
    rig_ok(&rig, rig_operator(&rig, 1), rig_ready(&rig, 1));
    /* a proof that does not hold: it is left out, and so goes */
    rig_rekey(&rig, 1, seed);
    rig.proofs[1][0][20] ^= 1;
    rig_ok(&rig, rig_operator(&rig, 1), rig_ready(&rig, 1));
    rig_epoch(&rig);
    CHECK(!rig_validates(&rig, 1));
    rig.people[1].key_proof.len = 20;
    rig_refused(&rig, rig_operator(&rig, 1), rig_ready(&rig, 1), "BadKey()");
    rig_done(&rig);
}

/* Only the protocol tells blocks and initializes, and that once. */
KL_TEST(authority_listens_to_the_protocol_alone)
{
    rig_init(&rig, KL_SCHEME_KEYED_HASH, KL_AUTHORITY_EJECT, 2, seed);
    static const kl_address system = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                       0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe}};
    const u64 block[6] = {1, 2, 3, 4, 5, 6}, list[4] = {1, 0, 96, 0};
    static const char on_block[] = "onBlock(uint64,uint64,uint64,uint64,address,bytes32)";
    static const char initialize[] =
        "initialize(uint8,uint8,(address,uint64,uint64,bytes,bytes,bytes,bytes)[])";
    rig_refused(&rig, rig_operator(&rig, 0), rig_input(on_block, 6, block), "NotSystem()");
    rig_refused(&rig, rig_operator(&rig, 0), rig_input(initialize, 4, list), "NotSystem()");
    rig_refused(&rig, &system, rig_input(initialize, 4, list), "Initialized()");
    rig_ok(&rig, &system, rig_input(on_block, 6, block));
    rig_done(&rig);
}

KL_TEST(authority_remembers_what_it_is_told)
{
    rig_init(&rig, KL_SCHEME_KEYED_HASH, KL_AUTHORITY_EJECT, 3, seed);
    kl_span genesis = rig_ok(&rig, rig_operator(&rig, 0), rig_input("genesis()", 0, NULL));
    CHECK_SPAN(genesis, KL_SPAN_OF(rig.domain.genesis_hash));
    u64 epoch, view, parent_view, time_ms;
    for (unsigned i = 0; i < 7; i++)
        rig_block(&rig);
    kl_span head = rig_ok(&rig, rig_operator(&rig, 0), rig_input("head()", 0, NULL));
    CHECK_RULE(kl_abi_u64(head, 0, &epoch), KL_RULE_NONE);
    CHECK_RULE(kl_abi_u64(head, 1, &view), KL_RULE_NONE);
    CHECK_RULE(kl_abi_u64(head, 2, &parent_view), KL_RULE_NONE);
    CHECK_RULE(kl_abi_u64(head, 3, &time_ms), KL_RULE_NONE);
    CHECK(epoch == 0 && view == 8 && parent_view == 7);
    CHECK_U64(time_ms, rig.header.timestamp * 1000);
    rig_epoch(&rig);
    kl_hash epochs[3];
    for (u64 e = 0; e < 3; e++) {
        kl_span hash = rig_ok(&rig, rig_operator(&rig, 0), rig_input("hashOf(uint64)", 1, &e));
        memcpy(epochs[e].b, hash.p, 32);
    }
    CHECK(kl_hash_eq(&epochs[0], &rig.before.hash) && kl_hash_eq(&epochs[1], &rig.set.hash));
    CHECK(kl_hash_is_zero(&epochs[2]));
    u64 ever = 0, before = 0;
    for (usize i = 0; i < 3; i++) {
        kl_out input = kl_out_of((u8[36]){0}, 36);
        kl_authority_put_function(&input, "led(address)");
        kl_abi_put_address(&input, rig_operator(&rig, i));
        kl_span led = rig_ok(&rig, rig_operator(&rig, 0), kl_out_done(&input));
        u64 words[4];
        for (usize k = 0; k < 4; k++)
            CHECK_RULE(kl_abi_u64(led, k, &words[k]), KL_RULE_NONE);
        ever += words[3];
        before += words[0] == 1 ? words[2] : words[1];
    }
    CHECK_U64(ever, 9); /* everybody's blocks are all blocks */
    CHECK_U64(before, 8);
    rig_done(&rig);
}

/* Nobody there, or somebody who answers nonsense: the set stays, and somebody is told. */
KL_TEST(authority_that_fails_keeps_the_set)
{
    kl_jaccount *account;
    kl_valset next;
    kl_authority_alarm alarm;
    bool done;
    static const struct {
        const char *code;
        bool missing;
        kl_halt halt;
        kl_rule broken;
    } rows[] = {
        {"", true, KL_HALT_NONE, KL_RULE_NONE},
        {"5f5ffd", false, KL_HALT_REVERT, KL_RULE_NONE},
        {"fe", false, KL_HALT_BAD_OPCODE, KL_RULE_NONE},
        {"5b5f56", false, KL_HALT_OUT_OF_GAS, KL_RULE_NONE},
        {"60015f55", false, KL_HALT_WRITE_PROTECTION, KL_RULE_NONE},
        {"00", false, KL_HALT_NONE, KL_RULE_ABI_SHORT},
        {"60ff5f5260605ff3", false, KL_HALT_NONE, KL_RULE_ABI_SHORT},
        {"60ff5f52604060205260605ff3", false, KL_HALT_NONE, KL_RULE_VALSET_EMPTY},
    };
    rig_init(&rig, KL_SCHEME_KEYED_HASH, KL_AUTHORITY_EJECT, 3, seed);
    struct kl_journal *journal = kl_exec_journal(rig.exec);
    for (usize i = 0; i < KL_COUNT_OF(rows); i++) {
        kl_journal_begin_tx(journal);
        CHECK_OK(kl_journal_account(journal, &kl_authority_address, &account));
        CHECK_OK(kl_journal_set_code(journal, account, kl_test_hex(rows[i].code), NULL));
        CHECK_OK(kl_journal_end_tx(journal, false));
        CHECK_OK(kl_authority_next_set(&next, rig.exec, &kl_authority_address, &rig.set, rig.epoch,
                                       true, &rig.arena, &alarm));
        CHECK(kl_authority_failed(&alarm));
        CHECK(alarm.missing == rows[i].missing);
        CHECK_U64(alarm.halt, rows[i].halt);
        CHECK_RULE(alarm.broken, rows[i].broken);
        CHECK(kl_hash_eq(&next.hash, &rig.set.hash));
        const kl_authority_block block = {.epoch = 1, .view = 1};
        CHECK_OK(kl_authority_tell(rig.exec, &kl_authority_address, &block, &done));
        CHECK(done == (rows[i].broken != KL_RULE_NONE || rows[i].halt == KL_HALT_WRITE_PROTECTION));
    }
    rig_done(&rig);
}
