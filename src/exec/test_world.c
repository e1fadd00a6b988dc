#include "exec/test_world_priv.h"

#include "crypto/keccak.h"

static struct test_world *of(struct kl_state_reader *reader)
{
    return (struct test_world *)reader;
}

static kl_status count_read(struct test_world *world)
{
    if (world->fail_with == KL_OK)
        return KL_OK;
    return world->reads_left-- == 0 ? world->fail_with : KL_OK;
}

static kl_status read_account(struct kl_state_reader *reader, const kl_address *address,
                              KL_UNUSED const kl_hash *address_hash, kl_account *out, bool *exists)
{
    struct test_world *world = of(reader);
    KL_TRY(count_read(world));
    for (usize i = 0; i < world->count; i++)
        if (kl_address_eq(&world->accounts[i].address, address)) {
            *out = world->accounts[i].account;
            *exists = true;
            return KL_OK;
        }
    *out = kl_account_none();
    *exists = false;
    return KL_OK;
}

static kl_status read_slot(struct kl_state_reader *reader, const kl_hash *address_hash,
                           const kl_hash *slot_hash, kl_u256 *out)
{
    struct test_world *world = of(reader);
    KL_TRY(count_read(world));
    *out = KL_U256_ZERO;
    for (usize i = 0; i < world->count; i++) {
        test_account *a = &world->accounts[i];
        kl_hash hash = kl_keccak256(kl_address_span(&a->address));
        for (usize k = 0; k < a->slot_count && kl_hash_eq(&hash, address_hash); k++) {
            kl_hash key = kl_u256_to_hash(a->slots[k].key);
            kl_hash key_hash = kl_keccak256(kl_hash_span(&key));
            if (kl_hash_eq(&key_hash, slot_hash))
                *out = a->slots[k].value;
        }
    }
    return KL_OK;
}

static kl_status read_code(struct kl_state_reader *reader, const kl_hash *code_hash, kl_span *out)
{
    struct test_world *world = of(reader);
    KL_TRY(count_read(world));
    for (usize i = 0; i < world->count; i++)
        if (kl_hash_eq(&world->accounts[i].account.code_hash, code_hash)) {
            *out = world->accounts[i].code;
            return KL_OK;
        }
    return KL_CORRUPT;
}

/* Block n has the hash 0x…n. */
static kl_status hash_of(KL_UNUSED struct kl_block_hashes *hashes, u64 number, kl_hash *out)
{
    *out = kl_u256_to_hash(kl_u256_of(number));
    return KL_OK;
}

void test_world_init(struct test_world *world, kl_fork fork)
{
    *world = (struct test_world){
        .reader = {.account = read_account, .slot = read_slot, .code = read_code},
        .hashes = {.get = hash_of}};
    kl_spec_init(&world->spec, fork);
    world->header = (kl_header){.number = 100,
                                .timestamp = 1000,
                                .gas_limit = 30000000,
                                .coinbase = test_address(0xc0),
                                .tail = kl_header_tail(fork)};
    world->header.difficulty = kl_u256_of(fork < KL_PARIS ? 131072 : 0);
    if (fork >= KL_LONDON)
        world->header.base_fee = kl_u256_of(7);
    kl_exec_config config = {.evm_memory_limit = 1 << 26, .journal_memory_limit = 1 << 26};
    CHECK_OK(kl_exec_new(&world->exec, &config));
}

void test_world_done(struct test_world *world)
{
    kl_exec_free(world->exec);
}

kl_address test_address(u8 first)
{
    return (kl_address){{first}};
}

test_account *test_add(struct test_world *world, u8 first, u64 balance)
{
    CHECK(world->count < TEST_ACCOUNTS);
    test_account *a = &world->accounts[world->count++];
    *a = (test_account){.address = test_address(first), .account = kl_account_none()};
    a->account.balance = kl_u256_of(balance);
    return a;
}

test_account *test_add_code(struct test_world *world, u8 first, const char *code_hex)
{
    test_account *a = test_add(world, first, 0);
    a->code = kl_test_hex(code_hex);
    a->account.nonce = 1;
    a->account.code_hash = kl_keccak256(a->code);
    return a;
}

void test_add_slot(test_account *account, u64 key, u64 value)
{
    CHECK(account->slot_count < TEST_SLOTS);
    account->slots[account->slot_count].key = kl_u256_of(key);
    account->slots[account->slot_count++].value = kl_u256_of(value);
    account->account.storage_root = (kl_hash){{1}}; /* any but that of no storage */
}

static kl_exec_block block_of(struct test_world *world)
{
    return (kl_exec_block){.spec = &world->spec,
                           .header = &world->header,
                           .reader = &world->reader,
                           .hashes = &world->hashes};
}

void test_begin(struct test_world *world)
{
    kl_exec_block block = block_of(world);
    CHECK_OK(kl_exec_begin(world->exec, &block));
}

void test_enter(struct test_world *world)
{
    kl_exec_block block = block_of(world);
    CHECK_OK(kl_exec_enter(world->exec, &block));
}

kl_tx test_tx(const struct test_world *world, kl_tx_type type, u8 from, u8 to)
{
    kl_tx tx = {.type = (u8)type,
                .has_to = true,
                .to = test_address(to),
                .replay_safe = type != KL_TX_LEGACY,
                .chain_id = type != KL_TX_LEGACY ? world->spec.chain_id : 0,
                .has_sender = true,
                .sender = test_address(from),
                .gas_limit = 100000,
                .max_fee = kl_u256_of(10)};
    tx.max_priority_fee = type >= KL_TX_DYNAMIC_FEE ? kl_u256_of(2) : tx.max_fee;
    return tx;
}

kl_tx_result test_run(struct test_world *world, const kl_tx *tx)
{
    kl_tx_result result;
    kl_rule broken;
    CHECK_OK(kl_exec_tx(world->exec, tx, NULL, &result, &broken));
    CHECK_RULE(broken, KL_RULE_NONE);
    return result;
}

kl_rule test_refused(struct test_world *world, const kl_tx *tx)
{
    kl_tx_result result;
    kl_rule broken;
    u64 gas_used = kl_exec_gas_used(world->exec);
    CHECK_OK(kl_exec_tx(world->exec, tx, NULL, &result, &broken));
    CHECK(broken == KL_RULE_NONE || kl_exec_gas_used(world->exec) == gas_used);
    return broken;
}

kl_jaccount *test_look(struct test_world *world, u8 first)
{
    kl_jaccount *account;
    kl_address address = test_address(first);
    CHECK_OK(kl_journal_account(kl_exec_journal(world->exec), &address, &account));
    return account;
}

u64 test_balance(struct test_world *world, u8 first)
{
    u64 balance;
    CHECK(kl_u256_to_u64(&balance, test_look(world, first)->now.balance));
    return balance;
}

u64 test_slot(struct test_world *world, u8 first, u64 key)
{
    kl_jslot *slot;
    bool cold;
    u64 value;
    kl_u256 wide = kl_u256_of(key);
    CHECK_OK(kl_journal_slot(kl_exec_journal(world->exec), test_look(world, first), &wide, &slot,
                             &cold));
    CHECK(kl_u256_to_u64(&value, slot->current));
    return value;
}
