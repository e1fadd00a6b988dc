/* Frames on their way.  The weather loses, repeats and delays them; it also does what no good
 * transport does, so that nothing rests on one.  Twins never hear of each other: they would find
 * out that their key is used. */
#include <stdlib.h>

#include "lab/attack_priv.h"
#include "lab/oracle_priv.h"
#include "lab/wire_priv.h"

struct kl_lab_frame *kl_lab_frame_new(kl_message_kind kind, kl_span bytes)
{
    struct kl_lab_frame *frame = malloc(sizeof *frame + bytes.len);
    KL_ASSERT(frame);
    *frame = (struct kl_lab_frame){.refs = 1, .kind = kind, .len = bytes.len};
    if (bytes.len)
        memcpy(frame->bytes, bytes.p, bytes.len);
    frame->hash = kl_lab_hash(frame->bytes, frame->len);
    return frame;
}

void kl_lab_frame_unref(struct kl_lab_frame *frame)
{
    if (frame && --frame->refs == 0)
        free(frame);
}

static void carry_one(struct kl_lab_machine *from, u32 to, struct kl_lab_frame *frame, u64 extra_ns,
                      bool gossiped)
{
    struct kl_lab *lab = from->lab;
    u64 delay_ns = KL_MS + kl_lab_below(lab, lab->plan.delay_ns) + extra_ns;
    if (!lab->calm && lab->plan.tail_ns && kl_lab_percent(lab, 5))
        delay_ns += kl_lab_below(lab, lab->plan.tail_ns);
    u64 at_ns = lab->now_ns + delay_ns;
    if (from->clog_ns[to] > lab->now_ns) {
        u64 free_ns = from->clog_ns[to] + kl_lab_below(lab, KL_MS);
        at_ns = KL_MAX(at_ns, free_ns);
    }
    frame->refs++;
    kl_lab_post(lab,
                &(kl_lab_event){.kind = KL_LAB_FRAME,
                                .machine = to,
                                .peer = from->index,
                                .life = lab->machines[to]->life,
                                .gossiped = gossiped,
                                .frame = frame},
                at_ns);
}

static void carry(struct kl_lab_machine *from, u32 to, struct kl_lab_frame *frame, u64 extra_ns,
                  bool gossiped)
{
    struct kl_lab *lab = from->lab;
    if (to == from->index || to >= lab->count)
        return;
    lab->result->messages++;
    lab->result->bytes += frame->len;
    if (lab->wire) {
        kl_lab_wire_send(from, to, frame, extra_ns);
        return;
    }
    const struct kl_lab_machine *target = lab->machines[to];
    bool twins = from->validator == target->validator && from->validator != KL_BFT_NOBODY;
    if (twins || from->cut[to] || !kl_lab_is_up(target) ||
        (!lab->calm && kl_lab_percent(lab, lab->plan.loss_percent)))
        return;
    if (lab->script && lab->script->passes && !lab->script->passes(lab, from->index, to, frame))
        return;
    carry_one(from, to, frame, extra_ns, gossiped);
    if (!lab->calm && kl_lab_percent(lab, lab->plan.duplicate_percent))
        carry_one(from, to, frame, extra_ns, gossiped);
}

void kl_lab_carry(struct kl_lab_machine *from, u32 to, struct kl_lab_frame *frame, u64 extra_ns)
{
    carry(from, to, frame, extra_ns, false);
}

/* --- gossip: what is published reaches all, and who finds it good passes it on to one more --- */

void kl_lab_net_publish(struct kl_replica_net *net, kl_span bytes)
{
    struct kl_lab_machine *machine = ((struct kl_lab_net *)net)->machine;
    struct kl_lab *lab = machine->lab;
    if (machine->dead)
        return;
    struct kl_lab_frame *frame = kl_lab_frame_new(KL_MESSAGE_TRANSACTIONS, bytes);
    bool dealt_with = kl_lab_attack_sends(machine, KL_REPLICA_ALL, frame);
    if (!dealt_with && lab->wire)
        kl_lab_wire_publish(machine, frame);
    for (u32 to = 0; !dealt_with && !lab->wire && to < lab->count; to++)
        carry(machine, to, frame, 0, true);
    kl_lab_frame_unref(frame);
}

void kl_lab_gossip(struct kl_lab_machine *machine, u32 peer, struct kl_lab_frame *frame)
{
    u8 id[KL_REPLICA_GOSSIP_ID_LEN] = {0};
    if (!machine->replica)
        return; /* who is being filled passes nothing on */
    u64 number = machine->passed_count++;
    u64 at = number % KL_LAB_PASSED;
    kl_lab_frame_unref(machine->passed[at]);
    frame->refs++;
    machine->passed[at] = frame;
    machine->passed_from[at] = peer;
    kl_store_be64(id, number);
    kl_replica_gossiped(machine->replica, id, peer, kl_span_of(frame->bytes, frame->len));
}

void kl_lab_gossip_forget(struct kl_lab_machine *machine)
{
    for (u32 i = 0; i < KL_LAB_PASSED; i++) {
        kl_lab_frame_unref(machine->passed[i]);
        machine->passed[i] = NULL;
    }
}

void kl_lab_net_verdict(struct kl_replica_net *net, const u8 id[KL_REPLICA_GOSSIP_ID_LEN],
                        kl_replica_verdict verdict)
{
    struct kl_lab_machine *machine = ((struct kl_lab_net *)net)->machine;
    struct kl_lab *lab = machine->lab;
    if (lab->wire) {
        if (!machine->dead)
            kl_lab_wire_verdict(machine, id, verdict);
        return;
    }
    u64 number = kl_load_be64(id), at = number % KL_LAB_PASSED;
    KL_ASSERT(number < machine->passed_count);
    if (machine->dead || number + KL_LAB_PASSED < machine->passed_count)
        return;
    u32 peer = machine->passed_from[at];
    kl_lab_trace(lab, number << 2 ^ (u64)verdict);
    if (verdict == KL_REPLICA_REJECT && kl_lab_is_honest(machine) &&
        kl_lab_is_honest(lab->machines[peer]))
        kl_lab_break(lab, 0, "machine %u rejects what %u passes on, which is honest",
                     machine->index, peer);
    if (verdict == KL_REPLICA_ACCEPT) {
        kl_lab_saw(lab, KL_LAB_SAW_PASSED_ON);
        carry(machine, (u32)kl_lab_below(lab, lab->count), machine->passed[at], 0, true);
    }
}

void kl_lab_net_send(struct kl_replica_net *net, u32 peer, kl_message_kind kind, kl_span bytes)
{
    struct kl_lab_machine *machine = ((struct kl_lab_net *)net)->machine;
    struct kl_lab *lab = machine->lab;
    if (machine->dead)
        return;
    struct kl_lab_frame *frame = kl_lab_frame_new(kind, bytes);
    kl_lab_oracle_sends(machine, frame);
    if (!kl_lab_attack_sends(machine, peer, frame))
        for (u32 to = 0; to < lab->count; to++)
            if (peer == to ||
                (peer == KL_REPLICA_ALL && (!lab->wire || kl_lab_wire_tells(machine, to, kind))))
                kl_lab_carry(machine, to, frame, 0);
    kl_lab_frame_unref(frame);
}

static bool can_speak(const struct kl_lab_machine *a, const struct kl_lab_machine *b)
{
    return kl_lab_is_up(a) && kl_lab_is_up(b) && !a->cut[b->index] && !b->cut[a->index];
}

void kl_lab_relink(struct kl_lab *lab)
{
    if (lab->wire) {
        kl_lab_pipe_heal(lab);
        return;
    }
    for (u32 a = 0; a < lab->count; a++)
        for (u32 b = 0; b < lab->count; b++) {
            struct kl_lab_machine *machine = lab->machines[a];
            if (a == b || !kl_lab_is_up(machine) ||
                machine->linked[b] == can_speak(machine, lab->machines[b]))
                continue;
            const kl_lab_event event = {
                .kind = KL_LAB_LINK, .machine = a, .peer = b, .life = machine->life};
            kl_lab_post(lab, &event, lab->now_ns + kl_lab_below(lab, 500 * KL_MS));
        }
}

void kl_lab_link(struct kl_lab_machine *machine, u32 peer)
{
    bool can = can_speak(machine, machine->lab->machines[peer]);
    if (machine->linked[peer] != can)
        kl_lab_link_is(machine, peer, can);
}

void kl_lab_link_is(struct kl_lab_machine *machine, u32 peer, bool can)
{
    machine->linked[peer] = can;
    kl_lab_tell(machine, can ? "can speak to #" : "has lost its connection to #", peer, 0, 0);
    if (machine->filler && can)
        kl_filler_connected(machine->filler, peer);
    else if (machine->filler)
        kl_filler_disconnected(machine->filler, peer);
    else if (can)
        kl_replica_connected(machine->replica, peer);
    else
        kl_replica_disconnected(machine->replica, peer);
}
