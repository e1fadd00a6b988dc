/* test_world: a handful of accounts and a machine over them, for the tests of this layer. */
#ifndef KL_EXEC_TEST_WORLD_PRIV_H
#define KL_EXEC_TEST_WORLD_PRIV_H

#include "base/test.h"
#include "exec/exec.h"

#define TEST_ACCOUNTS 8
#define TEST_SLOTS    6

typedef struct test_account {
    kl_address address;
    kl_account account;
    kl_span code;
    struct {
        kl_u256 key, value;
    } slots[TEST_SLOTS];
    usize slot_count;
} test_account;

/* A world under one fork.  spec, header and accounts may be changed until test_begin. */
struct test_world {
    struct kl_state_reader reader;
    struct kl_block_hashes hashes;
    kl_spec spec;
    kl_header header;
    test_account accounts[TEST_ACCOUNTS];
    usize count;
    struct kl_exec *exec;
    u64 reads_left; /* reads until the reader fails with fail_with */
    kl_status fail_with;
};

/* Gas limit 30 million, base fee 7 from London on, coinbase 0xc0…; block 100 at 1,000 s. */
void test_world_init(struct test_world *world, kl_fork fork);
void test_world_done(struct test_world *world);

/* The address 0x…nn00…00 that tests call people by. */
kl_address test_address(u8 first);

test_account *test_add(struct test_world *world, u8 first, u64 balance);
/* An account with code, in hex. */
test_account *test_add_code(struct test_world *world, u8 first, const char *code_hex);
void test_add_slot(test_account *account, u64 key, u64 value);

void test_begin(struct test_world *world); /* kl_exec_begin, which must succeed */
void test_enter(struct test_world *world); /* kl_exec_enter */

/* A transaction of a type from one account to another: nonce 0, gas limit 100,000, value 0; from
 * London on a fee of 10 and a tip of 2, before that a gas price of 10. */
kl_tx test_tx(const struct test_world *world, kl_tx_type type, u8 from, u8 to);

/* Runs it, which must succeed. */
kl_tx_result test_run(struct test_world *world, const kl_tx *tx);
/* The rule that keeps it out; KL_RULE_NONE when it ran. */
kl_rule test_refused(struct test_world *world, const kl_tx *tx);

/* The state as it stands. */
kl_jaccount *test_look(struct test_world *world, u8 first);
u64 test_balance(struct test_world *world, u8 first);
u64 test_slot(struct test_world *world, u8 first, u64 key);

#endif
