/* How far the node is behind the others: geth's shape, with what taking a state adds. */
#include "rpc/syncing.h"

#include "rpc/method.h"

enum { BEHIND = 4 }; /* blocks that are on their way do not count */

static void put_progress(struct kl_json_out *out, const kl_rpc_syncing *s)
{
    if (s->by_state) {
        kl_json_add_text(out, "stage", s->state_ppm ? "state" : "records");
        kl_json_add_quantity(out, "statePpm", s->state_ppm);
        kl_json_add_quantity(out, "stateLeaves", s->leaves);
    }
    if (s->eta_s != UINT64_MAX)
        kl_json_add_quantity(out, "secondsToGo", s->eta_s);
}

bool kl_rpc_eth_syncing(struct kl_rpc_call *call)
{
    kl_rpc_syncing s;
    struct kl_json_out *out = call->out;
    call->backend->ops->syncing(call->backend, &s);
    if (!s.by_state && s.target < s.height + BEHIND) {
        kl_json_put_bool(out, false);
        return true;
    }
    kl_json_put_object(out);
    kl_json_add_quantity(out, "startingBlock", s.first);
    kl_json_add_quantity(out, "currentBlock", s.height);
    kl_json_add_quantity(out, "highestBlock", s.target);
    put_progress(out, &s);
    kl_json_put_object_end(out);
    return true;
}

static void put_checkpoint(struct kl_json_out *out, const kl_rpc_syncing *s)
{
    if (!s->checkpoint.number)
        return;
    kl_json_put_key(out, "checkpoint");
    kl_json_put_object(out);
    kl_json_add_quantity(out, "number", s->checkpoint.number);
    kl_json_add_hash(out, "hash", &s->checkpoint.hash);
    kl_json_add_bool(out, "reached", !s->off_checkpoint && s->height >= s->checkpoint.number);
    if (s->off_checkpoint)
        kl_json_add_hash(out, "found", &s->found);
    kl_json_put_object_end(out);
}

static void put_filled(struct kl_json_out *out, const kl_rpc_filled *f)
{
    if (!f->number)
        return;
    kl_json_put_key(out, "filled");
    kl_json_put_object(out);
    kl_json_add_quantity(out, "number", f->number);
    kl_json_add_quantity(out, "blocks", f->blocks);
    kl_json_add_quantity(out, "blocksMs", f->blocks_ms);
    kl_json_add_quantity(out, "stateLeaves", f->leaves);
    kl_json_add_quantity(out, "stateMs", f->leaves_ms);
    kl_json_put_object_end(out);
}

void kl_rpc_put_syncing(struct kl_rpc_call *call)
{
    kl_rpc_syncing s;
    struct kl_json_out *out = call->out;
    call->backend->ops->syncing(call->backend, &s);
    put_checkpoint(out, &s);
    put_filled(out, &s.filled);
    if (!s.by_state && s.target <= s.height)
        return;
    kl_json_put_key(out, "syncing");
    kl_json_put_object(out);
    kl_json_add_text(out, "by", s.by_state ? "state" : "blocks");
    kl_json_add_quantity(out, "from", s.first);
    kl_json_add_quantity(out, "number", s.height);
    kl_json_add_quantity(out, "target", s.target);
    if (s.lack[0])
        kl_json_add_text(out, "why", s.lack);
    put_progress(out, &s);
    kl_json_put_object_end(out);
}
