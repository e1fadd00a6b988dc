/* fuzz_gen: the world, the transaction and the environment of a generated test. */
#include "cli/fuzz_gen.h"

#include "crypto/address.h"
#include "evm/precompile.h"

enum { SLOTS_MAX = 4, ACCESS_MAX = 4, AUTHORIZATIONS_MAX = 4, BLOBS_MAX = 3, DATA_MAX = 96 };

#define GWEI        UINT64_C(1000000000)
#define BLOCK_GAS   UINT64_C(100000000)
#define RICH        (UINT64_C(1000000) * GWEI)
#define BLOB_GAS_HI UINT64_C(40000000) /* of excess: a blob's gas costs thousands of wei */

kl_u256 kl_fuzz_word(struct kl_fuzz *f)
{
    kl_u256 v;
    u64 bits = kl_fuzz_below(f, 257);
    switch (kl_fuzz_below(f, 9)) {
    case 0:
    case 1:
        return kl_u256_of(kl_fuzz_below(f, 4));
    case 2:
        return kl_u256_of(kl_fuzz_below(f, 300));
    case 3:
        return kl_u256_shl(KL_U256_ONE, bits);
    case 4:
        return kl_u256_sub(kl_u256_shl(KL_U256_ONE, bits), KL_U256_ONE);
    case 5:
        return kl_u256_sub(KL_U256_ZERO, kl_u256_of(kl_fuzz_below(f, 5)));
    case 6:
        return kl_u256_sub(KL_U256_ZERO, kl_u256_shl(KL_U256_ONE, bits));
    case 7:
        return kl_u256_from_address(kl_fuzz_place(f));
    default:
        kl_rand_fill(&f->rand, &v, sizeof v);
        return kl_u256_shr(v, kl_fuzz_below(f, 256));
    }
}

const kl_address *kl_fuzz_place(struct kl_fuzz *f)
{
    return &f->place[kl_fuzz_below(f, f->places)];
}

static void note(struct kl_fuzz *f, kl_address address)
{
    if (f->places < KL_FUZZ_PLACES)
        f->place[f->places++] = address;
}

static kl_address address_of(const kl_secret32 *key)
{
    kl_pubkey public;
    KL_ASSERT(kl_secp256k1_pubkey(&public, key));
    return kl_address_of_pubkey(&public);
}

static void name_places(struct kl_fuzz *f, kl_fuzz_case *c)
{
    usize cursor = 0;
    kl_address address;
    f->contracts = 2 + kl_fuzz_below(f, KL_FUZZ_CONTRACTS - 1);
    for (usize i = 0; i < f->contracts; i++) {
        f->contract[i] = (kl_address){.b = {[18] = 0x10, [19] = (u8)i}};
        note(f, f->contract[i]);
    }
    for (usize i = 0; i < KL_FUZZ_OWNERS; i++) {
        f->owner_key[i] = (kl_secret32){.b[31] = (u8)(i + 2)};
        f->owner[i] = address_of(&f->owner_key[i]);
        note(f, f->owner[i]);
    }
    c->key = (kl_secret32){.b[31] = 1};
    f->sender = address_of(&c->key);
    note(f, f->sender);
    note(f, c->env.coinbase);
    note(f, (kl_address){.b[19] = 0x12});               /* nobody */
    note(f, (kl_address){.b = {0xde, 0xad, [19] = 1}}); /* nobody either */
    note(f, kl_address_of_create(&f->contract[0], 1));
    note(f, kl_address_of_create(&f->contract[1], 1));
    while (kl_precompile_next(f->fork, &cursor, &address))
        note(f, address);
}

static kl_status put_storage(struct kl_fuzz *f, kl_alloc *a)
{
    kl_hash *keys = KL_ZERO(f->arena, kl_hash, SLOTS_MAX);
    kl_u256 *values = KL_ZERO(f->arena, kl_u256, SLOTS_MAX);
    if (!keys || !values)
        return KL_NOMEM;
    for (u8 i = 0; i < SLOTS_MAX; i++) {
        if (kl_fuzz_one_in(f, 2))
            continue;
        keys[a->slot_count].b[31] = i;
        values[a->slot_count++] = kl_u256_of(1 + kl_fuzz_below(f, 2));
    }
    a->keys = keys;
    a->values = values;
    return KL_OK;
}

static kl_status delegate(struct kl_fuzz *f, kl_alloc *a, const kl_address *to)
{
    u8 *code = KL_TAKE(f->arena, u8, 23);
    if (!code)
        return KL_NOMEM;
    memcpy(code, "\xef\x01", 3); /* EIP-7702: 0xef0100, address */
    memcpy(code + 3, to->b, sizeof to->b);
    a->code = kl_span_of(code, 23);
    return KL_OK;
}

static kl_alloc *add(struct kl_fuzz *f, kl_fuzz_case *c, kl_address address)
{
    kl_alloc *a = &c->alloc[c->alloc_count++];
    *a = (kl_alloc){.address = address, .balance = kl_u256_of(kl_fuzz_below(f, 4))};
    return a;
}

static kl_status people_world(struct kl_fuzz *f, kl_fuzz_case *c)
{
    static const u64 allowances[] = {0, 0, 0, 1, 63, 64, 100, 700, 2300, 10000};
    kl_alloc *a = add(f, c, f->sender);
    a->balance = kl_u256_of(RICH);
    a->nonce = c->tx.nonce;
    for (usize i = 0; i < KL_FUZZ_OWNERS; i++) {
        if (kl_fuzz_one_in(f, 3))
            continue;
        a = add(f, c, f->owner[i]);
        a->nonce = kl_fuzz_below(f, 3);
        if (c->fork >= KL_PRAGUE && kl_fuzz_one_in(f, 2))
            KL_TRY(delegate(f, a, kl_fuzz_place(f)));
        if (a->code.len && kl_fuzz_one_in(f, 2))
            KL_TRY(put_storage(f, a));
        if (a->nonce == 0 && a->code.len == 0)
            a->balance = KL_U256_ONE;
    }
    if (kl_fuzz_one_in(f, 4)) {
        f->tight = f->contracts - 1;
        f->allowance = allowances[kl_fuzz_below(f, KL_COUNT_OF(allowances))];
    }
    for (usize i = 0; i < f->contracts; i++) {
        a = add(f, c, f->contract[i]);
        a->nonce = kl_fuzz_one_in(f, 30) ? UINT64_MAX - kl_fuzz_below(f, 2) : 1;
        if (kl_fuzz_one_in(f, 3))
            a->balance = kl_u256_of(kl_fuzz_below(f, RICH));
        KL_TRY(put_storage(f, a));
        f->self = i;
        if (i > 0 && i == f->tight)
            KL_TRY(kl_fuzz_tight(f, &a->code));
        else
            KL_TRY(kl_fuzz_code(f, 1 + kl_fuzz_below(f, 10), false, &a->code));
    }
    for (usize i = 0; i < 2; i++) /* somebody is where a contract would go */
        if (kl_fuzz_one_in(f, 8)) {
            a = add(f, c, kl_address_of_create(&f->contract[i], 1));
            a->nonce = kl_fuzz_below(f, 2);
            a->balance = kl_u256_of(1 + kl_fuzz_below(f, 2));
        }
    if (kl_fuzz_one_in(f, 2))
        add(f, c, c->env.coinbase)->balance = KL_U256_ONE;
    return KL_OK;
}

static kl_status put_access_list(struct kl_fuzz *f, kl_tx *tx)
{
    kl_access *list = KL_ZERO(f->arena, kl_access, ACCESS_MAX);
    tx->access_count = kl_fuzz_below(f, ACCESS_MAX + 1);
    for (usize i = 0; list && i < tx->access_count; i++) {
        kl_hash *slots = KL_ZERO(f->arena, kl_hash, SLOTS_MAX);
        if (!slots)
            return KL_NOMEM;
        list[i] = (kl_access){*kl_fuzz_place(f), slots, kl_fuzz_below(f, SLOTS_MAX + 1)};
        for (usize j = 0; j < list[i].slot_count; j++)
            slots[j].b[31] = (u8)kl_fuzz_below(f, 4);
    }
    tx->access_list = list;
    return list ? KL_OK : KL_NOMEM;
}

/* Most are good; the others name another chain, another nonce, or are signed by nobody. */
static kl_status put_authorizations(struct kl_fuzz *f, kl_tx *tx, const kl_fuzz_case *c)
{
    kl_authorization *list = KL_ZERO(f->arena, kl_authorization, AUTHORIZATIONS_MAX);
    tx->authorizations = list;
    tx->authorization_count = 1 + kl_fuzz_below(f, AUTHORIZATIONS_MAX);
    for (usize i = 0; list && i < tx->authorization_count; i++) {
        usize who = kl_fuzz_below(f, KL_FUZZ_OWNERS + 1);
        const kl_secret32 *key = who == KL_FUZZ_OWNERS ? &c->key : &f->owner_key[who];
        kl_address address = who == KL_FUZZ_OWNERS ? f->sender : f->owner[who];
        kl_authorization *a = &list[i];
        for (usize j = 0; j < c->alloc_count; j++)
            if (kl_address_eq(&c->alloc[j].address, &address))
                a->nonce = c->alloc[j].nonce;
        a->nonce += who == KL_FUZZ_OWNERS; /* the sender's is one more by then */
        if (kl_fuzz_one_in(f, 6))
            a->nonce = kl_fuzz_one_in(f, 3) ? UINT64_MAX : a->nonce + kl_fuzz_below(f, 2);
        a->chain_id = kl_u256_of(kl_fuzz_one_in(f, 12) ? 2 : kl_fuzz_below(f, 2));
        a->address = kl_fuzz_one_in(f, 6) ? (kl_address){0} : *kl_fuzz_place(f);
        kl_hash digest = kl_authorization_hash(a);
        if (!kl_secp256k1_sign(&a->signature, &digest, key))
            return KL_CORRUPT;
        if (kl_fuzz_one_in(f, 16))
            a->signature.y_parity ^= 1;
        if (kl_fuzz_one_in(f, 24))
            a->signature.s = kl_u256_sub(kl_secp256k1_n, a->signature.s);
    }
    return list ? KL_OK : KL_NOMEM;
}

static kl_status put_blobs(struct kl_fuzz *f, kl_tx *tx)
{
    kl_hash *hashes = KL_ZERO(f->arena, kl_hash, BLOBS_MAX);
    if (!hashes)
        return KL_NOMEM;
    tx->blob_count = 1 + kl_fuzz_below(f, BLOBS_MAX);
    for (usize i = 0; i < tx->blob_count; i++) {
        kl_rand_fill(&f->rand, hashes[i].b, sizeof hashes[i].b);
        hashes[i].b[0] = 1;
    }
    tx->blob_hashes = hashes;
    tx->max_blob_fee = kl_u256_of(GWEI);
    return KL_OK;
}

static kl_status put_data(struct kl_fuzz *f, kl_tx *tx)
{
    f->self = 0;
    if (!tx->has_to)
        return kl_fuzz_code(f, 1 + kl_fuzz_below(f, 8), true, &tx->data);
    usize len = kl_fuzz_one_in(f, 8) ? kl_fuzz_below(f, 3000) : kl_fuzz_below(f, DATA_MAX);
    u8 *data = KL_ZERO(f->arena, u8, len + 1);
    if (!data)
        return KL_NOMEM;
    for (usize i = 0; i < len; i++)
        data[i] = kl_fuzz_one_in(f, 2) ? 0 : (u8)kl_rand(&f->rand);
    tx->data = kl_span_of(data, len);
    return KL_OK;
}

static kl_status put_tx(struct kl_fuzz *f, kl_fuzz_case *c)
{
    kl_tx *tx = &c->tx;
    u64 base = c->env.base_fee.w[0];
    do
        tx->type = (u8)kl_fuzz_below(f, KL_TX_SET_CODE + 1);
    while (!kl_tx_type_known(tx->type, c->fork));
    tx->replay_safe = tx->type != KL_TX_LEGACY || (c->fork >= KL_SPURIOUS && kl_fuzz_one_in(f, 2));
    tx->chain_id = tx->replay_safe;
    tx->max_fee = kl_u256_of(base + kl_fuzz_below(f, 20));
    tx->max_priority_fee = tx->type >= KL_TX_DYNAMIC_FEE
                               ? kl_u256_of(kl_fuzz_below(f, tx->max_fee.w[0] + 1))
                               : tx->max_fee;
    tx->has_to = tx->type >= KL_TX_BLOB || !kl_fuzz_one_in(f, 8);
    if (tx->has_to)
        tx->to = kl_fuzz_one_in(f, 6) ? *kl_fuzz_place(f) : f->contract[0];
    tx->value = kl_u256_of(kl_fuzz_one_in(f, 2) ? 0 : kl_fuzz_below(f, 1000));
    if (tx->type >= KL_TX_ACCESS_LIST && !kl_fuzz_one_in(f, 3))
        KL_TRY(put_access_list(f, tx));
    if (tx->type == KL_TX_BLOB)
        KL_TRY(put_blobs(f, tx));
    if (tx->type == KL_TX_SET_CODE)
        KL_TRY(put_authorizations(f, tx, c));
    return put_data(f, tx);
}

static void put_env(struct kl_fuzz *f, kl_fuzz_case *c)
{
    c->env = (kl_header){
        .coinbase = {.b = {0xc0, [19] = 0xba}},
        .number = 300 + kl_fuzz_below(f, 1000),
        .gas_limit = BLOCK_GAS,
        .timestamp = UINT64_C(1700000000) + kl_fuzz_below(f, 100000),
        .tail = kl_header_tail(c->fork),
    };
    if (c->fork >= KL_LONDON)
        c->env.base_fee = kl_u256_of(kl_fuzz_below(f, 12));
    if (c->fork >= KL_CANCUN && kl_fuzz_one_in(f, 2))
        c->env.excess_blob_gas = kl_fuzz_below(f, BLOB_GAS_HI);
    if (c->fork >= KL_PARIS)
        kl_rand_fill(&f->rand, c->env.mix_hash.b, sizeof c->env.mix_hash.b);
    else
        c->env.difficulty = kl_u256_of(0x20000);
}

kl_status kl_fuzz_generate(struct kl_fuzz *f, u64 seed, kl_fork fork, kl_statebench *bench,
                           struct kl_arena *arena, kl_fuzz_case *out)
{
    static const u64 ample[] = {60000, 300000, 1000000, 1000000, 3000000, 10000000};
    kl_fuzz_case c = {.fork = fork};
    *f = (struct kl_fuzz){.rand = seed, .fork = fork, .bench = bench, .arena = arena};
    c.alloc = KL_ZERO(arena, kl_alloc, KL_FUZZ_PLACES);
    if (!c.alloc)
        return KL_NOMEM;
    put_env(f, &c);
    name_places(f, &c);
    c.tx.nonce = kl_fuzz_below(f, 3);
    KL_TRY(people_world(f, &c));
    KL_TRY(put_tx(f, &c));
    c.tx.sender = f->sender;
    c.gas[0] = ample[kl_fuzz_below(f, KL_COUNT_OF(ample))];
    c.gas_count = 1;
    *out = c;
    return KL_OK;
}
