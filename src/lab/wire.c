/* Swarms and routers of the machines.  What comes for a replica waits in an inbox until the swarm's
 * call is over, as it does behind a node's lock (node/member). */
#include "lab/wire_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "codec/hex.h"
#include "lab/oracle_priv.h"
#include "p2p/peer_record.h"
#include "sync/message.h"

#define WHOLE_NS        (20 * KL_S) /* calm until all are connected */
#define WHOLE_FRIEND_NS (50 * KL_S) /* the same, of observers, who are dialled less often */

enum { PORT = 9000 };

u64 kl_lab_wire_below(struct kl_lab *lab, u64 n)
{
    return kl_rand_below(&lab->wire->dice, n);
}

bool kl_lab_wire_percent(struct kl_lab *lab, u32 percent)
{
    return kl_lab_wire_below(lab, 100) < percent;
}

static void fill(struct kl_entropy *entropy, void *out, usize len)
{
    struct kl_lab_wire *w =
        (struct kl_lab_wire *)((char *)entropy - offsetof(struct kl_lab_wire, entropy));
    kl_rand_fill(&w->dice, out, len);
}

static struct kl_lab_plug *of(struct kl_swarm_user *user)
{
    return (struct kl_lab_plug *)user;
}

static struct kl_lab_plug *of_gossip(struct kl_gossip_user *user)
{
    return (struct kl_lab_plug *)((char *)user - offsetof(struct kl_lab_plug, gossip_user));
}

kl_multiaddr kl_lab_wire_addr(const struct kl_lab *lab, u32 machine)
{
    return (kl_multiaddr){
        .host = KL_HOST_IP4,
        .ip = {lab->wire->world ? 5 : 10, (u8)(1 + machine), 0, 1}, /* 5.0.0.0/8 is the world's */
        .has_port = true,
        .port = PORT};
}

/* The machine of that identity; all of them have one. */
static u32 machine_of(const struct kl_lab *lab, const kl_peer_id *id)
{
    u32 i = 0;
    while (i < lab->count && !kl_peer_id_eq(&lab->wire->ids[i], id))
        i++;
    KL_ASSERT(i < lab->count);
    return i;
}

/* Two with one key would find out that it is used. */
static bool is_twin(const struct kl_lab_machine *a, const struct kl_lab_machine *b)
{
    return a->validator == b->validator && a->validator != KL_BFT_NOBODY;
}

static bool is_observer(const struct kl_lab_machine *machine)
{
    return machine->validator == KL_BFT_NOBODY;
}

/* Whether it dials the other, and gives it a place of its own. */
static bool lists(const struct kl_lab_machine *machine, const struct kl_lab_machine *other)
{
    bool stranger = machine->lab->wire->open && is_observer(other);
    return other != machine && !is_twin(machine, other) && !stranger;
}

/* As in a node: who has a vote comes back to its peers fast. */
static kl_swarm_standing standing(const struct kl_lab_machine *machine)
{
    return is_observer(machine) ? KL_SWARM_FRIEND : KL_SWARM_VALIDATOR;
}

/* --- what must hold --- */

/* What nobody is to be blamed for: time, and too little room. */
static bool is_fine(kl_rule why)
{
    static const kl_rule rules[] = {
        KL_RULE_NONE,        KL_RULE_SWARM_SILENT, KL_RULE_SWARM_HANDSHAKE,
        KL_RULE_SWARM_HELLO, KL_RULE_SWARM_FULL,   KL_RULE_SWARM_KNOCKS};
    for (usize i = 0; i < KL_COUNT_OF(rules); i++)
        if (why == rules[i])
            return true;
    return false;
}

static void check_honest(struct kl_lab_plug *plug, u32 peer, const char *what, kl_rule why)
{
    struct kl_lab_machine *machine = plug->machine;
    if (kl_lab_is_honest(machine) && kl_lab_is_honest(machine->lab->machines[peer]))
        kl_lab_break(machine->lab, 0, "machine %u %s %u, which is honest: %s", machine->index, what,
                     peer, why == KL_RULE_NONE ? "score" : kl_rule_name(why));
}

/* --- what swarms ask for --- */

static void on_dial(struct kl_swarm_user *user, i32 place, u32 link)
{
    struct kl_lab_plug *plug = of(user);
    struct kl_lab *lab = plug->machine->lab;
    u32 to = machine_of(lab, kl_swarm_id(plug->swarm, (u32)place));
    plug->pipe_of[link] = kl_lab_pipe_dial(lab, plug->machine->index, link, to);
}

static void on_close(struct kl_swarm_user *user, u32 link, kl_rule why)
{
    struct kl_lab_plug *plug = of(user);
    struct kl_lab *lab = plug->machine->lab;
    u32 pipe = plug->pipe_of[link], peer = kl_lab_pipe_peer(lab, pipe, plug->machine->index);
    plug->touched = true;
    plug->pipe_of[link] = KL_LAB_WIRE_NONE;
    kl_lab_tell(plug->machine, "ends a connection with # for rule #", peer, (u64)why, 0);
    lab->result->silences += why == KL_RULE_SWARM_SILENT;
    if (!is_fine(why))
        check_honest(plug, peer, "drops", why);
    kl_lab_pipe_close(lab, pipe, plug->machine->index, link);
}

static void on_writable(struct kl_swarm_user *user, u32 link)
{
    struct kl_lab_plug *plug = of(user);
    plug->touched = true;
    if (plug->pipe_of[link] != KL_LAB_WIRE_NONE)
        kl_lab_pipe_writable(plug->machine->lab, plug->pipe_of[link], plug->machine->index, link);
}

/* --- what comes for the replica --- */

static void put_item(struct kl_lab_plug *plug, const struct lab_item *item)
{
    if (plug->inbox_count == plug->inbox_cap) {
        plug->inbox_cap = plug->inbox_cap ? 2 * plug->inbox_cap : 16;
        plug->inbox = realloc(plug->inbox, plug->inbox_cap * sizeof *plug->inbox);
        KL_ASSERT(plug->inbox);
    }
    plug->inbox[plug->inbox_count++] = *item;
    plug->touched = true;
}

static void on_met(struct kl_swarm_user *user, u32 place)
{
    struct kl_lab_plug *plug = of(user);
    plug->places[place] = (struct lab_place){
        .machine = machine_of(plug->machine->lab, kl_swarm_id(plug->swarm, place)),
        .gossip = KL_LAB_WIRE_NONE,
    };
}

static void on_up(struct kl_swarm_user *user, u32 place)
{
    struct kl_lab_plug *plug = of(user);
    u32 peer = plug->places[place].machine, link = (u32)kl_swarm_link(plug->swarm, place);
    plug->up[peer] = true;
    kl_lab_tell(plug->machine, "is joined with #", peer, 0, 0);
    plug->machine->lab->result->connections += kl_swarm_link_is_outbound(plug->swarm, link);
    put_item(plug, &(struct lab_item){.peer = peer, .up = true});
}

static void on_down(struct kl_swarm_user *user, u32 place)
{
    struct kl_lab_plug *plug = of(user);
    u32 peer = plug->places[place].machine;
    plug->up[peer] = false;
    put_item(plug, &(struct lab_item){.peer = peer});
}

static void on_frame(struct kl_swarm_user *user, u32 place, KL_UNUSED kl_swarm_class class,
                     kl_span bytes)
{
    struct kl_lab_plug *plug = of(user);
    u8 first = bytes.len ? bytes.p[0] : 0; /* what it says it is, for the story */
    kl_message_kind kind =
        first && first <= KL_MESSAGE_LAST ? (kl_message_kind)first : KL_MESSAGE_VOTE;
    put_item(plug, &(struct lab_item){.frame = kl_lab_frame_new(kind, bytes),
                                      .peer = plug->places[place].machine});
}

static void on_greet(struct kl_swarm_user *user, KL_UNUSED u32 place, struct kl_buf *out)
{
    kl_buf_bytes(out, of(user)->machine->lab->genesis_hash.b, sizeof(kl_hash));
}

static kl_rule on_hello(struct kl_swarm_user *user, KL_UNUSED u32 place, kl_span hello)
{
    const struct kl_lab *lab = of(user)->machine->lab;
    bool same =
        hello.len == sizeof(kl_hash) && memcmp(hello.p, lab->genesis_hash.b, sizeof(kl_hash)) == 0;
    return same ? KL_RULE_NONE : KL_RULE_SWARM_NETWORK;
}

/* --- gossip --- */

static void on_event(struct kl_gossip_user *user, const kl_gossip_event *e)
{
    struct kl_lab_plug *plug = of_gossip(user);
    struct lab_place *place = &plug->places[e->tag];
    switch (e->kind) {
    case KL_GOSSIP_SEND:
        (void)kl_swarm_gossip(plug->swarm, (u32)e->tag, e->bytes, e->keep);
        break;
    case KL_GOSSIP_DELIVER: {
        struct lab_item item = {.frame = kl_lab_frame_new(KL_MESSAGE_TRANSACTIONS, e->bytes),
                                .peer = place->machine,
                                .gossiped = true};
        memcpy(item.id, e->id, sizeof item.id);
        put_item(plug, &item);
        break;
    }
    case KL_GOSSIP_CONNECT:
        break;
    case KL_GOSSIP_GRAY:
        place->gray = plug->any_gray = true;
        check_honest(plug, place->machine, "listens no more to", KL_RULE_NONE);
        break;
    case KL_GOSSIP_NUISANCE:
        kl_swarm_nuisance(plug->swarm, (u32)e->tag, e->units, plug->machine->lab->now_ns);
        break;
    }
}

static void on_gossips(struct kl_swarm_user *user, u32 at, kl_gossip_version version)
{
    struct kl_lab_plug *plug = of(user);
    const kl_gossip_peer_info info = kl_swarm_gossip_info(plug->swarm, at, version);
    KL_ASSERT(kl_gossip_up(plug->gossip, plug->machine->lab->now_ns, &info,
                           &plug->places[at].gossip) == KL_OK);
}

static void on_silent(struct kl_swarm_user *user, u32 at)
{
    struct kl_lab_plug *plug = of(user);
    kl_gossip_down(plug->gossip, plug->machine->lab->now_ns, plug->places[at].gossip);
    plug->places[at].gossip = KL_LAB_WIRE_NONE;
}

static void on_rpc(struct kl_swarm_user *user, u32 at, kl_span rpc)
{
    struct kl_lab_plug *plug = of(user);
    u64 now_ns = plug->machine->lab->now_ns;
    kl_rule broken = kl_gossip_hear(plug->gossip, now_ns, plug->places[at].gossip, rpc);
    if (broken != KL_RULE_NONE)
        kl_swarm_drop(plug->swarm, at, broken, now_ns);
}

static void on_identified(struct kl_swarm_user *user, u32 at, const kl_identify *identify)
{
    struct kl_lab_plug *plug = of(user);
    struct lab_place *place = &plug->places[at];
    kl_peer_record record;
    kl_rule broken = kl_peer_record_open(&record, identify->record);
    if (broken == KL_RULE_NONE && !kl_peer_id_eq(&record.peer, kl_swarm_id(plug->swarm, at)))
        broken = KL_RULE_RECORD_PEER;
    if (broken != KL_RULE_NONE)
        check_honest(plug, place->machine, "has no record of", broken);
    else if (place->gossip != KL_LAB_WIRE_NONE)
        kl_gossip_set_record(plug->gossip, place->gossip, identify->record);
}

/* --- what replicas say --- */

static kl_swarm_class class_of(kl_message_kind kind)
{
    static const kl_swarm_class classes[KL_STREAM_COUNT] = {
        [KL_STREAM_BFT] = KL_SWARM_BFT,
        [KL_STREAM_PROPOSAL] = KL_SWARM_PROPOSAL,
        [KL_STREAM_TX] = KL_SWARM_TX,
        [KL_STREAM_SYNC] = KL_SWARM_SYNC,
    };
    return classes[kl_message_stream_of(kind)];
}

bool kl_lab_wire_tells(struct kl_lab_machine *from, u32 to, kl_message_kind kind)
{
    const struct kl_lab_plug *plug = from->plug;
    i32 place = plug ? kl_swarm_find(plug->swarm, &from->lab->wire->ids[to]) : KL_SWARM_NONE;
    kl_swarm_class class = class_of(kind);
    return place != KL_SWARM_NONE &&
           ((class != KL_SWARM_BFT && class != KL_SWARM_PROPOSAL) ||
            kl_swarm_standing_of(plug->swarm, (u32)place) != KL_SWARM_STRANGER);
}

void kl_lab_wire_send(struct kl_lab_machine *from, u32 to, struct kl_lab_frame *frame, u64 extra_ns)
{
    struct kl_lab *lab = from->lab;
    struct kl_lab_plug *plug = from->plug;
    if (!plug)
        return;
    if (extra_ns) {
        frame->refs++;
        kl_lab_post(lab,
                    &(kl_lab_event){.kind = KL_LAB_WIRE,
                                    .machine = from->index,
                                    .peer = to,
                                    .life = from->life,
                                    .lane = KL_LAB_WIRE_LATE,
                                    .frame = frame},
                    lab->now_ns + extra_ns);
        return;
    }
    i32 place = kl_swarm_find(plug->swarm, &lab->wire->ids[to]);
    if (place != KL_SWARM_NONE)
        (void)kl_swarm_send(plug->swarm, (u32)place, class_of(frame->kind),
                            kl_span_of(frame->bytes, frame->len));
}

void kl_lab_wire_publish(struct kl_lab_machine *machine, const struct kl_lab_frame *frame)
{
    struct kl_lab *lab = machine->lab;
    lab->result->messages++;
    lab->result->bytes += frame->len;
    if (!machine->plug)
        return;
    machine->plug->touched = true;
    (void)!kl_gossip_publish(machine->plug->gossip, lab->now_ns, 0,
                             kl_span_of(frame->bytes, frame->len));
}

/* Who passed a message on, of which the verdict was awaited. */
static u32 judged_of(const struct kl_lab_plug *plug, const u8 id[KL_GOSSIP_ID_LEN])
{
    u64 first = plug->judged_count - KL_MIN(plug->judged_count, KL_COUNT_OF(plug->judged));
    for (u64 i = plug->judged_count; i-- > first;) {
        usize at = i % KL_COUNT_OF(plug->judged);
        if (memcmp(plug->judged[at].id, id, KL_GOSSIP_ID_LEN) == 0)
            return plug->judged[at].peer;
    }
    return KL_LAB_WIRE_NONE;
}

void kl_lab_wire_verdict(struct kl_lab_machine *machine, const u8 id[KL_GOSSIP_ID_LEN],
                         kl_replica_verdict verdict)
{
    static const kl_gossip_verdict_kind verdicts[] = {
        [KL_REPLICA_ACCEPT] = KL_GOSSIP_ACCEPT,
        [KL_REPLICA_REJECT] = KL_GOSSIP_REJECT,
        [KL_REPLICA_IGNORE] = KL_GOSSIP_IGNORE,
    };
    struct kl_lab_plug *plug = machine->plug;
    if (!plug)
        return;
    u32 peer = judged_of(plug, id);
    kl_lab_trace(machine->lab, kl_load_be64(id) << 2 ^ (u64)verdict);
    if (verdict == KL_REPLICA_REJECT && peer != KL_LAB_WIRE_NONE)
        check_honest(plug, peer, "rejects the transactions of", KL_RULE_NONE);
    if (verdict == KL_REPLICA_ACCEPT)
        kl_lab_saw(machine->lab, KL_LAB_SAW_PASSED_ON);
    plug->touched = true;
    kl_gossip_verdict(plug->gossip, machine->lab->now_ns, id, verdicts[verdict]);
}

void kl_lab_wire_penalize(struct kl_lab_machine *machine, u32 peer, kl_rule rule)
{
    struct kl_lab_plug *plug = machine->plug;
    i32 place = plug ? kl_swarm_find(plug->swarm, &machine->lab->wire->ids[peer]) : KL_SWARM_NONE;
    if (place != KL_SWARM_NONE)
        kl_swarm_drop(plug->swarm, (u32)place, rule, machine->lab->now_ns);
}

/* --- events --- */

static void post(struct kl_lab_plug *plug, kl_lab_wire_event what, u64 at_ns)
{
    const kl_lab_event event = {.kind = KL_LAB_WIRE,
                                .machine = plug->machine->index,
                                .life = plug->machine->life,
                                .lane = what};
    kl_lab_post(plug->machine->lab, &event, at_ns);
}

static void hear_gossip(struct kl_lab_machine *machine, const struct lab_item *item)
{
    struct kl_lab_plug *plug = machine->plug;
    usize at = plug->judged_count++ % KL_COUNT_OF(plug->judged);
    memcpy(plug->judged[at].id, item->id, sizeof item->id);
    plug->judged[at].peer = item->peer;
    kl_lab_hears(machine, item->peer, item->frame);
    if (machine->replica)
        kl_replica_gossiped(machine->replica, item->id, item->peer,
                            kl_span_of(item->frame->bytes, item->frame->len));
    else
        kl_lab_wire_verdict(machine, item->id, KL_REPLICA_IGNORE);
}

static void drain(struct kl_lab_machine *machine)
{
    struct kl_lab_plug *plug = machine->plug;
    plug->inbox_posted = false;
    for (usize i = 0; i < plug->inbox_count; i++) {
        struct lab_item item = plug->inbox[i]; /* more may come while this is heard */
        if (!item.frame)
            kl_lab_link_is(machine, item.peer, item.up);
        else if (item.gossiped)
            hear_gossip(machine, &item);
        else
            kl_lab_arrive(machine, item.peer, item.frame);
        kl_lab_frame_unref(item.frame);
    }
    plug->inbox_count = 0;
}

/* Nobody honest is thought so ill of that its gossip is not listened to.  A little below zero it
 * may come for a while: what it was asked for is late where connections break all the time. */
static void check_scores(struct kl_lab_plug *plug)
{
    double least = kl_gossip_config_usual().score.gossip;
    for (u32 i = 0; i < KL_SWARM_PEERS_MAX; i++) {
        const struct lab_place *place = &plug->places[i];
        bool gossips =
            kl_swarm_link(plug->swarm, i) != KL_SWARM_NONE && place->gossip != KL_LAB_WIRE_NONE;
        if (gossips && kl_gossip_score(plug->gossip, place->gossip) < least)
            check_honest(plug, place->machine, "thinks ill of", KL_RULE_NONE);
    }
}

static void tick(struct kl_lab_plug *plug, u64 at_ns)
{
    u64 now_ns = plug->machine->lab->now_ns;
    if (at_ns >= plug->tick_ns)
        plug->tick_ns = UINT64_MAX;
    kl_swarm_tick(plug->swarm, now_ns);
    if (plug->beat_ns > now_ns)
        return;
    plug->beat_ns = now_ns + KL_GOSSIP_BEAT_NS;
    kl_gossip_beat(plug->gossip, now_ns);
    check_scores(plug);
}

void kl_lab_wire_happen(struct kl_lab_machine *machine, const kl_lab_event *event)
{
    struct kl_lab_plug *plug = machine->plug;
    plug->touched = true;
    if (event->lane == KL_LAB_WIRE_TICK)
        tick(plug, event->at_ns);
    else if (event->lane == KL_LAB_WIRE_LATE)
        kl_lab_wire_send(machine, event->peer, event->frame, 0);
    drain(machine);
}

static void drop_gray(struct kl_lab_plug *plug)
{
    plug->any_gray = false;
    for (u32 i = 0; i < KL_SWARM_PEERS_MAX; i++) {
        bool gray = plug->places[i].gray;
        plug->places[i].gray = false;
        if (gray)
            kl_swarm_drop(plug->swarm, i, KL_RULE_SWARM_GRAY, plug->machine->lab->now_ns);
    }
}

/* Numbers that nothing a peer does may push. */
static void check_bounds(struct kl_lab_plug *plug)
{
    struct kl_lab *lab = plug->machine->lab;
    kl_swarm_counts c = kl_swarm_counts_of(plug->swarm);
    usize held_max = kl_gossip_config_usual().held_max;
    if (c.met >= lab->count || c.up > c.met || c.gossiping > c.met ||
        c.inbound + c.outbound != c.met || kl_gossip_held_bytes(plug->gossip) > held_max)
        kl_lab_break(lab, 11, "machine %u has %u connections, %u up, %u gossiping, %zu bytes held",
                     plug->machine->index, c.met, c.up, c.gossiping,
                     kl_gossip_held_bytes(plug->gossip));
}

static void settle(struct kl_lab_plug *plug)
{
    struct kl_lab *lab = plug->machine->lab;
    plug->touched = false;
    if (plug->any_gray)
        drop_gray(plug);
    check_bounds(plug);
    if (plug->inbox_count && !plug->inbox_posted) {
        plug->inbox_posted = true;
        post(plug, KL_LAB_WIRE_INBOX, lab->now_ns);
    }
    u64 due_ns = KL_MIN(kl_swarm_due_ns(plug->swarm), plug->beat_ns);
    if (due_ns < plug->tick_ns) {
        plug->tick_ns = KL_MAX(due_ns, lab->now_ns);
        post(plug, KL_LAB_WIRE_TICK, plug->tick_ns);
    }
}

void kl_lab_wire_settle(struct kl_lab *lab)
{
    kl_lab_pipe_settle(lab);
    for (u32 i = 0; i < lab->count; i++) {
        struct kl_lab_plug *plug = lab->machines[i]->plug;
        if (plug && plug->touched)
            settle(plug);
    }
}

/* --- life --- */

i32 kl_lab_wire_accepts(struct kl_lab_machine *machine, u32 from, u32 pipe)
{
    struct kl_lab_plug *plug = machine->plug;
    kl_multiaddr remote = kl_lab_wire_addr(machine->lab, from);
    kl_rule why;
    i32 link = kl_swarm_accepted(plug->swarm, &remote, machine->lab->now_ns, &why);
    plug->touched = true;
    if (link != KL_SWARM_NONE)
        plug->pipe_of[link] = pipe;
    else if (!is_fine(why))
        check_honest(plug, from, "does not let in", why);
    return link;
}

static void open_swarm(struct kl_lab_plug *plug)
{
    struct kl_lab_wire *w = plug->machine->lab->wire;
    kl_swarm_config config = {
        .identity = &w->identities[plug->machine->index],
        .entropy = &w->entropy,
        .agent = "keel",
        .open = w->open,
        .limits = kl_swarm_limits_usual(),
    };
    for (usize i = 0; i < KL_SWARM_CLASSES; i++)
        config.frame_max[i] = i == KL_SWARM_BFT ? KL_MESSAGE_BFT_MAX : KL_MESSAGE_MAX;
    memcpy(config.digest, w->digest, sizeof config.digest);
    plug->user = (struct kl_swarm_user){.dial = on_dial,
                                        .close = on_close,
                                        .writable = on_writable,
                                        .met = on_met,
                                        .greet = on_greet,
                                        .hello = on_hello,
                                        .up = on_up,
                                        .down = on_down,
                                        .frame = on_frame,
                                        .identified = on_identified,
                                        .gossips = on_gossips,
                                        .silent = on_silent,
                                        .rpc = on_rpc};
    KL_ASSERT(kl_swarm_new(&plug->swarm, &config, &plug->user) == KL_OK);
}

static void open_gossip(struct kl_lab_plug *plug)
{
    struct kl_lab_wire *w = plug->machine->lab->wire;
    const kl_gossip_topic topic = {kl_span_str(w->topic), kl_gossip_topic_score_usual()};
    kl_gossip_config config = kl_gossip_config_usual();
    config.topics = &topic;
    config.topic_count = 1;
    config.direct_clique = true;
    config.seed = kl_rand(&w->dice);
    plug->gossip_user.event = on_event;
    KL_ASSERT(kl_gossip_new(&plug->gossip, &config, &plug->gossip_user) == KL_OK);
    kl_gossip_join(plug->gossip, plug->machine->lab->now_ns, 0);
}

/* Where it is, signed. */
static void tell_addrs(struct kl_lab_plug *plug)
{
    struct kl_lab *lab = plug->machine->lab;
    u8 bytes[KL_RECORD_MAX];
    kl_out out = kl_out_of(bytes, sizeof bytes);
    kl_peer_record record = {.peer = lab->wire->ids[plug->machine->index],
                             .seq = kl_wall_ns(&plug->machine->clock.base) / KL_MS,
                             .count = 1,
                             .addrs = {kl_lab_wire_addr(lab, plug->machine->index)}};
    kl_peer_record_seal(&out, &record, &lab->wire->identities[plug->machine->index]);
    kl_swarm_set_addrs(plug->swarm, record.addrs, 1, kl_span_of(bytes, out.len));
}

void kl_lab_wire_start(struct kl_lab_machine *machine)
{
    struct kl_lab *lab = machine->lab;
    struct kl_lab_plug *plug = machine->plug = kl_lab_memory(sizeof *plug);
    plug->machine = machine;
    plug->tick_ns = UINT64_MAX;
    plug->since_ns = lab->now_ns;
    plug->beat_ns = lab->now_ns + kl_lab_wire_below(lab, KL_GOSSIP_BEAT_NS);
    plug->touched = true;
    memset(plug->pipe_of, 0xff, sizeof plug->pipe_of);
    lab->wire->mute[machine->index] = false;
    open_swarm(plug);
    open_gossip(plug);
    tell_addrs(plug);
    for (u32 i = 0; i < lab->count; i++) {
        const struct kl_lab_machine *other = lab->machines[i];
        if (lists(machine, other))
            KL_ASSERT(kl_swarm_want(plug->swarm, &lab->wire->ids[i], standing(machine),
                                    lab->now_ns) != KL_SWARM_NONE);
    }
}

void kl_lab_wire_stop(struct kl_lab_machine *machine)
{
    struct kl_lab *lab = machine->lab;
    struct kl_lab_plug *plug = machine->plug;
    if (!plug)
        return;
    bool silently = kl_lab_wire_percent(lab, 50);
    lab->wire->mute[machine->index] = silently;
    kl_lab_pipe_abandon(lab, machine->index, silently);
    kl_swarm_free(plug->swarm);
    kl_gossip_free(plug->gossip);
    for (usize i = 0; i < plug->inbox_count; i++)
        kl_lab_frame_unref(plug->inbox[i].frame);
    free(plug->inbox);
    free(plug);
    machine->plug = NULL;
}

/* Latency is a path's, and the same both ways.  An epoch takes longer than three times back and
 * forth: who follows it a step at a time gets nowhere in less. */
static void draw_paths(struct kl_lab *lab)
{
    struct kl_lab_wire *w = lab->wire;
    u64 epoch_ns = lab->plan.epoch_blocks * lab->plan.period_ms * KL_MS;
    w->delay_ns = KL_MIN(lab->plan.delay_ns, epoch_ns / 6);
    for (u32 a = 0; a < lab->count; a++)
        for (u32 b = 0; b < a; b++)
            w->latency_ns[a][b] = w->latency_ns[b][a] =
                KL_MS / 10 + kl_lab_wire_below(lab, w->delay_ns * 3 / 4 + 1);
}

void kl_lab_wire_begin(struct kl_lab *lab)
{
    struct kl_lab_wire *w = lab->wire = kl_lab_memory(sizeof *w);
    w->dice = lab->options.seed ^ 0x77697265;
    w->entropy.fill = fill;
    kl_hex_digits(w->digest, kl_span_of(lab->genesis_hash.b, 4));
    w->open = kl_rand_below(&w->dice, 2);
    w->world = kl_rand_below(&w->dice, 2);
    snprintf(w->topic, sizeof w->topic, "/keel/%s/tx/1", w->digest);
    for (u32 i = 0; i < lab->count; i++) {
        kl_rand_fill(&w->dice, w->identities[i].b, sizeof w->identities[i].b);
        w->ids[i] = kl_peer_id_of(&w->identities[i]);
    }
    draw_paths(lab);
}

void kl_lab_wire_done(struct kl_lab *lab)
{
    if (!lab->wire)
        return;
    kl_lab_pipe_done(lab);
    free(lab->wire);
    lab->wire = NULL;
}

/* --- calm --- */

static bool is_joined(const struct kl_lab_machine *a, const struct kl_lab_machine *b)
{
    bool apart = !lists(a, b) && !lists(b, a);
    return (a->plug->up[b->index] && b->plug->up[a->index]) || apart;
}

bool kl_lab_wire_is_whole(struct kl_lab *lab)
{
    bool whole = true;
    for (u32 i = 0; i < lab->count; i++)
        for (u32 k = 0; k < i; k++) {
            struct kl_lab_machine *a = lab->machines[i], *b = lab->machines[k];
            if (!kl_lab_is_honest(a) || !kl_lab_is_honest(b) || !a->plug || !b->plug ||
                is_joined(a, b))
                continue;
            whole = false;
            bool friend = is_observer(a) || is_observer(b);
            u64 since_ns = KL_MAX(lab->calm_ns, KL_MAX(a->plug->since_ns, b->plug->since_ns));
            if (lab->now_ns > since_ns + (friend ? WHOLE_FRIEND_NS : WHOLE_NS))
                kl_lab_break(lab, 0, "machines %u and %u are not connected, long after the weather",
                             i, k);
        }
    return whole;
}
