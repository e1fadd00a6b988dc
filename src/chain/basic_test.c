/* The official examples in the pack's folder misc: keys, transactions and genesis blocks from
 * before there were suites. */
#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "codec/hex.h"
#include "codec/json.h"
#include "codec/rlp.h"
#include "crypto/address.h"
#include "crypto/keccak.h"
#include "trie/trie.h"
#include "types/account.h"
#include "types/header.h"
#include "types/tx.h"

static struct kl_arena arena;
static struct kl_json json;

static void open_file(const char *file)
{
    char path[4096];
    kl_rule broken;
    usize at;
    snprintf(path, sizeof path, "%s/misc/%s", kl_test_fixtures(), file);
    kl_arena_init(&arena, 1 << 24);
    CHECK_OK(kl_json_parse(&json, kl_test_file(path), 1 << 16, &arena, &broken, &at));
    CHECK_RULE(broken, KL_RULE_NONE);
}

static void close_file(const char *suite, usize count)
{
    kl_arena_done(&arena);
    CHECK(count > 0);
    kl_test_tally(suite, count, count);
}

/* A string's bytes, with or without "0x". */
static kl_span bytes(kl_json_ref object, const char *name)
{
    kl_json_ref ref = kl_json_member(&json, object, name);
    CHECK(kl_json_is(&json, ref, KL_JSON_STRING));
    kl_span text = kl_json_raw(&json, ref);
    if (text.len >= 2 && text.p[1] == 'x')
        text = kl_span_sub(text, 2, SIZE_MAX);
    u8 *out = KL_TAKE(&arena, u8, text.len / 2 + 1);
    CHECK(out && text.len % 2 == 0);
    CHECK_RULE(kl_hex_parse(out, text.len / 2, text), KL_RULE_NONE);
    return kl_span_of(out, text.len / 2);
}

/* A big-endian number; "0x" is 0. */
static kl_u256 number(kl_json_ref object, const char *name)
{
    kl_json_ref ref = kl_json_member(&json, object, name);
    kl_span text = kl_json_raw(&json, ref);
    kl_u256 v = KL_U256_ZERO;
    for (usize i = 2; i < text.len; i++) {
        u8 c = text.p[i], digit = (u8)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
        v = kl_u256_add(kl_u256_shl(v, 4), kl_u256_of(digit));
    }
    return v;
}

static kl_u256 decimal(kl_json_ref object, const char *name)
{
    kl_u256 v;
    kl_json_ref ref = kl_json_member(&json, object, name);
    CHECK(kl_json_is(&json, ref, KL_JSON_STRING));
    CHECK(kl_u256_from_decimal(&v, kl_json_raw(&json, ref)));
    return v;
}

static u64 integer(kl_json_ref object, const char *name)
{
    u64 v;
    CHECK(kl_json_number_u64(&v, &json, kl_json_member(&json, object, name)));
    return v;
}

static kl_address account_of(kl_json_ref test)
{
    KL_SECRET secret;
    kl_pubkey pubkey;
    kl_span key = bytes(test, "key");
    CHECK(key.len == 32);
    memcpy(secret.b, key.p, 32);
    CHECK(kl_secp256k1_pubkey(&pubkey, &secret));
    return kl_address_of_pubkey(&pubkey);
}

/* The seed is the key's preimage.  Of what the file's signature is, nothing says: not of the hash
 * of nothing, which its name means. */
static void check_key(kl_json_ref test)
{
    kl_hash key = kl_keccak256(kl_json_raw(&json, kl_json_member(&json, test, "seed")));
    kl_address account = account_of(test);
    CHECK_SPAN(bytes(test, "key"), kl_hash_span(&key));
    CHECK_SPAN(kl_address_span(&account), bytes(test, "addr"));
}

KL_TEST(basic_keys)
{
    usize count = 0;
    open_file("BasicTests/keyaddrtest.json");
    for (kl_json_ref t = kl_json_first(&json, 0); t != KL_JSON_NONE;
         t = kl_json_after(&json, 0, t), count++)
        check_key(t);
    close_file("misc/BasicTests/keyaddrtest.json", count);
}

static void check_tx(kl_json_ref test)
{
    kl_tx tx;
    kl_rule broken;
    kl_address signer = account_of(test);
    kl_span signed_tx = bytes(test, "signed"), to = bytes(test, "to");
    CHECK_OK(kl_tx_decode(&tx, signed_tx, KL_FRONTIER, &arena, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    CHECK_RULE(kl_tx_recover(&tx, KL_FRONTIER), KL_RULE_NONE);
    CHECK_SPAN(kl_address_span(&tx.sender), kl_address_span(&signer));
    CHECK_U64(tx.nonce, integer(test, "nonce"));
    CHECK_U64(tx.max_fee.w[0], integer(test, "gasprice"));
    CHECK_U64(tx.gas_limit, integer(test, "startgas"));
    CHECK_U64(tx.value.w[0], integer(test, "value"));
    CHECK(tx.has_to == (to.len == 20) && (!tx.has_to || kl_span_eq(to, kl_address_span(&tx.to))));
    CHECK_SPAN(tx.data, bytes(test, "data"));
    u8 again[512];
    kl_out out = kl_out_of(again, sizeof again);
    kl_tx_encode(&out, &tx);
    CHECK_SPAN(kl_out_done(&out), signed_tx);
}

KL_TEST(basic_transactions)
{
    usize count = 0;
    open_file("BasicTests/txtest.json");
    for (kl_json_ref t = kl_json_first(&json, 0); t != KL_JSON_NONE;
         t = kl_json_after(&json, 0, t), count++)
        check_tx(t);
    close_file("misc/BasicTests/txtest.json", count);
}

/* The header of a block without a body, [header, [], []], which it must write again. */
static kl_header header_of(kl_span block)
{
    kl_rlp items, inner;
    kl_header header;
    u8 again[KL_HEADER_RLP_MAX];
    CHECK_RULE(kl_rlp_open(&items, block), KL_RULE_NONE);
    kl_span start = items.rest;
    CHECK_RULE(kl_rlp_list(&items, &inner), KL_RULE_NONE);
    kl_span bytes_of = kl_span_sub(start, 0, start.len - items.rest.len);
    CHECK_SPAN(items.rest, KL_SPAN_TEXT("\xc0\xc0"));
    CHECK_RULE(kl_header_decode(&header, bytes_of), KL_RULE_NONE);
    kl_out out = kl_out_of(again, sizeof again);
    kl_header_encode(&out, &header);
    CHECK_SPAN(kl_out_done(&out), bytes_of);
    return header;
}

/* Mainnet's. */
KL_TEST(basic_genesis_hash)
{
    open_file("BasicTests/genesishashestest.json");
    kl_header header = header_of(bytes(0, "genesis_rlp_hex"));
    kl_hash hash = kl_header_hash(&header);
    CHECK_SPAN(kl_hash_span(&hash), bytes(0, "genesis_hash"));
    CHECK_SPAN(kl_hash_span(&header.state_root), bytes(0, "genesis_state_root"));
    close_file("misc/BasicTests/genesishashestest.json", 1);
}

enum { ACCOUNTS_MAX = 16 };

static kl_span encoded(kl_u256 v)
{
    u8 *room = KL_TAKE(&arena, u8, 33);
    CHECK(room);
    kl_out out = kl_out_of(room, 33);
    kl_rlp_put_u256(&out, v);
    return kl_out_done(&out);
}

static kl_hash storage_root(kl_json_ref storage)
{
    kl_trie_pair pairs[ACCOUNTS_MAX];
    kl_hash keys[ACCOUNTS_MAX], root;
    usize count = 0;
    for (kl_json_ref n = kl_json_first(&json, storage); n != KL_JSON_NONE; count++) {
        char name[80];
        kl_u256 key;
        CHECK(count < ACCOUNTS_MAX);
        snprintf(name, sizeof name, "%.*s", (int)kl_json_raw(&json, n).len,
                 (const char *)kl_json_raw(&json, n).p);
        key = kl_u256_of(strtoull(name, NULL, 16));
        kl_hash slot = kl_u256_to_hash(key);
        keys[count] = kl_keccak256(kl_hash_span(&slot));
        pairs[count] = (kl_trie_pair){kl_hash_span(&keys[count]), encoded(number(storage, name))};
        n = kl_json_after(&json, storage, kl_json_value(n));
    }
    CHECK_OK(kl_trie_map_root(&root, pairs, count, &arena));
    return root;
}

static kl_span account_rlp(kl_json_ref entry)
{
    kl_account account = kl_account_none();
    u8 *room = KL_TAKE(&arena, u8, KL_ACCOUNT_RLP_MAX);
    CHECK(room);
    bool has_balance = kl_json_member(&json, entry, "balance") != KL_JSON_NONE;
    if (has_balance || kl_json_member(&json, entry, "wei") != KL_JSON_NONE)
        account.balance = decimal(entry, has_balance ? "balance" : "wei");
    if (kl_json_member(&json, entry, "code") != KL_JSON_NONE)
        account.code_hash = kl_keccak256(bytes(entry, "code"));
    kl_json_ref storage = kl_json_member(&json, entry, "storage");
    if (storage != KL_JSON_NONE)
        account.storage_root = storage_root(storage);
    kl_out out = kl_out_of(room, KL_ACCOUNT_RLP_MAX);
    kl_account_encode(&out, &account);
    return kl_out_done(&out);
}

static kl_hash state_root(kl_json_ref alloc)
{
    kl_trie_pair pairs[ACCOUNTS_MAX];
    kl_hash keys[ACCOUNTS_MAX], root;
    usize count = 0;
    for (kl_json_ref n = kl_json_first(&json, alloc); n != KL_JSON_NONE; count++) {
        kl_address address;
        CHECK(count < ACCOUNTS_MAX);
        CHECK_RULE(kl_hex_parse(address.b, sizeof address.b, kl_json_raw(&json, n)), KL_RULE_NONE);
        keys[count] = kl_keccak256(kl_address_span(&address));
        pairs[count] = (kl_trie_pair){kl_hash_span(&keys[count]), account_rlp(kl_json_value(n))};
        n = kl_json_after(&json, alloc, kl_json_value(n));
    }
    CHECK_OK(kl_trie_map_root(&root, pairs, count, &arena));
    return root;
}

static void check_genesis(kl_json_ref test)
{
    kl_header header = header_of(bytes(test, "result"));
    kl_hash root = state_root(kl_json_member(&json, test, "alloc"));
    CHECK_SPAN(kl_hash_span(&header.state_root), kl_hash_span(&root));
    CHECK_SPAN(kl_hash_span(&header.parent_hash), bytes(test, "parentHash"));
    CHECK_SPAN(kl_hash_span(&header.mix_hash), bytes(test, "mixHash"));
    CHECK_SPAN(kl_address_span(&header.coinbase), bytes(test, "coinbase"));
    CHECK_SPAN(kl_span_of(header.nonce, 8), bytes(test, "nonce"));
    CHECK_SPAN(kl_span_of(header.extra_data, header.extra_len), bytes(test, "extraData"));
    CHECK_U64(header.gas_limit, number(test, "gasLimit").w[0]);
    CHECK_U64(header.timestamp, number(test, "timestamp").w[0]);
    CHECK(kl_u256_eq(header.difficulty, number(test, "difficulty")));
}

KL_TEST(basic_genesis_blocks)
{
    usize count = 0;
    open_file("GenesisTests/basic_genesis_tests.json");
    for (kl_json_ref n = kl_json_first(&json, 0); n != KL_JSON_NONE;
         n = kl_json_after(&json, 0, kl_json_value(n)), count++)
        check_genesis(kl_json_value(n));
    close_file("misc/GenesisTests", count);
}
