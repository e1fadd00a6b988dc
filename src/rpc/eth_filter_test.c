/* Polled filters and searches for logs: their bounds, and what they refuse. */
#include <stdio.h>

#include "base/test.h"
#include "codec/hex.h"
#include "rpc/chain_rig_priv.h"

#define LOG              "5f5fa0" /* LOG0 of nothing */
#define CALLS            "-32602"
#define INPUT            "-32000"
#define ERROR(code, why) "\"error\":{\"code\":" code ",\"message\":\"" why "\"}"
#define TOPIC            "\"0x0000000000000000000000000000000000000000000000000000000000000007\""

typedef struct filter_text {
    char b[40];
} filter_text;

static filter_text make(struct chain_rig *rig, const char *method, const char *params)
{
    filter_text id;
    kl_span text = chain_rig_result(rig, method, "%s", params);
    CHECK(text.len < sizeof id.b);
    (void)snprintf(id.b, sizeof id.b, "%.*s", (int)text.len, (const char *)text.p);
    return id;
}

static usize poll(struct chain_rig *rig, const filter_text *id)
{
    return chain_rig_count(rig, chain_rig_result(rig, "eth_getFilterChanges", "[\"%s\"]", id->b));
}

/* A block with one call of the contract at RIG_C. */
static void call_c(struct chain_rig *rig)
{
    kl_address c;
    CHECK_RULE(kl_hex_fixed(c.b, sizeof c.b, kl_span_str(RIG_C)), KL_RULE_NONE);
    chain_rig_send(rig, 0, &c, 0, KL_SPAN_NONE);
}

KL_TEST(a_filter_with_much_to_tell_tells_it_in_parts)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    chain_rig_code(&rig, RIG_C, LOG LOG LOG "00");
    rig.config.limits.log_max = 4;
    filter_text logs = make(&rig, "eth_newFilter", "[{}]");
    filter_text blocks = make(&rig, "eth_newBlockFilter", "[]");
    for (int i = 0; i < 5; i++)
        call_c(&rig);
    CHECK(poll(&rig, &logs) == 6); /* two blocks: after the first it was not enough */
    CHECK(poll(&rig, &logs) == 6);
    CHECK(poll(&rig, &logs) == 3);
    CHECK(poll(&rig, &logs) == 0);
    CHECK(poll(&rig, &blocks) == 4);
    CHECK(poll(&rig, &blocks) == 1);
    rig.config.limits.log_max = 2; /* fewer than one block has */
    call_c(&rig);
    CHECK(poll(&rig, &logs) == 3);
    CHECK(poll(&rig, &logs) == 0);
    chain_rig_done(&rig);
}

/* The feed has forgotten the first of them; every block is told once all the same. */
KL_TEST(a_filter_that_lost_steps_tells_every_block_once)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    rig.config.limits.log_max = 100;
    filter_text blocks = make(&rig, "eth_newBlockFilter", "[]");
    chain_rig_result(&rig, "anvil_mine", "[%d]", KL_FEED_STEPS + 44);
    CHECK(poll(&rig, &blocks) == 100);
    chain_rig_result(&rig, "anvil_mine", "[7]");
    CHECK(poll(&rig, &blocks) == 100);
    CHECK(poll(&rig, &blocks) == 100);
    CHECK(poll(&rig, &blocks) == 7);
    chain_rig_result(&rig, "anvil_mine", "[3]");
    CHECK(poll(&rig, &blocks) == 3);
    CHECK(poll(&rig, &blocks) == 0);
    chain_rig_done(&rig);
}

KL_TEST(a_filter_with_a_range_tells_of_no_other_block)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    chain_rig_code(&rig, RIG_C, LOG "00");
    filter_text from = make(&rig, "eth_newFilter", "[{\"fromBlock\":\"0x3\"}]");
    filter_text between =
        make(&rig, "eth_newFilter", "[{\"fromBlock\":\"0x2\",\"toBlock\":\"0x3\"}]");
    filter_text earliest = make(&rig, "eth_newFilter", "[{\"fromBlock\":\"earliest\"}]");
    for (int i = 0; i < 5; i++)
        call_c(&rig);
    CHECK(poll(&rig, &from) == 3);
    CHECK(poll(&rig, &between) == 2);
    CHECK(poll(&rig, &earliest) == 5);
    chain_rig_done(&rig);
}

KL_TEST(a_filter_of_whole_pending_transactions)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    rig.automine = false;
    filter_text whole = make(&rig, "eth_newPendingTransactionFilter", "[true]");
    filter_text hashes = make(&rig, "eth_newPendingTransactionFilter", "[false]");
    chain_rig_send(&rig, 0, &rig.account[1], 5, KL_SPAN_NONE);
    CHECK(poll(&rig, &hashes) == 1);
    kl_span list = chain_rig_result(&rig, "eth_getFilterChanges", "[\"%s\"]", whole.b);
    CHECK(list.len > 2 && list.p[0] == '[');
    kl_span tx = kl_span_sub(list, 1, list.len - 2);
    CHECK(chain_rig_number(&rig, tx, "value") == 5);
    CHECK_SPAN(chain_rig_member(&rig, tx, "blockHash"), KL_SPAN_TEXT("null"));
    /* one that is mined before the poll is no longer pending */
    chain_rig_send(&rig, 0, &rig.account[1], 6, KL_SPAN_NONE);
    chain_rig_mine(&rig);
    CHECK(poll(&rig, &whole) == 0);
    CHECK(poll(&rig, &hashes) == 1);
    chain_rig_done(&rig);
}

KL_TEST(searches_for_logs_that_are_refused)
{
    static const struct {
        const char *params, *want;
    } rows[] = {
        {"[{\"fromBlock\":\"0x0\",\"toBlock\":\"0x9\"}]",
         ERROR(CALLS, "block range extends beyond current head block")},
        {"[{\"fromBlock\":\"0x1\",\"toBlock\":\"0x0\"}]",
         ERROR(CALLS, "invalid block range params")},
        {"[{\"blockHash\":" TOPIC ",\"toBlock\":\"0x1\"}]",
         ERROR(CALLS, "invalid argument 0: cannot specify both BlockHash and FromBlock/ToBlock, "
                      "choose one or the other")},
        {"[{\"blockHash\":" TOPIC "}]", ERROR(INPUT, "unknown block")},
        {"[{\"topics\":[null,null,null,null,null]}]", ERROR(INPUT, "exceed max topics")},
        {"[{\"topics\":7}]", ERROR(CALLS, "invalid argument 0: topics: array expected")},
        {"[{\"address\":\"0x12\"}]",
         ERROR(CALLS, "invalid argument 0: address: hex string has length 2, want 40 for "
                      "common.Address")},
        {"[7]", ERROR(CALLS, "invalid argument 0: object expected")},
    };
    struct chain_rig rig;
    chain_rig_init(&rig);
    chain_rig_mine(&rig);
    for (usize i = 0; i < KL_COUNT_OF(rows); i++)
        chain_rig_check(&rig, "eth_getLogs", rows[i].params, rows[i].want);
    chain_rig_done(&rig);
}

/* {"topics":[[count topics]]} */
static void ask_alternatives(struct chain_rig *rig, usize count)
{
    struct kl_buf text;
    kl_buf_init(&text, SIZE_MAX);
    kl_buf_str(&text, "[{\"topics\":[[");
    for (usize i = 0; i < count; i++)
        kl_buf_str(&text, i ? "," TOPIC : TOPIC);
    kl_buf_str(&text, "]]}]");
    kl_buf_bytes(&text, "", 1); /* ends the string */
    chain_rig_ask(rig, "eth_getLogs", (const char *)text.p);
    kl_buf_done(&text);
}

KL_TEST(alternatives_of_a_search_are_counted)
{
    struct chain_rig rig;
    chain_rig_init(&rig);
    ask_alternatives(&rig, KL_LOG_TOPICS_MAX);
    chain_rig_answered(&rig, "\"result\":[]");
    ask_alternatives(&rig, KL_LOG_TOPICS_MAX + 1);
    chain_rig_answered(&rig, ERROR(INPUT, "exceed max addresses or topics per search position"));
    chain_rig_done(&rig);
}

static u64 clock_ns;

static u64 read_clock(struct kl_clock *clock)
{
    (void)clock;
    return clock_ns;
}

/* A filter lives for its time from the last poll on, whatever its age among the others. */
KL_TEST(filters_that_are_polled_outlive_those_that_are_not)
{
    struct kl_clock clock = {read_clock, read_clock};
    struct chain_rig rig;
    filter_text ids[4];
    chain_rig_init(&rig);
    rig.config.clock = &clock;
    rig.config.limits.filter_timeout_ns = 300;
    clock_ns = 1000;
    for (usize i = 0; i < 4; i++)
        ids[i] = make(&rig, "eth_newBlockFilter", "[]");
    clock_ns = 1200;
    (void)poll(&rig, &ids[0]);
    (void)poll(&rig, &ids[2]);
    (void)poll(&rig, &ids[0]);
    chain_rig_result(&rig, "eth_uninstallFilter", "[\"%s\"]", ids[2].b);
    clock_ns = 1301;
    (void)make(&rig, "eth_newBlockFilter", "[]");
    (void)poll(&rig, &ids[0]);
    for (usize i = 1; i < 4; i++)
        chain_rig_error(&rig, "eth_getFilterChanges", "[\"%s\"]", ids[i].b);
    clock_ns = 1602;
    (void)make(&rig, "eth_newBlockFilter", "[]");
    chain_rig_error(&rig, "eth_getFilterChanges", "[\"%s\"]", ids[0].b);
    chain_rig_done(&rig);
}
