/* Logs of the deposit contract [EIP-6110].  The data of a log is anything; what is taken for a
 * deposit is laid out exactly as the ABI lays the event out, and nothing else is. */
#include "base/fuzz.h"
#include "exec/exec_priv.h"

enum { FIELDS = 5, EVENT_LEN = 576 };
static const u32 lens[FIELDS] = {48, 32, 8, 96, 8};

static void put_word(u8 *at, u64 number)
{
    memset(at, 0, 32);
    kl_store_be64(at + 24, number);
}

/* The event that holds the request's fields; padding is taken from like. */
static void lay_out(u8 event[EVENT_LEN], kl_span request, kl_span like)
{
    usize at = FIELDS * 32, taken = 0;
    memcpy(event, like.p, EVENT_LEN);
    for (usize i = 0; i < FIELDS; i++) {
        put_word(event + i * 32, at);
        put_word(event + at, lens[i]);
        memcpy(event + at + 32, request.p + taken, lens[i]);
        taken += lens[i];
        at += 32 + (lens[i] + 31) / 32 * 32;
    }
    KL_ASSERT(at == EVENT_LEN && taken == request.len);
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    static const kl_hash event = {{0x64, 0x9b, 0xbc, 0x62, 0xd0, 0xe3, 0x13, 0x42, 0xaf, 0xea, 0x4e,
                                   0x5c, 0xd8, 0x2d, 0x40, 0x49, 0xe7, 0xe1, 0xee, 0x91, 0x2f, 0xc0,
                                   0x88, 0x9a, 0xa7, 0x90, 0x80, 0x3b, 0xe3, 0x90, 0x38, 0xc5}};
    if (len == 0)
        return 0;
    kl_spec spec;
    kl_spec_init(&spec, KL_FORK_NEWEST);
    struct kl_exec exec = {.spec = &spec};
    exec.block.fork = bytes[0] & 1 ? KL_CANCUN : KL_PRAGUE;
    kl_buf_init(&exec.deposits, 1 << 20);
    kl_log_entry entry = {
        .address = spec.deposit_contract,
        .topic_count = bytes[0] & 2 ? 0 : 1,
        .topics = {event},
        .data = kl_span_of(bytes + 1, len - 1),
    };
    entry.topics[0].b[0] ^= bytes[0] & 4;
    entry.address.b[0] ^= bytes[0] & 8;
    kl_rule broken;
    KL_ASSERT(kl_exec_collect_deposits(&exec, &entry, 1, &broken) == KL_OK);
    kl_span request = kl_buf_view(&exec.deposits);
    bool bad = broken == KL_RULE_BLOCK_DEPOSIT;
    KL_ASSERT(bad || broken == KL_RULE_NONE);
    KL_ASSERT(!(bytes[0] & 15) || (request.len == 0 && !bad));
    KL_ASSERT((bytes[0] & 15) || bad == (request.len == 0));
    if (request.len) {
        u8 again[EVENT_LEN];
        KL_ASSERT(entry.data.len == EVENT_LEN);
        lay_out(again, request, entry.data);
        KL_ASSERT(kl_span_eq(KL_SPAN_OF(again), entry.data));
    }
    kl_buf_done(&exec.deposits);
    return 0;
}
