#include "types/tx.h"

#include "base/test.h"
#include "codec/rlp.h"
#include "crypto/keccak.h"
#include "types/random_test.h"
#include "types/senders.h"

/* Two transactions with the same fields, those that come from the envelope. */
static void check_same(const kl_tx *a, const kl_tx *b)
{
    CHECK(a->type == b->type && a->has_to == b->has_to && a->replay_safe == b->replay_safe);
    CHECK(a->chain_id == b->chain_id && a->nonce == b->nonce && a->gas_limit == b->gas_limit);
    CHECK(kl_u256_eq(a->max_fee, b->max_fee) && kl_u256_eq(a->value, b->value));
    CHECK(kl_u256_eq(a->max_priority_fee, b->max_priority_fee));
    CHECK(kl_u256_eq(a->max_blob_fee, b->max_blob_fee));
    CHECK(kl_address_eq(&a->to, &b->to) && kl_span_eq(a->data, b->data));
    CHECK(a->access_count == b->access_count && a->blob_count == b->blob_count);
    CHECK(a->authorization_count == b->authorization_count);
    CHECK(a->signature.y_parity == b->signature.y_parity);
    CHECK(kl_u256_eq(a->signature.r, b->signature.r));
    CHECK(kl_hash_eq(&a->hash, &b->hash));
}

/* Property: what is signed decodes to the same fields, writes back to the same bytes, and gives the
 * signer and the authorities. */
KL_TEST(tx_sign_decode_recover_round_trip)
{
    struct kl_arena arena;
    kl_arena_init(&arena, 1 << 24);
    for (int i = 0; i < 400; i++) {
        kl_arena_reset(&arena, 1 << 20);
        u8 type = (u8)kl_rand_below(seed, 5), room[8192];
        kl_secret32 key = random_key(seed);
        kl_tx tx = random_tx(seed, type, &key, &arena), back;
        kl_rule broken;
        CHECK_OK(kl_tx_decode(&back, tx.raw, KL_FORK_NEWEST, &arena, &broken));
        CHECK_RULE(broken, KL_RULE_NONE);
        check_same(&back, &tx);
        kl_out out = kl_out_of(room, sizeof room);
        kl_tx_encode(&out, &back);
        CHECK_SPAN(kl_out_done(&out), tx.raw);
        CHECK(!back.has_sender);
        CHECK_RULE(kl_tx_recover(&back, KL_FORK_NEWEST), KL_RULE_NONE);
        kl_address signer = address_of_key(&key);
        CHECK(tx.has_sender && kl_address_eq(&tx.sender, &signer));
        CHECK(back.has_sender && kl_address_eq(&back.sender, &signer));
        for (usize k = 0; k < tx.authorization_count; k++) {
            CHECK(back.authorizations[k].has_authority && tx.authorizations[k].has_authority);
            CHECK(
                kl_address_eq(&back.authorizations[k].authority, &tx.authorizations[k].authority));
        }
    }
    kl_arena_done(&arena);
}

/* Property: whatever damage a decoded envelope has survived, it writes back to the same bytes. */
KL_TEST(tx_has_no_second_encoding)
{
    struct kl_arena arena;
    kl_arena_init(&arena, 1 << 24);
    unsigned decoded = 0, refused = 0;
    for (int i = 0; i < 300; i++) {
        kl_arena_reset(&arena, 1 << 20);
        kl_secret32 key = random_key(seed);
        kl_tx tx = random_tx(seed, (u8)kl_rand_below(seed, 5), &key, &arena), back;
        kl_arena_mark mark = kl_arena_here(&arena);
        for (int hit = 0; hit < 300; hit++) {
            static const u8 edges[] = {0, 1, 0x7f, 0x80, 0x81, 0xb8, 0xc0, 0xc1, 0xf8, 27, 28, 37};
            static u8 bytes[8192], room[8192];
            kl_rule broken;
            CHECK(tx.raw.len <= sizeof bytes);
            memcpy(bytes, tx.raw.p, tx.raw.len);
            for (u64 n = 1 + kl_rand_below(seed, 2); n-- > 0;)
                bytes[kl_rand_below(seed, tx.raw.len)] =
                    kl_rand(seed) & 1 ? edges[kl_rand_below(seed, sizeof edges)]
                                      : (u8)kl_rand(seed);
            kl_arena_rewind(&arena, mark);
            CHECK_OK(kl_tx_decode(&back, kl_span_of(bytes, tx.raw.len), KL_FORK_NEWEST, &arena,
                                  &broken));
            refused += broken != KL_RULE_NONE;
            if (broken != KL_RULE_NONE)
                continue;
            decoded++;
            kl_out out = kl_out_of(room, sizeof room);
            kl_tx_encode(&out, &back);
            CHECK_SPAN(kl_out_done(&out), kl_span_of(bytes, tx.raw.len));
        }
    }
    CHECK(decoded > 10000 && refused > 10000);
    kl_arena_done(&arena);
}

/* The example of EIP-155. */
KL_TEST(tx_signs_as_eip_155_shows)
{
    struct kl_arena arena;
    kl_arena_init(&arena, 1 << 20);
    kl_secret32 key;
    memset(&key, 0x46, sizeof key);
    kl_tx tx = {.nonce = 9, .gas_limit = 21000, .has_to = true, .replay_safe = true, .chain_id = 1};
    tx.max_fee = tx.max_priority_fee = kl_u256_of(20000000000);
    tx.value = kl_u256_of(1000000000000000000);
    memset(&tx.to, 0x35, sizeof tx.to);
    kl_hash hash;
    CHECK_OK(kl_tx_signing_hash(&hash, &tx, &arena));
    CHECK_HEX(kl_hash_span(&hash),
              "daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53");
    CHECK_OK(kl_tx_sign(&tx, &key, &arena));
    CHECK_HEX(tx.raw, "f86c098504a817c800825208943535353535353535353535353535353535353535880de0"
                      "b6b3a76400008025a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620"
                      "aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83");
    kl_arena_done(&arena);
}

/* The hash that is signed, taken from the envelope, is that of the fields written out. */
KL_TEST(tx_signing_hash_is_that_of_the_unsigned_fields)
{
    struct kl_arena arena;
    kl_arena_init(&arena, 1 << 20);
    kl_secret32 key = random_key(seed);
    kl_tx tx = random_tx(seed, KL_TX_ACCESS_LIST, &key, &arena);
    u8 room[8192];
    kl_out out = kl_out_of(room, sizeof room);
    kl_rlp items;
    CHECK_RULE(kl_rlp_open(&items, kl_span_sub(tx.raw, 1, tx.raw.len)), KL_RULE_NONE);
    kl_out_u8(&out, 1);
    kl_rlp_mark list = kl_rlp_put_begin(&out);
    for (int i = 0; i < 8; i++) {
        kl_span item;
        bool is_list;
        CHECK_RULE(kl_rlp_item(&items, &item, &is_list), KL_RULE_NONE);
        kl_out_span(&out, item);
    }
    /* The mark stands behind the type byte, so the list's header goes there too. */
    kl_rlp_put_end(&out, list);
    kl_hash want = kl_keccak256(kl_out_done(&out)), got;
    CHECK_OK(kl_tx_signing_hash(&got, &tx, &arena));
    CHECK(kl_hash_eq(&got, &want));
    struct kl_arena none;
    kl_arena_init(&none, 0);
    CHECK(kl_tx_signing_hash(&got, &tx, &none) == KL_NOMEM);
    CHECK(kl_tx_sign(&tx, &key, &none) == KL_NOMEM);
    kl_arena_done(&arena);
}

/* s in the upper half signs as well in Frontier, and nowhere after it. */
KL_TEST(tx_high_s_is_frontiers)
{
    struct kl_arena arena;
    kl_arena_init(&arena, 1 << 20);
    kl_secret32 key = random_key(seed);
    kl_tx tx;
    do
        tx = random_tx(seed, KL_TX_LEGACY, &key, &arena);
    while (tx.replay_safe);
    kl_address signer = tx.sender;
    tx.signature.s = kl_u256_sub(kl_secp256k1_n, tx.signature.s);
    tx.signature.y_parity ^= 1;
    u8 room[1024];
    kl_out out = kl_out_of(room, sizeof room);
    kl_tx_encode(&out, &tx);
    for (kl_fork fork = KL_FRONTIER; fork <= KL_SPURIOUS; fork++) {
        kl_tx back;
        kl_rule broken;
        CHECK_OK(kl_tx_decode(&back, kl_out_done(&out), fork, &arena, &broken));
        CHECK_RULE(broken, KL_RULE_NONE);
        CHECK_RULE(kl_tx_recover(&back, fork),
                   fork == KL_FRONTIER ? KL_RULE_NONE : KL_RULE_TX_SIGNATURE);
        CHECK(back.has_sender == (fork == KL_FRONTIER));
        CHECK(fork > KL_FRONTIER || kl_address_eq(&back.sender, &signer));
    }
    kl_arena_done(&arena);
}

/* A tuple with a bad signature only lacks its authority [EIP-7702]. */
KL_TEST(tx_bad_authorizations_have_no_authority)
{
    struct kl_arena arena;
    kl_arena_init(&arena, 1 << 20);
    kl_secret32 key = random_key(seed);
    kl_tx tx;
    do
        tx = random_tx(seed, KL_TX_SET_CODE, &key, &arena);
    while (tx.authorization_count == 0);
    kl_authorization good = tx.authorizations[0];
    for (int fault = 0; fault < 4; fault++) {
        kl_authorization *a = &tx.authorizations[0];
        *a = good;
        if (fault == 0)
            a->signature.y_parity = 2;
        else if (fault == 1)
            a->signature.s = kl_u256_sub(kl_secp256k1_n, a->signature.s);
        else if (fault == 2)
            a->signature.r = KL_U256_ZERO;
        else
            a->signature.s = KL_U256_MAX;
        CHECK_OK(kl_tx_sign(&tx, &key, &arena));
        CHECK(!a->has_authority && tx.has_sender);
        kl_tx back;
        kl_rule broken;
        CHECK_OK(kl_tx_decode(&back, tx.raw, KL_PRAGUE, &arena, &broken));
        CHECK_RULE(broken, KL_RULE_NONE);
        CHECK_RULE(kl_tx_recover(&back, KL_PRAGUE), KL_RULE_NONE);
        CHECK(!back.authorizations[0].has_authority);
    }
    kl_arena_done(&arena);
}

KL_TEST(tx_types_begin_with_their_forks)
{
    static const kl_fork since[] = {KL_FRONTIER, KL_BERLIN, KL_LONDON, KL_CANCUN, KL_PRAGUE};
    struct kl_arena arena;
    kl_arena_init(&arena, 1 << 22);
    for (u8 type = 0; type < 5; type++) {
        kl_secret32 key = random_key(seed);
        kl_tx tx = random_tx(seed, type, &key, &arena), back;
        for (kl_fork fork = KL_FRONTIER; fork < KL_FORK_COUNT; fork++) {
            kl_rule broken, want = fork >= since[type] ? KL_RULE_NONE : KL_RULE_TX_TYPE;
            if (type == 0 && tx.replay_safe && fork < KL_SPURIOUS)
                want = KL_RULE_TX_SIGNATURE;
            CHECK_OK(kl_tx_decode(&back, tx.raw, fork, &arena, &broken));
            CHECK_RULE(broken, want);
            CHECK(kl_tx_type_known(type, fork) == (fork >= since[type]));
        }
    }
    kl_tx tx;
    kl_rule broken;
    for (unsigned first = 0; first < 256; first++) {
        u8 bytes[2] = {(u8)first, 0xc0};
        CHECK_OK(kl_tx_decode(&tx, KL_SPAN_OF(bytes), KL_FORK_NEWEST, &arena, &broken));
        CHECK((broken == KL_RULE_TX_TYPE) == (first == 0 || (first > 4 && first < 0xc0)));
    }
    CHECK_OK(kl_tx_decode(&tx, KL_SPAN_NONE, KL_FORK_NEWEST, &arena, &broken));
    CHECK_RULE(broken, KL_RULE_RLP_SHORT);
    kl_arena_done(&arena);
}

/* Chain ids up to 64 bits fit v = 35 + 2 * id + parity; one more does not. */
KL_TEST(tx_legacy_v_covers_every_chain_id)
{
    static const struct {
        const char *v;
        kl_rule rule;
        u64 chain_id;
    } cases[] = {
        {"80", KL_RULE_TX_SIGNATURE, 0},
        {"01", KL_RULE_TX_SIGNATURE, 0},
        {"1a", KL_RULE_TX_CHAIN_ID, 0},
        {"1b", KL_RULE_NONE, 0},
        {"1c", KL_RULE_NONE, 0},
        {"1d", KL_RULE_TX_CHAIN_ID, 0},
        {"22", KL_RULE_TX_CHAIN_ID, 0},
        {"23", KL_RULE_NONE, 0},
        {"26", KL_RULE_NONE, 1},
        {"8902 0000000000000021", KL_RULE_NONE, UINT64_MAX},
        {"8902 0000000000000022", KL_RULE_NONE, UINT64_MAX},
        {"8902 0000000000000023", KL_RULE_TX_CHAIN_ID, 0},
        {"a1 01 0000000000000000 0000000000000000 0000000000000000 0000000000000000",
         KL_RULE_TX_CHAIN_ID, 0},
        {"82 0025", KL_RULE_RLP_INTEGER, 0},
        {"c0", KL_RULE_RLP_KIND, 0},
    };
    struct kl_arena arena;
    kl_arena_init(&arena, 1 << 20);
    for (usize i = 0; i < KL_COUNT_OF(cases); i++) {
        u8 room[100];
        kl_out out = kl_out_of(room, sizeof room);
        kl_rlp_mark list = kl_rlp_put_begin(&out);
        kl_out_span(&out, kl_test_hex("80 80 80 80 80 80"));
        kl_out_span(&out, kl_test_hex(cases[i].v));
        kl_out_span(&out, kl_test_hex("01 01"));
        kl_rlp_put_end(&out, list);
        kl_tx tx;
        kl_rule broken;
        CHECK_OK(kl_tx_decode(&tx, kl_out_done(&out), KL_SPURIOUS, &arena, &broken));
        CHECK_RULE(broken, cases[i].rule);
        if (broken == KL_RULE_NONE)
            CHECK_U64(tx.chain_id, cases[i].chain_id);
    }
    kl_arena_done(&arena);
}

/* Two signatures, each bad in its own way: what decodes is refused later. */
KL_TEST(tx_decode_refuses_bad_forms)
{
    static const struct {
        const char *hex;
        kl_rule rule;
    } cases[] = {
        {"01 cb 80 80 80 80 80 80 80 c0 80 01 01", KL_RULE_NONE},
        {"01 cb 80 80 80 80 80 80 80 c0 01 01 01", KL_RULE_NONE},
        {"01 cb 80 80 80 80 80 80 80 c0 02 01 01", KL_RULE_TX_SIGNATURE},
        {"01 cb 80 80 80 80 80 80 80 80 80 01 01", KL_RULE_RLP_KIND},
        {"01 cc 80 80 80 80 80 80 80 c1 80 80 01 01", KL_RULE_RLP_LENGTH},
        {"01 cc 80 80 80 80 80 80 80 c0 80 01 01 80", KL_RULE_RLP_COUNT},
        {"01 ca 80 80 80 80 80 80 80 c0 80 01", KL_RULE_RLP_COUNT},
        {"01 cb 80 80 80 80 80 80 80 c0 80 01 01 00", KL_RULE_RLP_TRAILING},
        {"03 ce 80 80 80 80 80 80 80 80 c0 80 c0 80 01 01", KL_RULE_TX_BLOB_CREATE},
        {"04 cd 80 80 80 80 80 80 80 80 c0 c0 80 01 01", KL_RULE_TX_AUTH_CREATE},
        {"02 d5 89010000000000000000 80 80 80 80 80 80 80 c0 80 01 01", KL_RULE_TX_CHAIN_ID},
        {"c9 80 80 80 80 80 80 1b 01 00", KL_RULE_RLP_INTEGER},
        {"c0", KL_RULE_RLP_COUNT},
    };
    struct kl_arena arena;
    kl_arena_init(&arena, 1 << 20);
    for (usize i = 0; i < KL_COUNT_OF(cases); i++) {
        kl_tx tx;
        kl_rule broken;
        CHECK_OK(kl_tx_decode(&tx, kl_test_hex(cases[i].hex), KL_FORK_NEWEST, &arena, &broken));
        CHECK_RULE(broken, cases[i].rule);
    }
    kl_arena_done(&arena);
}

/* Lists of items too short to be any do not get memory for them. */
KL_TEST(tx_decode_takes_no_memory_for_rubbish)
{
    static u8 room[1 << 20];
    kl_out out = kl_out_of(room, sizeof room);
    kl_out_u8(&out, 1);
    kl_rlp_mark list = kl_rlp_put_begin(&out);
    kl_out_span(&out, kl_test_hex("80 80 80 80 80 80 80"));
    kl_rlp_mark access = kl_rlp_put_begin(&out);
    while (out.len < sizeof room - 100)
        kl_out_u8(&out, 0xc0);
    kl_rlp_put_end(&out, access);
    kl_out_span(&out, kl_test_hex("80 01 01"));
    kl_rlp_put_end(&out, list);
    CHECK(!out.full);
    struct kl_arena arena;
    kl_arena_init(&arena, 1 << 16);
    kl_tx tx;
    kl_rule broken;
    CHECK_OK(kl_tx_decode(&tx, kl_out_done(&out), KL_BERLIN, &arena, &broken));
    CHECK_RULE(broken, KL_RULE_RLP_LENGTH);
    CHECK_U64(arena.held, 0);
    kl_arena_done(&arena);
}

/* Every limit of the arena either suffices or gives KL_NOMEM. */
KL_TEST(tx_decode_out_of_memory_is_a_status)
{
    struct kl_arena arena;
    kl_arena_init(&arena, 1 << 22);
    kl_secret32 key = random_key(seed);
    kl_tx tx;
    do
        tx = random_tx(seed, KL_TX_SET_CODE, &key, &arena);
    while (tx.authorization_count == 0 || tx.access_count == 0);
    bool was_enough = false;
    for (usize limit = 0; limit < 40000; limit += 500) {
        struct kl_arena small;
        kl_arena_init(&small, limit);
        kl_tx back;
        kl_rule broken = KL_RULE_COUNT;
        kl_status status = kl_tx_decode(&back, tx.raw, KL_PRAGUE, &small, &broken);
        CHECK(status == KL_NOMEM ? !was_enough : status == KL_OK && broken == KL_RULE_NONE);
        was_enough = status == KL_OK;
        kl_arena_done(&small);
    }
    CHECK(was_enough);
    kl_arena_done(&arena);
}

/* Workers that run the parts backwards. */
static void run_backwards(struct kl_workers *workers, void (*part)(void *ctx, usize index),
                          void *ctx, usize count)
{
    (void)workers;
    while (count-- > 0)
        part(ctx, count);
}

KL_TEST(tx_recover_all_agrees_with_one_by_one)
{
    struct kl_arena arena;
    kl_arena_init(&arena, 1 << 22);
    static kl_tx txs[40], alone[40];
    kl_rule broken[40];
    for (usize i = 0; i < KL_COUNT_OF(txs); i++) {
        kl_secret32 key = random_key(seed);
        kl_tx tx = random_tx(seed, (u8)kl_rand_below(seed, 5), &key, &arena);
        u8 *bytes = KL_TAKE(&arena, u8, tx.raw.len);
        memcpy(bytes, tx.raw.p, tx.raw.len);
        if (i % 3 == 0)
            bytes[tx.raw.len - 1] ^= 1; /* another signature: another sender, or none */
        kl_rule rule;
        CHECK_OK(kl_tx_decode(&txs[i], kl_span_of(bytes, tx.raw.len), KL_PRAGUE, &arena, &rule));
        CHECK_RULE(rule, KL_RULE_NONE);
        alone[i] = txs[i];
    }
    txs[1].has_sender = true; /* left alone */
    struct kl_workers workers = {.run = run_backwards, .threads = 1};
    kl_senders_recover_all(NULL, txs, broken, KL_COUNT_OF(txs), KL_PRAGUE, &workers);
    CHECK_RULE(broken[1], KL_RULE_NONE);
    CHECK(kl_address_is_zero(&txs[1].sender));
    for (usize i = 0; i < KL_COUNT_OF(txs); i++) {
        CHECK(i == 1 || kl_tx_recover(&alone[i], KL_PRAGUE) == broken[i]);
        CHECK(i == 1 || txs[i].has_sender == alone[i].has_sender);
        CHECK(i == 1 || kl_address_eq(&txs[i].sender, &alone[i].sender));
    }
    kl_senders_recover_all(NULL, txs, broken, KL_COUNT_OF(txs), KL_PRAGUE, NULL);
    kl_arena_done(&arena);
}

KL_TEST(tx_gas_price_is_capped_by_the_fee)
{
    static const u64 cases[][4] = {
        /* base, fee, tip, price */
        {10, 100, 5, 15}, {10, 12, 5, 12}, {10, 10, 5, 10}, {0, 7, 7, 7}, {10, 50, 50, 50},
    };
    for (usize i = 0; i < KL_COUNT_OF(cases); i++) {
        kl_tx tx = {.max_fee = kl_u256_of(cases[i][1]),
                    .max_priority_fee = kl_u256_of(cases[i][2])};
        CHECK_U64(kl_u256_sat_u64(kl_tx_gas_price(&tx, kl_u256_of(cases[i][0]))), cases[i][3]);
    }
    kl_tx most = {.max_fee = KL_U256_MAX, .max_priority_fee = KL_U256_MAX};
    CHECK(kl_u256_eq(kl_tx_gas_price(&most, KL_U256_ONE), KL_U256_MAX));
}
