/* The states that a chain lacks, made behind it (chain/past.h): one thread that steps back behind
 * all others, begins when the chain runs and ends with it.
 *
 * Nobody waits for it.  It makes way for everything: where the disk has less than twice the room
 * that the chain must have, it waits, and where it has hardly that, it deletes what it has made.
 * What it cannot make it leaves alone until the next start. */
#include <stdio.h>

#include "chain/past.h"
#include "node/node_priv.h"
#include "sys/env.h"

#define SECOND_NS UINT64_C(1000000000)

static const char past_state[] = KL_FOLDER_STATE KL_PAST_SUFFIX;

void kl_node_historian_init(struct kl_node *node)
{
    kl_mutex_init(&node->historian.lock);
    kl_cond_init(&node->historian.cond);
}

void kl_node_historian_done(struct kl_node *node)
{
    kl_cond_done(&node->historian.cond);
    kl_mutex_done(&node->historian.lock);
}

static u64 now_ns(void)
{
    return kl_mono_ns(kl_sys_clock());
}

static void say(struct kl_node *node, const char *line)
{
    if (node->log)
        kl_node_log_line(node->log, line);
}

static void set_phase(struct kl_node *node, kl_historian_phase phase)
{
    kl_lock(&node->historian.lock);
    node->historian.phase = phase;
    kl_unlock(&node->historian.lock);
}

static bool go_on(void *ctx)
{
    struct kl_node_historian *h = &((struct kl_node *)ctx)->historian;
    kl_lock(&h->lock);
    bool stop = h->stop;
    kl_unlock(&h->lock);
    return !stop;
}

static void on_progress(struct kl_progress *progress, u64 version, KL_UNUSED u64 last)
{
    struct kl_node_historian *h =
        (struct kl_node_historian *)((char *)progress -
                                     offsetof(struct kl_node_historian, progress));
    kl_lock(&h->lock);
    h->height = version;
    kl_unlock(&h->lock);
}

void kl_node_historian_status(struct kl_node *node, kl_historian_status *out)
{
    struct kl_node_historian *h = &node->historian;
    kl_lock(&h->lock);
    u64 done = h->height - h->first, left = h->target > h->height ? h->target - h->height : 0;
    u64 took_s = (now_ns() - h->since_ns) / SECOND_NS;
    *out = (kl_historian_status){.phase = h->phase, .height = h->height, .target = h->target};
    out->eta_s = done ? (u64)((double)took_s * (double)left / (double)done) : UINT64_MAX;
    kl_unlock(&h->lock);
}

/* --- the work --- */

static kl_room_for_more look_at_room(const struct kl_node *node)
{
    const kl_room_place place = {.fs = node->folder.fs, .needs = KL_ROOM_DATA_BYTES};
    return kl_room_for_more_of(&place, node->config.min_free);
}

static void nap(struct kl_node_historian *h)
{
    kl_lock(&h->lock);
    h->phase = KL_HISTORIAN_WAITS;
    if (!h->stop)
        (void)kl_cond_wait_ns(&h->cond, &h->lock, SECOND_NS);
    kl_unlock(&h->lock);
}

static void note(struct kl_node *node, const struct kl_past *past, bool begins)
{
    struct kl_node_historian *h = &node->historian;
    kl_past_status at;
    kl_past_status_of(past, &at);
    kl_lock(&h->lock);
    h->height = at.height;
    h->target = at.target;
    if (begins) {
        h->first = at.height;
        h->since_ns = now_ns();
    }
    kl_unlock(&h->lock);
}

static kl_status open_kv_and_past(struct kl_node *node, struct kl_past **out)
{
    struct kl_node_historian *h = &node->historian;
    h->progress.step = on_progress;
    KL_TRY(kl_node_open_kv(node, past_state, &h->kv));
    const kl_past_config config = {
        .chain = kl_node_chain(node),
        .kv = h->kv,
        .segment_bytes = KL_NODE_SEGMENT_BYTES,
        .progress = &h->progress,
        .go_on = go_on,
        .ctx = node,
    };
    return kl_past_open(out, &config);
}

static void close_all(struct kl_node *node, struct kl_past *past)
{
    struct kl_kv *kv = node->historian.kv;
    kl_past_close(past);
    node->historian.kv = NULL;
    kl_kv_close(kv);
}

/* What cannot be gone on with is begun anew. */
static kl_status open_past(struct kl_node *node, struct kl_past **out)
{
    kl_status status = open_kv_and_past(node, out);
    if (status != KL_CORRUPT)
        return status;
    close_all(node, NULL);
    KL_TRY(kl_folder_drop_past(&node->folder));
    return open_kv_and_past(node, out);
}

/* How the work ended. */
typedef enum ending {
    STOPPED,
    WHOLE,
    NOT_WANTED,
    NO_ROOM,
} ending;

static kl_status work(struct kl_node *node, struct kl_past *past, ending *out)
{
    for (*out = STOPPED; go_on(node);) {
        kl_past_status at;
        kl_room_for_more room = look_at_room(node);
        if (!kl_past_is_wanted(kl_node_chain(node)))
            *out = NOT_WANTED;
        else if (room == KL_ROOM_SCANT)
            *out = NO_ROOM;
        if (*out != STOPPED)
            return KL_OK;
        if (room == KL_ROOM_ENOUGH) {
            nap(&node->historian);
            continue;
        }
        set_phase(node, KL_HISTORIAN_WORKS);
        KL_TRY(kl_past_step(past));
        note(node, past, false);
        kl_past_status_of(past, &at);
        if (at.whole) {
            *out = WHOLE;
            return KL_OK;
        }
    }
    return KL_OK;
}

static void tell_begin(struct kl_node *node)
{
    char line[200];
    kl_historian_status at;
    kl_node_historian_status(node, &at);
    snprintf(line, sizeof line,
             "history: the states of old blocks are made behind the chain: block %llu of %llu",
             (unsigned long long)at.height, (unsigned long long)at.target);
    say(node, line);
}

static void tell_whole(struct kl_node *node, const kl_past_status *at)
{
    char line[200];
    const struct kl_node_historian *h = &node->historian;
    double took_s = (double)(now_ns() - h->since_ns) / 1e9;
    snprintf(line, sizeof line,
             "history: every state is here: %llu blocks with %llu transactions executed in %.1f s",
             (unsigned long long)(at->height - h->first), (unsigned long long)at->transactions,
             took_s);
    say(node, line);
}

static void tell_failure(struct kl_node *node, kl_status status, const kl_past_status *at)
{
    char line[300];
    if (at->bad_rule != KL_RULE_NONE)
        snprintf(line, sizeof line,
                 "history: block %llu does not execute to what its record says: %s; its state and "
                 "those before it are not made",
                 (unsigned long long)at->bad_version, kl_rule_text(at->bad_rule));
    else
        snprintf(line, sizeof line, "history: the states of old blocks are not made: %s",
                 kl_status_text(status));
    say(node, line);
}

/* Is there any use for what was made so far?  After another failure the next start goes on. */
static bool is_of_use(kl_status status, ending how)
{
    return status != KL_CORRUPT && status != KL_NOTFOUND && status != KL_FULL &&
           how != NOT_WANTED && how != NO_ROOM;
}

/* Everything is closed. */
static void conclude(struct kl_node *node, kl_status status, ending how, const kl_past_status *at)
{
    if (status == KL_OK && how == WHOLE)
        status = kl_past_seal(node->folder.fs);
    else if (!is_of_use(status, how))
        status = kl_folder_drop_past(&node->folder) == KL_OK ? status : KL_IO;
    if (status != KL_OK)
        tell_failure(node, status, at);
    else if (how == NOT_WANTED)
        say(node, "history: the states of old blocks are not made: no more than are here are kept");
    else if (how == NO_ROOM)
        say(node, "history: the states of old blocks are not made: there is too little room");
    if (status != KL_OK || how != WHOLE)
        return;
    tell_whole(node, at);
    kl_node_turn(node);
}

static void make(struct kl_node *node)
{
    struct kl_past *past = NULL;
    kl_past_status at = {0};
    ending how = STOPPED;
    kl_status status = open_past(node, &past);
    if (status == KL_OK) {
        note(node, past, true);
        tell_begin(node);
        status = work(node, past, &how);
        kl_past_status_of(past, &at);
    }
    close_all(node, past);
    set_phase(node, KL_HISTORIAN_IDLE);
    conclude(node, status, how, &at);
}

static void *historian_main(void *ctx)
{
    struct kl_node *node = ctx;
    kl_thread_step_back();
    if (kl_past_is_wanted(kl_node_chain(node)))
        make(node);
    else if (kl_folder_drop_past(&node->folder) != KL_OK)
        say(node, "history: what was left of old states cannot be deleted");
    return NULL;
}

kl_status kl_node_historian_start(struct kl_node *node)
{
    struct kl_node_historian *h = &node->historian;
    if (!node->member || node->fills || !node->config.dir)
        return KL_OK;
    kl_lock(&h->lock);
    h->stop = false;
    kl_unlock(&h->lock);
    KL_TRY(kl_thread_start(&h->thread, "keel history", historian_main, node));
    h->runs = true;
    return KL_OK;
}

void kl_node_historian_stop(struct kl_node *node)
{
    struct kl_node_historian *h = &node->historian;
    if (!h->runs)
        return;
    kl_lock(&h->lock);
    h->stop = true;
    kl_cond_signal(&h->cond);
    kl_unlock(&h->lock);
    kl_thread_join(h->thread);
    h->runs = false;
}
