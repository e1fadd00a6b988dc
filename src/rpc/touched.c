#include "rpc/touched.h"

#include "evm/opcode.h"

struct touched_slot {
    struct {
        kl_address address;
        kl_hash key;
    } id;
    struct touched_slot *next;
};

struct touched_account {
    kl_address address;
    bool listed; /* touched, and not left out */
    bool left_out;
    usize slot_count;
    struct touched_slot *first, **last;
    struct touched_account *next;
};

static struct touched_account *account_of(struct kl_touched *t, const kl_address *address)
{
    struct touched_account *a = kl_map_get(&t->accounts, address->b);
    if (a)
        return a;
    a = KL_ZERO(t->arena, struct touched_account, 1);
    if (!a) {
        t->no_memory = true;
        return NULL;
    }
    a->address = *address;
    a->last = &a->first;
    if (kl_map_put(&t->accounts, a) != KL_OK) {
        t->no_memory = true;
        return NULL;
    }
    *t->last = a;
    t->last = &a->next;
    return a;
}

static void list_account(struct kl_touched *t, struct touched_account *a)
{
    if (a->listed)
        return;
    a->listed = true;
    t->count++;
    t->changes++;
}

static void touch_account(struct kl_touched *t, const kl_address *address)
{
    struct touched_account *a = account_of(t, address);
    if (a && !a->left_out)
        list_account(t, a);
}

static void touch_slot(struct kl_touched *t, const kl_address *address, const kl_hash *key)
{
    struct touched_account *a = account_of(t, address);
    struct touched_slot *slot = KL_ZERO(t->arena, struct touched_slot, 1);
    if (!a || !slot) {
        t->no_memory = true;
        return;
    }
    slot->id.address = *address;
    slot->id.key = *key;
    list_account(t, a);
    if (kl_map_get(&t->slots, &slot->id))
        return;
    if (kl_map_put(&t->slots, slot) != KL_OK) {
        t->no_memory = true;
        return;
    }
    *a->last = slot;
    a->last = &slot->next;
    a->slot_count++;
    t->changes++;
}

/* How deep in the stack the address lies that an instruction touches, 1 for the top; 0: none does.
 */
static usize address_depth(u8 op)
{
    switch (op) {
    case KL_OP_BALANCE:
    case KL_OP_EXTCODESIZE:
    case KL_OP_EXTCODECOPY:
    case KL_OP_EXTCODEHASH:
    case KL_OP_SELFDESTRUCT:
        return 1;
    case KL_OP_CALL:
    case KL_OP_CALLCODE:
    case KL_OP_DELEGATECALL:
    case KL_OP_STATICCALL:
        return 2;
    }
    return 0;
}

static void step(struct kl_tracer *tracer, const kl_trace_step *s)
{
    struct kl_touched *t = (struct kl_touched *)tracer;
    usize depth = address_depth(s->op);
    if (depth && s->stack_len >= depth) {
        kl_address address = kl_u256_to_address(s->stack[s->stack_len - depth]);
        touch_account(t, &address);
    } else if ((s->op == KL_OP_SLOAD || s->op == KL_OP_SSTORE) && s->stack_len >= 1) {
        kl_hash key = kl_u256_to_hash(s->stack[s->stack_len - 1]);
        touch_slot(t, s->address, &key);
    }
}

void kl_touched_init(struct kl_touched *touched, struct kl_arena *arena, u64 seed)
{
    *touched = (struct kl_touched){.tracer = {.step = step}, .arena = arena};
    touched->last = &touched->first;
    kl_map_init(&touched->accounts, offsetof(struct touched_account, address), sizeof(kl_address),
                seed);
    kl_map_init(&touched->slots, offsetof(struct touched_slot, id),
                sizeof(((struct touched_slot *)0)->id), seed);
}

void kl_touched_done(struct kl_touched *touched)
{
    kl_map_done(&touched->accounts);
    kl_map_done(&touched->slots);
}

void kl_touched_leave_out(struct kl_touched *touched, const kl_address *address)
{
    struct touched_account *a = account_of(touched, address);
    if (a)
        a->left_out = true;
}

void kl_touched_add_list(struct kl_touched *touched, const kl_access *list, usize count)
{
    for (usize i = 0; i < count; i++) {
        struct touched_account *a = account_of(touched, &list[i].address);
        if (a)
            list_account(touched, a);
        for (usize k = 0; k < list[i].slot_count; k++)
            touch_slot(touched, &list[i].address, &list[i].slots[k]);
    }
}

static const kl_hash *slots_of(struct kl_touched *t, const struct touched_account *a)
{
    kl_hash *slots = KL_TAKE(t->arena, kl_hash, a->slot_count);
    usize i = 0;
    for (const struct touched_slot *s = slots ? a->first : NULL; s; s = s->next)
        slots[i++] = s->id.key;
    return slots;
}

kl_status kl_touched_list(struct kl_touched *touched, const kl_access **out, usize *count)
{
    kl_access *list = KL_ZERO(touched->arena, kl_access, touched->count);
    usize i = 0;
    if (touched->no_memory || (touched->count && !list))
        return KL_NOMEM;
    for (const struct touched_account *a = touched->first; a; a = a->next) {
        if (!a->listed)
            continue;
        const kl_hash *slots = a->slot_count ? slots_of(touched, a) : NULL;
        if (a->slot_count && !slots)
            return KL_NOMEM;
        list[i++] = (kl_access){a->address, slots, a->slot_count};
    }
    *out = list;
    *count = i;
    return KL_OK;
}
