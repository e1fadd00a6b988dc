/* Frames on their way.  The weather loses, repeats and delays them; it also does what no good
 * transport does, so that nothing rests on one.  Twins never hear of each other: they would find
 * out that their key is used. */
#include <stdlib.h>

#include "lab/attack_priv.h"
#include "lab/oracle_priv.h"
#include "lab/world_priv.h"

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

static void carry_one(struct kl_lab_machine *from, u32 to, struct kl_lab_frame *frame, u64 extra_ns)
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
                                .frame = frame},
                at_ns);
}

void kl_lab_carry(struct kl_lab_machine *from, u32 to, struct kl_lab_frame *frame, u64 extra_ns)
{
    struct kl_lab *lab = from->lab;
    if (to == from->index || to >= lab->count)
        return;
    lab->result->messages++;
    lab->result->bytes += frame->len;
    const struct kl_lab_machine *target = lab->machines[to];
    bool twins = from->validator == target->validator && from->validator != KL_BFT_NOBODY;
    if (twins || from->cut[to] || !target->replica ||
        (!lab->calm && kl_lab_percent(lab, lab->plan.loss_percent)))
        return;
    if (lab->script && lab->script->passes && !lab->script->passes(lab, from->index, to, frame))
        return;
    carry_one(from, to, frame, extra_ns);
    if (!lab->calm && kl_lab_percent(lab, lab->plan.duplicate_percent))
        carry_one(from, to, frame, extra_ns);
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
            if (peer == KL_REPLICA_ALL || peer == to)
                kl_lab_carry(machine, to, frame, 0);
    kl_lab_frame_unref(frame);
}

static bool can_speak(const struct kl_lab_machine *a, const struct kl_lab_machine *b)
{
    return a->replica && b->replica && !a->cut[b->index] && !b->cut[a->index];
}

void kl_lab_relink(struct kl_lab *lab)
{
    for (u32 a = 0; a < lab->count; a++)
        for (u32 b = 0; b < lab->count; b++) {
            struct kl_lab_machine *machine = lab->machines[a];
            if (a == b || !machine->replica ||
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
    if (machine->linked[peer] == can)
        return;
    machine->linked[peer] = can;
    kl_lab_tell(machine, can ? "can speak to #" : "has lost its connection to #", peer, 0, 0);
    if (can)
        kl_replica_connected(machine->replica, peer);
    else
        kl_replica_disconnected(machine->replica, peer);
}
