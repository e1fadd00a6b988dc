/* keel_status: what a person wants to know first: is the node well, who is there, and, when no
 * block is made, why. */
#include "cert/valset.h"
#include "chain/bft.h"
#include "rpc/at.h"
#include "rpc/method.h"
#include "rpc/syncing.h"

static const char *engine_name(kl_engine engine)
{
    switch (engine) {
    case KL_ENGINE_SOLO:
        return "solo";
    case KL_ENGINE_EXTERNAL:
        return "external";
    case KL_ENGINE_SIMPLEX:
        return "simplex";
    }
    return NULL;
}

static kl_status set_of(struct kl_rpc_call *call, u64 epoch, kl_valset *out)
{
    kl_span bytes;
    kl_rule broken;
    KL_TRY(kl_reader_validators(kl_rpc_reader(call), epoch, call->arena, &bytes));
    KL_TRY(kl_valset_decode(out, bytes, true, call->arena, &broken));
    return broken == KL_RULE_NONE ? KL_OK : KL_CORRUPT;
}

static void put_missing(struct kl_json_out *out, const kl_valset *set, const kl_rpc_votes *votes)
{
    kl_json_put_key(out, "missing");
    kl_json_put_array(out);
    for (u32 i = 0; i < set->count; i++)
        if (votes->missing[i / 8] >> (i % 8) & 1)
            kl_json_put_address(out, &set->validators[i].operator);
    kl_json_put_array_end(out);
}

/* Of those that have not voted: for how long nothing came from them. */
static void put_silent(struct kl_json_out *out, const kl_valset *set, const kl_rpc_votes *votes)
{
    kl_json_put_key(out, "silent");
    kl_json_put_array(out);
    for (u32 i = 0; i < set->count; i++) {
        if (!(votes->missing[i / 8] >> (i % 8) & 1) || !votes->silent_s[i])
            continue;
        kl_json_put_object(out);
        kl_json_add_address(out, "operator", &set->validators[i].operator);
        kl_json_add_quantity(out, "seconds", votes->silent_s[i]);
        kl_json_put_object_end(out);
    }
    kl_json_put_array_end(out);
}

/* How often each rule was broken; never mind those that nobody broke. */
static void put_rules(struct kl_rpc_call *call, const char *key,
                      u64 (*count_of)(struct kl_rpc_backend *backend, kl_rule why))
{
    kl_json_put_key(call->out, key);
    kl_json_put_object(call->out);
    for (u32 rule = KL_RULE_NONE + 1; rule < KL_RULE_COUNT; rule++) {
        u64 count = count_of(call->backend, (kl_rule)rule);
        if (count)
            kl_json_add_quantity(call->out, kl_rule_name((kl_rule)rule), count);
    }
    kl_json_put_object_end(call->out);
}

static bool put_votes(struct kl_rpc_call *call, const kl_rpc_votes *votes)
{
    kl_valset set;
    struct kl_json_out *out = call->out;
    if (!kl_rpc_ok(call, set_of(call, votes->epoch, &set)))
        return false;
    kl_json_add_text(out, "why", votes->why);
    if (votes->stalled_s)
        kl_json_add_quantity(out, "stalledSeconds", votes->stalled_s);
    kl_json_add_bool(out, "signing", votes->signing);
    kl_json_add_quantity(out, "epoch", votes->epoch);
    kl_json_add_quantity(out, "view", votes->view);
    if (votes->leader < set.count)
        kl_json_add_address(out, "leader", &set.validators[votes->leader].operator);
    kl_json_add_quantity(out, "notarizedNumber", votes->notarized);
    kl_json_add_quantity(out, "validators", set.count);
    put_rules(call, "refusedBlocks", call->backend->ops->refused);
    if (votes->need) {
        kl_json_add_quantity(out, "need", votes->need);
        kl_json_add_quantity(out, "have", votes->have);
        put_missing(out, &set, votes);
        put_silent(out, &set, votes);
    }
    return true;
}

static void put_network(struct kl_json_out *out, kl_rpc_network network)
{
    kl_json_add_quantity(out, "inbound", network.inbound);
    kl_json_add_quantity(out, "outbound", network.outbound);
    kl_json_add_quantity(out, "gossiping", network.gossiping);
    kl_json_add_quantity(out, "refused", network.refused);
    kl_json_add_quantity(out, "bytesSent", network.sent_bytes);
    kl_json_add_quantity(out, "bytesReceived", network.received_bytes);
}

static void put_memory(struct kl_json_out *out, kl_rpc_memory memory)
{
    kl_json_add_quantity(out, "memory", memory.taken);
    if (memory.max)
        kl_json_add_quantity(out, "maxMemory", memory.max);
    kl_json_add_bool(out, "refusesPeers", memory.sated);
}

static void put_health(struct kl_rpc_call *call)
{
    const struct kl_rpc_backend_ops *ops = call->backend->ops;
    kl_status health = ops->health(call->backend);
    char reason[KL_RPC_REASON_MAX] = "";
    if (health != KL_OK)
        ops->health_reason(call->backend, reason);
    kl_json_add_text(call->out, "health", health == KL_OK ? "good" : kl_status_text(health));
    if (reason[0])
        kl_json_add_text(call->out, "healthReason", reason);
}

/* From which block on states can be asked for, and how far the making of those before is. */
static void put_history(struct kl_rpc_call *call)
{
    kl_rpc_history h;
    struct kl_json_out *out = call->out;
    call->backend->ops->history(call->backend, &h);
    kl_json_put_key(out, "history");
    kl_json_put_object(out);
    kl_json_add_quantity(out, "from", kl_reader_oldest_state(kl_rpc_reader(call)));
    if (h.in_work) {
        kl_json_put_key(out, "before");
        kl_json_put_object(out);
        kl_json_add_quantity(out, "number", h.height);
        kl_json_add_quantity(out, "target", h.target);
        if (h.eta_s != UINT64_MAX)
            kl_json_add_quantity(out, "secondsToGo", h.eta_s);
        kl_json_add_bool(out, "waitsForRoom", h.waits_for_room);
        kl_json_put_object_end(out);
    }
    kl_json_put_object_end(out);
}

static bool put_closed(struct kl_rpc_call *call)
{
    kl_json_put_object(call->out);
    kl_json_add_text(call->out, "client", call->backend->client_version);
    put_health(call);
    kl_json_put_object_end(call->out);
    return true;
}

bool kl_rpc_keel_status(struct kl_rpc_call *call)
{
    const struct kl_rpc_backend_ops *ops = call->backend->ops;
    if (ops->closed && ops->closed(call->backend))
        return put_closed(call);
    const kl_spec *spec = kl_chain_spec(ops->chain(call->backend));
    kl_rpc_votes votes;
    /* Asked before the chain is looked at, which then has the validators of that epoch. */
    bool has_votes = spec->engine == KL_ENGINE_SIMPLEX && ops->votes(call->backend, &votes);
    const struct kl_tip *tip = kl_reader_tip(kl_rpc_reader(call));
    struct kl_json_out *out = call->out;
    kl_json_put_object(out);
    kl_json_add_text(out, "client", call->backend->client_version);
    kl_json_add_text(out, "engine", engine_name(spec->engine));
    put_health(call);
    kl_json_add_quantity(out, "peers", ops->peer_count(call->backend));
    put_network(out, ops->network(call->backend));
    put_rules(call, "dropped", ops->dropped);
    put_memory(out, ops->memory(call->backend));
    kl_json_add_quantity(out, "number", tip->header.number);
    kl_json_add_hash(out, "hash", &tip->hash);
    kl_json_add_quantity(out, "timestamp", tip->header.timestamp);
    kl_rpc_put_syncing(call);
    put_history(call);
    if (has_votes && !put_votes(call, &votes))
        return false;
    kl_json_put_object_end(out);
    return true;
}
