/* fuzz_tight: code that takes what a call of little gas gets, the stipend of a call with value
 * included, or one more, or leaves one: its last instruction is the one for which it just suffices
 * or just does not. */
#include "cli/fuzz_gen.h"
#include "evm/opcode.h"

enum { STIPEND = 2300, SENTRY = 2300 /* [EIP-2200] */, TEXT_MAX = 8192 };

/* A last instruction: how many arguments, all of them 1, and its price on fresh memory. */
static const struct last {
    u8 op;
    u8 args;
    kl_fork since;
    u16 price;
} lasts[] = {
    {KL_OP_LOG0, 2, KL_FRONTIER, 375 + 8 + 3},
    {KL_OP_LOG1, 3, KL_FRONTIER, 2 * 375 + 8 + 3},
    {KL_OP_LOG2, 4, KL_FRONTIER, 3 * 375 + 8 + 3},
    {KL_OP_KECCAK256, 2, KL_FRONTIER, 30 + 6 + 3},
    {KL_OP_MSTORE, 2, KL_FRONTIER, 3 + 2 * 3},
    {KL_OP_CALLDATACOPY, 3, KL_FRONTIER, 3 + 3 + 3},
    {KL_OP_TSTORE, 2, KL_CANCUN, 100},
    {KL_OP_MCOPY, 3, KL_CANCUN, 3 + 3 + 3},
    {KL_OP_SSTORE, 2, KL_ISTANBUL, 0}, /* by its sentry */
};

static void push_one(struct kl_buf *text)
{
    kl_buf_bytes(text, "\x60\x01", 2); /* PUSH1 1: 3 gas */
}

/* Instructions of exactly this price. */
static void burn(struct kl_buf *text, u64 gas)
{
    for (; gas >= 38; gas -= 38) /* of no bytes, so that memory stays empty */
        kl_buf_bytes(text, "\x60\x00\x60\x00\x20\x50", 6); /* PUSH1, PUSH1, KECCAK256, POP */
    for (; gas > 0; gas--)
        kl_buf_bytes(text, "\x5b", 1);
}

kl_status kl_fuzz_tight(struct kl_fuzz *f, kl_span *out)
{
    const struct last *last;
    do
        last = &lasts[kl_fuzz_below(f, KL_COUNT_OF(lasts))];
    while (f->fork < last->since);
    bool sentry = last->op == KL_OP_SSTORE;
    u64 has = f->allowance + STIPEND, taken = 3 * (u64)last->args + last->price;
    u64 more = kl_fuzz_below(f, 3); /* 0: one is left; 1: it just suffices; 2: one is missing */
    if (sentry)
        taken += SENTRY + 1;
    if (has + more < taken + 1)
        more = taken + 1 - has;
    struct kl_buf text;
    kl_buf_init(&text, TEXT_MAX);
    burn(&text, has + more - 1 - taken);
    for (usize i = 0; i < last->args; i++)
        push_one(&text);
    kl_buf_bytes(&text, (u8[]){last->op, KL_OP_STOP}, 2);
    u8 *room = text.failed ? NULL : KL_TAKE(f->arena, u8, text.len);
    if (room) {
        memcpy(room, text.p, text.len);
        *out = kl_span_of(room, text.len);
    }
    kl_buf_done(&text);
    return room ? KL_OK : KL_NOMEM;
}
