/* attack: what Byzantine validators do.  Each runs the production replica, and what leaves it is
 * changed on its way: frames are kept back, sent to some only, or made anew and signed with its
 * key. */
#ifndef KL_LAB_ATTACK_PRIV_H
#define KL_LAB_ATTACK_PRIV_H

#include "lab/world_priv.h"

struct kl_lab_attacker;

void kl_lab_attack_begin(struct kl_lab *lab);
void kl_lab_attack_done(struct kl_lab *lab);

/* Whether it makes bodies anew, and so must have them whole. */
bool kl_lab_changes_bodies(const struct kl_lab_machine *machine);
/* True when the frame has been dealt with. */
bool kl_lab_attack_sends(struct kl_lab_machine *machine, u32 peer, struct kl_lab_frame *frame);
/* A faulty machine has seen a block become final. */
void kl_lab_attack_final(struct kl_lab_machine *machine, struct kl_tip *tip);
/* Its replica goes: nothing of its chain is held any more. */
void kl_lab_attack_forget(struct kl_lab_machine *machine);

#endif
