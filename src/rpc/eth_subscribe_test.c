/* Subscriptions over a chain: what is told, to whom, and what is not. */
#include <stdio.h>

#include "base/test.h"
#include "codec/hex.h"
#include "rpc/chain_rig_priv.h"
#include "rpc/jsonrpc.h"
#include "rpc/session.h"

struct listener {
    struct chain_rig rig;
    struct kl_rpc_session *session;
    struct kl_buf frames;
    usize at; /* in frames, of what has not been looked at */
};

static void listener_open(struct listener *l)
{
    *l = (struct listener){0};
    chain_rig_init(&l->rig);
    chain_rig_code(&l->rig, RIG_C, "60075f5fa100"); /* LOG1 of nothing with topic 7 */
    chain_rig_code(&l->rig, RIG_D, "5f5fa000");
    CHECK_OK(kl_rpc_session_new(&l->session, l->rig.core.feed, 1));
    kl_buf_init(&l->frames, SIZE_MAX);
}

static void listener_close(struct listener *l)
{
    kl_buf_done(&l->frames);
    kl_rpc_session_free(l->session);
    chain_rig_done(&l->rig);
}

/* The answer as text, good until the next call of any kind. */
static kl_span ask(struct listener *l, const char *method, const char *params)
{
    kl_buf_clear(&l->rig.sent);
    kl_buf_clear(&l->rig.out);
    kl_buf_print(&l->rig.sent, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}",
                 method, params);
    kl_rpc_worker_begin(&l->rig.worker);
    CHECK(kl_jsonrpc_serve(&l->rig.worker, l->session, kl_buf_view(&l->rig.sent), &l->rig.out));
    kl_rpc_worker_end(&l->rig.worker);
    return kl_buf_view(&l->rig.out);
}

typedef struct subscription_text {
    char b[40];
} subscription_text;

static subscription_text subscribe(struct listener *l, const char *params)
{
    subscription_text id;
    kl_span text = chain_rig_member(&l->rig, ask(l, "eth_subscribe", params), "result");
    CHECK(text.len == 34);
    (void)snprintf(id.b, sizeof id.b, "%.*s", (int)text.len, (const char *)text.p);
    return id;
}

/* Everything that is to be told by now. */
static void listen(struct listener *l)
{
    kl_buf_clear(&l->frames);
    l->at = 0;
    kl_rpc_worker_begin(&l->rig.worker);
    CHECK(kl_rpc_session_tell(l->session, &l->rig.worker, &l->frames));
    kl_rpc_worker_end(&l->rig.worker);
}

/* The value of the next notification, which must be for this subscription. */
static kl_span heard(struct listener *l, const subscription_text *id)
{
    const u8 *p = l->frames.p + l->at;
    CHECK(l->frames.len - l->at > 4 && p[0] == 0x81);
    usize head = p[1] == 126 ? 4 : 2, len = p[1] == 126 ? (usize)p[2] << 8 | p[3] : p[1];
    CHECK(p[1] < 127 && l->frames.len - l->at >= head + len);
    kl_span text = kl_span_of(p + head, len);
    l->at += head + len;
    CHECK_SPAN(chain_rig_member(&l->rig, text, "method"), KL_SPAN_TEXT("eth_subscription"));
    kl_span params = chain_rig_member(&l->rig, text, "params");
    CHECK_SPAN(chain_rig_member(&l->rig, params, "subscription"), kl_span_str(id->b));
    return chain_rig_member(&l->rig, params, "result");
}

static void heard_all(const struct listener *l)
{
    CHECK(l->at == l->frames.len);
}

static void call_at(struct listener *l, usize from, const char *text)
{
    kl_address at;
    CHECK_RULE(kl_hex_fixed(at.b, sizeof at.b, kl_span_str(text)), KL_RULE_NONE);
    chain_rig_send(&l->rig, from, &at, 0, KL_SPAN_NONE);
}

KL_TEST(new_heads_are_told_in_order)
{
    struct listener l;
    listener_open(&l);
    call_at(&l, 0, RIG_C); /* before anybody listened */
    subscription_text id = subscribe(&l, "[\"newHeads\"]");
    call_at(&l, 0, RIG_C);
    chain_rig_mine(&l.rig);
    listen(&l);
    CHECK(chain_rig_number(&l.rig, heard(&l, &id), "number") == 2);
    kl_span head = heard(&l, &id);
    CHECK(chain_rig_number(&l.rig, head, "number") == 3);
    CHECK(chain_rig_member(&l.rig, head, "hash").len == 66);
    CHECK(chain_rig_member(&l.rig, head, "transactions").len == 0);
    heard_all(&l);
    listen(&l);
    heard_all(&l); /* nothing twice */
    listener_close(&l);
}

KL_TEST(logs_are_told_to_whom_they_match)
{
    struct listener l;
    listener_open(&l);
    subscription_text at_d = subscribe(&l, "[\"logs\",{\"address\":\"" RIG_D "\"}]");
    subscription_text seven =
        subscribe(&l, "[\"logs\",{\"topics\":"
                      "[\"0x0000000000000000000000000000000000000000000000000000000000000007\"]}]");
    subscription_text late = subscribe(&l, "[\"logs\",{\"fromBlock\":\"0x3\"}]");
    call_at(&l, 0, RIG_C);
    call_at(&l, 0, RIG_D);
    call_at(&l, 0, RIG_C);
    listen(&l);
    kl_span log = heard(&l, &seven);
    CHECK(chain_rig_number(&l.rig, log, "blockNumber") == 1);
    CHECK_SPAN(chain_rig_member(&l.rig, log, "removed"), KL_SPAN_TEXT("false"));
    CHECK(chain_rig_number(&l.rig, heard(&l, &at_d), "blockNumber") == 2);
    /* the newest subscription hears of a block first */
    CHECK(chain_rig_number(&l.rig, heard(&l, &late), "blockNumber") == 3);
    CHECK(chain_rig_number(&l.rig, heard(&l, &seven), "blockNumber") == 3);
    heard_all(&l);
    listener_close(&l);
}

static struct listener *busy;

/* A block more is there before block 1 has been told to everybody. */
static bool mine_another(struct kl_rpc_call *call, void *state, const kl_feed_step *step)
{
    (void)call, (void)state;
    if (step->header.number == 1)
        call_at(busy, 0, RIG_C);
    return true;
}

KL_TEST(logs_of_blocks_that_come_while_others_are_told)
{
    static const kl_rpc_topic topic = {.name = "busy", .step = mine_another};
    struct listener l;
    kl_rpc_subscription_id busy_id;
    listener_open(&l);
    struct kl_rpc_call call = {.config = &l.rig.config, .session = l.session};
    busy = &l;
    CHECK(kl_rpc_subscribe(&call, &topic, &busy_id));
    subscription_text logs = subscribe(&l, "[\"logs\",{}]");
    call_at(&l, 0, RIG_C);
    listen(&l);
    CHECK(chain_rig_number(&l.rig, heard(&l, &logs), "blockNumber") == 1);
    CHECK(chain_rig_number(&l.rig, heard(&l, &logs), "blockNumber") == 2);
    heard_all(&l);
    listener_close(&l);
}

KL_TEST(pending_transactions_are_told_as_asked_for)
{
    struct listener l;
    listener_open(&l);
    l.rig.automine = false;
    subscription_text hashes = subscribe(&l, "[\"newPendingTransactions\"]");
    subscription_text whole = subscribe(&l, "[\"newPendingTransactions\",true]");
    call_at(&l, 1, RIG_C);
    listen(&l);
    CHECK(chain_rig_member(&l.rig, heard(&l, &whole), "hash").len == 66);
    CHECK(heard(&l, &hashes).len == 66);
    heard_all(&l);
    chain_rig_mine(&l.rig);
    listen(&l);
    heard_all(&l); /* a block is none of theirs */
    listener_close(&l);
}

/* What a revert takes back is not told, neither as removed nor as new. */
KL_TEST(a_revert_is_told_as_the_heads_behind_it)
{
    struct listener l;
    listener_open(&l);
    chain_rig_result(&l.rig, "evm_snapshot", "[]");
    call_at(&l, 0, RIG_C);
    subscription_text heads = subscribe(&l, "[\"newHeads\"]");
    subscription_text logs = subscribe(&l, "[\"logs\",{}]");
    call_at(&l, 0, RIG_C);
    chain_rig_result(&l.rig, "evm_revert", "[\"0x1\"]");
    call_at(&l, 0, RIG_D);
    listen(&l);
    CHECK(chain_rig_number(&l.rig, heard(&l, &heads), "number") == 2);
    CHECK_SPAN(chain_rig_member(&l.rig, heard(&l, &logs), "address"), KL_SPAN_TEXT(RIG_D));
    CHECK(chain_rig_number(&l.rig, heard(&l, &heads), "number") == 1);
    heard_all(&l);
    listener_close(&l);
}

KL_TEST(a_subscription_ends_when_it_is_told_to)
{
    struct listener l;
    char params[64];
    listener_open(&l);
    subscription_text id = subscribe(&l, "[\"newHeads\"]");
    (void)snprintf(params, sizeof params, "[\"%s\"]", id.b);
    CHECK_SPAN(chain_rig_member(&l.rig, ask(&l, "eth_unsubscribe", params), "result"),
               KL_SPAN_TEXT("true"));
    chain_rig_mine(&l.rig);
    listen(&l);
    heard_all(&l);
    kl_span error = chain_rig_member(&l.rig, ask(&l, "eth_unsubscribe", params), "error");
    CHECK_SPAN(chain_rig_member(&l.rig, error, "message"), KL_SPAN_TEXT("subscription not found"));
    listener_close(&l);
}

KL_TEST(subscriptions_that_are_refused)
{
    struct listener l;
    listener_open(&l);
    CHECK_SPAN(ask(&l, "eth_subscribe", "[\"blocks\"]"),
               KL_SPAN_TEXT("{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32601,\"message\":"
                            "\"no \\\"blocks\\\" subscription in eth namespace\"}}"));
    chain_rig_check(&l.rig, "eth_subscribe", "[\"newHeads\"]",
                    "\"error\":{\"code\":-32601,\"message\":\"notifications not supported\"}");
    listener_close(&l);
}
