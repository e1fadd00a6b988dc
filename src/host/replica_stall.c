/* When nothing becomes final though it should, somebody is told why: once it has lasted a few
 * seconds, again now and then, and when it is over.  An idle chain is silent; so is a node that was
 * itself stopped for a while, until it has seen for as long that nothing moves. */
#include <stdarg.h>
#include <stdio.h>

#include "host/replica_priv.h"

#define NS_PER_S 1000000000u
#define LOOK_NS  UINT64_C(1000000000)
#define STALL_NS UINT64_C(5000000000)  /* without a final block, before it is told */
#define AGAIN_NS UINT64_C(30000000000) /* between repetitions */
#define QUIET_NS UINT64_C(3000000000)  /* who was not heard for so long is silent */

enum {
    NAMED_MAX = 8, /* validators in one line */
    BEHIND = 2,    /* blocks: fewer are on their way */
};

/* --- why, in words --- */

struct words {
    char *text;
    usize len;
};

static void put(struct words *w, const char *format, ...) KL_PRINTF(2, 3);

static void put(struct words *w, const char *format, ...)
{
    va_list args;
    usize room = KL_REPLICA_WHY_MAX - w->len;
    va_start(args, format);
    int len = vsnprintf(w->text + w->len, room, format, args);
    va_end(args);
    if (len > 0)
        w->len += KL_MIN((usize)len, room - 1);
}

static void put_address(struct words *w, const kl_address *a)
{
    put(w, "0x%02x%02x%02x%02x..", a->b[0], a->b[1], a->b[2], a->b[3]);
}

static bool is_missing(const struct kl_replica *r, const kl_replica_why *why, u32 i)
{
    return i != r->self && (why->consensus.missing[i / 8] >> (i % 8) & 1);
}

static void put_names(struct words *w, const kl_valset *set, const bool *which, u32 count)
{
    u32 named = 0;
    for (u32 i = 0; i < set->count && named < NAMED_MAX; i++)
        if (which[i]) {
            put(w, "%s", named++ ? ", " : "");
            put_address(w, &set->validators[i].operator);
        }
    if (count > named)
        put(w, " and %u more", count - named);
}

/* The missing ones that are silent, or those that are not. */
static void put_group(struct words *w, const struct kl_replica *r, const kl_replica_why *why,
                      bool silent)
{
    const kl_valset *set = &r->epoch->set;
    bool which[KL_VALIDATORS_MAX] = {false};
    u64 least_ns = NEVER, most_ns = 0;
    u32 count = 0;
    for (u32 i = 0; i < set->count; i++)
        if (is_missing(r, why, i) && (why->silent_ns[i] >= QUIET_NS) == silent) {
            which[i] = true;
            count++;
            least_ns = KL_MIN(least_ns, why->silent_ns[i]);
            most_ns = KL_MAX(most_ns, why->silent_ns[i]);
        }
    if (!count)
        return;
    u64 least = least_ns / NS_PER_S, most = most_ns / NS_PER_S;
    if (!silent)
        put(w, "; heard, but without this vote: ");
    else if (most - least <= 1)
        put(w, "; silent for %llu s: ", (unsigned long long)least);
    else
        put(w, "; silent for %llu to %llu s: ", (unsigned long long)least,
            (unsigned long long)most);
    put_names(w, set, which, count);
}

static void put_leader(struct words *w, const struct kl_replica *r, const kl_replica_why *why)
{
    u32 leader = why->consensus.leader;
    put(w, ": ");
    put_address(w, &r->epoch->set.validators[leader].operator);
    if (leader == r->self)
        put(w, ", this node");
    else if (why->silent_ns[leader] >= QUIET_NS)
        put(w, ", silent for %llu s", (unsigned long long)(why->silent_ns[leader] / NS_PER_S));
}

static const char *why_not_signing(const struct kl_replica *r)
{
    return r->barred      ? "its key is used elsewhere (when that machine is gone for good: 'keel "
                            "validator resume')"
           : r->observing ? "its consensus log was damaged"
           : r->watching  ? "its sign guard may be an old copy"
           : r->below_pin ? "it is below its checkpoint"
           : !r->guard    ? "it has no sign guard"
                          : NULL;
}

static void put_off_pin(struct words *w, const kl_pin *pin, const kl_hash *found)
{
    const kl_pin other = {pin->number, *found};
    char wanted[KL_PIN_TEXT_MAX], is[KL_PIN_TEXT_MAX];
    kl_pin_text(wanted, pin);
    kl_pin_text(is, &other);
    put(w,
        "this node makes nothing final any more: the network's history has the block %s and not "
        "the checkpoint %s; ",
        is, wanted);
}

static bool refuses_final(const struct kl_replica *r)
{
    return r->refused_rule != KL_RULE_NONE && r->refused_height > r->head->header.number;
}

static void put_refused(struct words *w, const struct kl_replica *r)
{
    put(w,
        "block %llu, which is final, is refused here: %s (%s): this node has another genesis file "
        "than the others, or another program",
        (unsigned long long)r->refused_height, kl_rule_text(r->refused_rule),
        kl_rule_name(r->refused_rule));
}

static void put_behind(struct words *w, const struct kl_replica *r, u64 target)
{
    const kl_fetch_lack lack = kl_fetch_lack_of(r->fetch);
    char text[KL_FETCH_LACK_MAX];
    kl_fetch_lack_text(text, &lack);
    put(w, "catching up, at block %llu of %llu: %s%s", (unsigned long long)r->head->header.number,
        (unsigned long long)target, text, text[0] ? "; " : "");
}

/* Whom a block will need and who cannot be spoken to, before one is wanted. */
static void put_unreached(struct words *w, const struct kl_replica *r)
{
    struct kl_replica_net *net = r->config.net;
    const kl_valset *set = &r->epoch->set;
    bool away[KL_VALIDATORS_MAX] = {false};
    u32 count = 0;
    u64 here = 0;
    for (u32 i = 0; net && net->reaches && i < set->count; i++) {
        away[i] = i != r->self && !net->reaches(net, set->validators[i].key);
        count += away[i];
        here += away[i] ? 0 : set->validators[i].weight;
    }
    if (!count)
        return;
    put(w, "; connected are %llu of %llu, and a block needs %llu; not connected: ",
        (unsigned long long)here, (unsigned long long)set->weight,
        (unsigned long long)kl_valset_quorum(set));
    put_names(w, set, away, count);
}

/* What the view waits for. */
static void put_votes(struct words *w, const struct kl_replica *r, const kl_replica_why *why)
{
    static const char *const words[] = {
        [KL_SIMPLEX_MOVING] = "nothing is overdue",
        [KL_SIMPLEX_IDLE] = "no transaction waits",
        [KL_SIMPLEX_WAITS_PROPOSAL] = "the leader has not proposed",
        [KL_SIMPLEX_WAITS_BODY] = "the proposed block has not arrived",
        [KL_SIMPLEX_WAITS_PARENT] = "certificates below the proposal are missing",
        [KL_SIMPLEX_WAITS_NOTARIZE] = "votes for the proposal are missing",
        [KL_SIMPLEX_WAITS_NULLIFY] = "votes to pass over the view are missing",
        [KL_SIMPLEX_WAITS_DISK] = "a vote is not durable yet",
        [KL_SIMPLEX_WAITS_EPOCH] = "the next epoch's validators are not known yet",
        [KL_SIMPLEX_DIFFERS] = "others have notarized a block that is invalid here",
    };
    const kl_simplex_status *s = &why->consensus;
    put(w, "%s", words[s->why]);
    if (s->why == KL_SIMPLEX_WAITS_PROPOSAL)
        put_leader(w, r, why);
    if (s->need) {
        put(w, ": need %llu of %llu, have %llu", (unsigned long long)s->need,
            (unsigned long long)r->epoch->set.weight, (unsigned long long)s->have);
        put_group(w, r, why, true);
        put_group(w, r, why, false);
    } else {
        put_unreached(w, r);
    }
}

static void put_why(struct words *w, const struct kl_replica *r, const kl_replica_why *why)
{
    u64 target = kl_fetch_target(r->fetch);
    if (target > r->head->header.number + BEHIND)
        put_behind(w, r, target);
    if (r->off_pin)
        put_off_pin(w, kl_chain_pin(r->chain), &r->found);
    else if (r->broken != KL_OK)
        put(w, "this node makes nothing final any more: %s; ", kl_status_text(r->broken));
    if (refuses_final(r))
        put_refused(w, r);
    else
        put_votes(w, r, why);
    if ((r->self != KL_BFT_NOBODY || r->barred) && why_not_signing(r))
        put(w, "; this node does not sign: %s", why_not_signing(r));
}

void kl_replica_why_of(const struct kl_replica *r, kl_replica_why *out)
{
    u64 now_ns = replica_now(r);
    struct words words = {.text = out->text};
    *out = (kl_replica_why){.consensus = kl_simplex_status_of(r->engine, now_ns)};
    for (u32 i = 0; i < r->epoch->set.count && r->started; i++)
        if (i != r->self)
            out->silent_ns[i] =
                now_ns - KL_MAX(kl_simplex_heard_ns(r->engine, i), r->stall.started_ns);
    if (r->stall.told_ns && out->consensus.why != KL_SIMPLEX_IDLE) /* else it is over */
        out->stalled_ns = now_ns - r->stall.since_ns;
    put_why(&words, r, out);
}

/* --- when it is told --- */

static void say(struct kl_replica *r, const char *format, ...) KL_PRINTF(2, 3);

static void say(struct kl_replica *r, const char *format, ...)
{
    struct kl_replica_watch *watch = r->config.watch;
    char line[KL_REPLICA_WHY_MAX + 100];
    va_list args;
    if (!watch || !watch->stalls)
        return;
    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    watch->stalls(watch, line);
}

void replica_refuse_pin(struct kl_replica *r, const kl_hash *found)
{
    char text[KL_REPLICA_WHY_MAX];
    struct words words = {.text = text};
    if (r->off_pin)
        return;
    r->off_pin = true;
    r->found = *found;
    put_off_pin(&words, kl_chain_pin(r->chain), found);
    say(r,
        "Another chain than the checkpoint's: %s it was made by the same validators, or the "
        "checkpoint is wrong",
        text);
    replica_fail(r, KL_UNSUPPORTED, "another block is final than the checkpoint of its height");
}

/* It is fetched again and again, and said once. */
void replica_refuse_final(struct kl_replica *r, u64 height, kl_rule rule)
{
    char text[KL_REPLICA_WHY_MAX];
    struct words words = {.text = text};
    bool known = r->refused_rule == rule && r->refused_height == height;
    r->refused_rule = rule;
    r->refused_height = height;
    if (known)
        return;
    put_refused(&words, r);
    say(r, "This node stands still: %s", text);
}

void replica_stall_begin(struct kl_replica *r)
{
    u64 now_ns = replica_now(r);
    r->stall = (struct replica_stall){.started_ns = now_ns,
                                      .since_ns = now_ns,
                                      .looked_ns = now_ns,
                                      .due_ns = now_ns + LOOK_NS,
                                      .height = r->head->header.number};
}

/* Something became final, nothing is wanted, or nobody looked: it begins anew. */
static void begin_anew(struct kl_replica *r, u64 now_ns)
{
    struct replica_stall *stall = &r->stall;
    bool moved = r->head->header.number != stall->height;
    u64 seconds = (now_ns - stall->since_ns) / NS_PER_S;
    if (stall->told_ns && moved)
        say(r, "Blocks are made again, after %llu s without", (unsigned long long)seconds);
    stall->told_ns = 0;
    stall->since_ns = now_ns;
    stall->height = r->head->header.number;
}

void replica_stall_look(struct kl_replica *r)
{
    struct replica_stall *stall = &r->stall;
    u64 now_ns = replica_now(r), away_ns = now_ns - stall->looked_ns;
    stall->looked_ns = now_ns;
    stall->due_ns = now_ns + LOOK_NS;
    kl_simplex_status status = kl_simplex_status_of(r->engine, now_ns);
    if (r->head->header.number != stall->height || status.why == KL_SIMPLEX_IDLE ||
        away_ns >= STALL_NS) {
        begin_anew(r, now_ns);
        return;
    }
    if (now_ns - stall->since_ns < STALL_NS ||
        (stall->told_ns && now_ns - stall->told_ns < AGAIN_NS))
        return;
    kl_replica_why why;
    stall->told_ns = now_ns;
    kl_replica_why_of(r, &why);
    say(r, "No block for %llu s: %s", (unsigned long long)(why.stalled_ns / NS_PER_S), why.text);
}
