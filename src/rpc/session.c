/* session: one list of subscriptions, and how far the feed has been told.  A subscription hears
 * what comes after it was made: it remembers where the feed stood. */
#include "rpc/session.h"

#include <stdlib.h>

#include "base/rand.h"
#include "rpc/conn_priv.h"
#include "rpc/worker_priv.h"

struct subscription {
    kl_rpc_subscription_id id;
    const kl_rpc_topic *topic;
    void *state;
    u64 first_step, first_pending; /* of the feed, that it hears */
    struct subscription *next;
};

struct kl_rpc_session {
    struct kl_feed *feed;
    struct subscription *first, *telling;
    usize count, pending_count; /* subscriptions; of them to pending transactions */
    u64 seed;
    u64 steps, pending; /* of the feed, told */
};

kl_status kl_rpc_session_new(struct kl_rpc_session **out, struct kl_feed *feed, u64 seed)
{
    struct kl_rpc_session *session = calloc(1, sizeof *session);
    if (!session)
        return KL_NOMEM;
    session->feed = feed;
    session->seed = seed;
    *out = session;
    return KL_OK;
}

static void drop(struct kl_rpc_session *session, struct subscription **link)
{
    struct subscription *gone = *link;
    *link = gone->next;
    session->count--;
    if (gone->topic->pending) {
        session->pending_count--;
        kl_feed_unlisten(session->feed);
    }
    if (gone->topic->close)
        gone->topic->close(gone->state);
    free(gone);
}

void kl_rpc_session_free(struct kl_rpc_session *session)
{
    if (!session)
        return;
    while (session->first)
        drop(session, &session->first);
    free(session);
}

bool kl_rpc_session_hears(const struct kl_rpc_session *session)
{
    return session && session->count > 0;
}

bool kl_rpc_session_behind(const struct kl_rpc_session *session)
{
    return kl_rpc_session_hears(session) &&
           (session->steps < kl_feed_steps(session->feed) ||
            (session->pending_count > 0 && session->pending < kl_feed_pending(session->feed)));
}

bool kl_rpc_subscribe(struct kl_rpc_call *call, const kl_rpc_topic *topic,
                      kl_rpc_subscription_id *out)
{
    struct kl_rpc_session *session = call->session;
    if (!session)
        return kl_rpc_fail(call, KL_RPC_METHOD, "notifications not supported");
    if (session->count >= call->config->limits.subscription_max)
        return kl_rpc_fail(call, KL_RPC_LIMIT, "too many subscriptions");
    void *state = NULL;
    if (topic->open && !topic->open(call, &state))
        return false;
    struct subscription *made = calloc(1, sizeof *made);
    if (!made) {
        if (topic->close)
            topic->close(state);
        return kl_rpc_ok(call, KL_NOMEM);
    }
    if (topic->pending) {
        kl_feed_listen(session->feed);
        if (session->pending_count++ == 0)
            session->pending = kl_feed_pending(session->feed);
    }
    made->topic = topic;
    made->state = state;
    made->first_step = kl_feed_steps(session->feed);
    made->first_pending = kl_feed_pending(session->feed);
    kl_rand_fill(&session->seed, made->id.b, sizeof made->id.b);
    if (session->count == 0)
        session->steps = made->first_step;
    made->next = session->first;
    session->first = made;
    session->count++;
    *out = made->id;
    return true;
}

bool kl_rpc_unsubscribe(struct kl_rpc_session *session, const kl_rpc_subscription_id *id)
{
    for (struct subscription **link = session ? &session->first : NULL; link && *link;
         link = &(*link)->next)
        if (memcmp(&(*link)->id, id, sizeof *id) == 0) {
            drop(session, link);
            return true;
        }
    return false;
}

void kl_rpc_notice(struct kl_rpc_call *call)
{
    struct kl_buf *out = call->out->buf;
    call->notice_start = out->len;
    (void)kl_buf_extend(out, KL_WS_HEAD_MAX);
    kl_buf_str(out, "{\"jsonrpc\":\"2.0\",\"method\":\"eth_subscription\",\"params\":{"
                    "\"subscription\":");
    *call->out = kl_json_out_to(out);
    kl_json_put_data(call->out, KL_SPAN_OF(call->session->telling->id));
    kl_buf_str(out, ",\"result\":");
    *call->out = kl_json_out_to(out);
}

void kl_rpc_notice_end(struct kl_rpc_call *call)
{
    struct kl_buf *out = call->out->buf;
    KL_ASSERT(call->out->depth == 0);
    kl_buf_str(out, "}}");
    if (!out->failed)
        kl_conn_frame(out, call->notice_start);
}

/* One event for all subscriptions that hear it: a step, or else a pending transaction. */
static bool tell(struct kl_rpc_session *session, struct kl_rpc_call *call, u64 index,
                 const kl_feed_step *step, const kl_hash *pending)
{
    bool good = true;
    for (struct subscription *s = session->first; s && good; s = s->next) {
        session->telling = s;
        if (step && s->topic->step && index >= s->first_step)
            good = s->topic->step(call, s->state, step);
        if (pending && s->topic->pending && index >= s->first_pending)
            good = s->topic->pending(call, s->state, pending);
    }
    return good && !call->out->buf->failed;
}

static void forget_reader(struct kl_rpc_call *call)
{
    if (call->close_reader)
        call->close_reader(call->reader);
    call->reader = NULL;
    call->close_reader = NULL;
}

/* False when something was lost or failed.  Steps may come while earlier ones are told: each is
 * looked at with a reader opened after it. */
static bool tell_steps(struct kl_rpc_session *session, struct kl_rpc_call *call)
{
    for (;;) {
        kl_feed_step step;
        kl_status status = kl_feed_step_at(session->feed, session->steps, &step);
        if (status != KL_OK)
            return status == KL_AGAIN;
        forget_reader(call);
        if (!tell(session, call, session->steps++, &step, NULL))
            return false;
    }
}

static bool tell_pending(struct kl_rpc_session *session, struct kl_rpc_call *call)
{
    while (session->pending_count > 0) {
        kl_hash hash;
        kl_status status = kl_feed_pending_at(session->feed, session->pending, &hash);
        if (status != KL_OK)
            return status == KL_AGAIN;
        if (!tell(session, call, session->pending++, NULL, &hash))
            return false;
    }
    return true;
}

bool kl_rpc_session_tell(struct kl_rpc_session *session, struct kl_rpc_worker *worker,
                         struct kl_buf *out)
{
    struct kl_json_out json = kl_json_out_to(out);
    struct kl_rpc_call call = {
        .config = worker->core->config,
        .backend = worker->core->config->backend,
        .feed = session->feed,
        .session = session,
        .arena = &worker->arena,
        .out = &json,
        .params = KL_JSON_NONE,
        .worker = worker,
    };
    bool good = tell_steps(session, &call) && tell_pending(session, &call);
    forget_reader(&call);
    return good;
}
