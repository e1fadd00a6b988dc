/* The heap of what is to come, in order of time, and among equals of posting. */
#include "lab/world_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/map.h"

const char *kl_lab_fault_name(kl_lab_fault fault)
{
    static const char *const names[] = {
#define KL_LAB_FAULT_X(name, text) text,
        KL_LAB_FAULTS(KL_LAB_FAULT_X)
#undef KL_LAB_FAULT_X
    };
    return fault < KL_LAB_FAULT_COUNT ? names[fault] : NULL;
}

const char *kl_lab_attack_name(kl_lab_attack attack)
{
    static const char *const names[] = {
#define KL_LAB_ATTACK_X(name, text) text,
        KL_LAB_ATTACKS(KL_LAB_ATTACK_X)
#undef KL_LAB_ATTACK_X
    };
    return attack < KL_LAB_ATTACK_COUNT ? names[attack] : NULL;
}

void *kl_lab_memory(usize bytes)
{
    void *p = calloc(1, bytes ? bytes : 1);
    KL_ASSERT(p);
    return p;
}

u64 kl_lab_below(struct kl_lab *lab, u64 n)
{
    return kl_rand_below(&lab->dice, n);
}

bool kl_lab_percent(struct kl_lab *lab, u32 percent)
{
    return kl_lab_below(lab, 100) < percent;
}

bool kl_lab_has(const struct kl_lab *lab, kl_lab_fault fault)
{
    return lab->plan.faults >> fault & 1;
}

void kl_lab_trace(struct kl_lab *lab, u64 word)
{
    u64 state = lab->result->trace ^ word;
    lab->result->trace = kl_rand(&state);
}

u64 kl_lab_hash(const void *bytes, usize len)
{
    return kl_map_hash(bytes, len, 0x6b65656c);
}

void kl_lab_break(struct kl_lab *lab, u32 assertion, const char *format, ...)
{
    if (lab->result->failed)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(lab->result->broken, sizeof lab->result->broken, format, args);
    va_end(args);
    lab->result->failed = true;
    lab->result->assertion = assertion;
}

static bool is_before(const kl_lab_event *a, const kl_lab_event *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

void kl_lab_post(struct kl_lab *lab, const kl_lab_event *event, u64 at_ns)
{
    kl_lab_event item = *event;
    item.at_ns = KL_MAX(at_ns, lab->now_ns);
    item.order = lab->order++;
    if (lab->heap_count == lab->heap_cap) {
        lab->heap_cap = lab->heap_cap ? 2 * lab->heap_cap : 1024;
        lab->heap = realloc(lab->heap, lab->heap_cap * sizeof *lab->heap);
        KL_ASSERT(lab->heap);
    }
    usize i = lab->heap_count++;
    for (; i && is_before(&item, &lab->heap[(i - 1) / 2]); i = (i - 1) / 2)
        lab->heap[i] = lab->heap[(i - 1) / 2];
    lab->heap[i] = item;
}

bool kl_lab_next(struct kl_lab *lab, kl_lab_event *out)
{
    if (lab->heap_count == 0)
        return false;
    *out = lab->heap[0];
    lab->now_ns = out->at_ns;
    kl_lab_event last = lab->heap[--lab->heap_count];
    usize i = 0, child;
    while ((child = 2 * i + 1) < lab->heap_count) {
        if (child + 1 < lab->heap_count && is_before(&lab->heap[child + 1], &lab->heap[child]))
            child++;
        if (!is_before(&lab->heap[child], &last))
            break;
        lab->heap[i] = lab->heap[child];
        i = child;
    }
    if (lab->heap_count)
        lab->heap[i] = last;
    return true;
}

void kl_lab_drop_all(struct kl_lab *lab)
{
    for (usize i = 0; i < lab->heap_count; i++)
        kl_lab_frame_unref(lab->heap[i].frame);
    free(lab->heap);
    lab->heap = NULL;
    lab->heap_count = lab->heap_cap = 0;
}
