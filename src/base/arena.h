/* arena: memory for one unit of work (a block, a message, an RPC call), given back as a whole.
 *
 * An arena grows by chunks from the heap up to a limit and keeps its chunks over kl_arena_reset, so
 * that steady work stops calling malloc.  Taking beyond the limit, or when the heap is exhausted,
 * returns NULL; the caller turns that into KL_NOMEM.
 * Thread: one at a time.  Secrets do not go into arenas. */
#ifndef KL_BASE_ARENA_H
#define KL_BASE_ARENA_H

#include "base/span.h"

struct kl_arena_chunk;

struct kl_arena {
    struct kl_arena_chunk *first, *current;
    usize used;  /* bytes taken since the last reset, padding included */
    usize held;  /* bytes held from the heap */
    usize limit; /* most bytes it may hold */
};

/* A place to go back to, see kl_arena_rewind. */
typedef struct kl_arena_mark {
    struct kl_arena_chunk *chunk;
    usize chunk_used, used;
} kl_arena_mark;

/* An empty arena that may hold limit bytes; takes nothing from the heap yet. */
void kl_arena_init(struct kl_arena *arena, usize limit);
void kl_arena_done(struct kl_arena *arena);

/* n bytes aligned to align (a power of two, at most 64), uninitialised; NULL over the limit. */
KL_MUST_USE void *kl_arena_take(struct kl_arena *arena, usize n, usize align);

/* The same, zeroed. */
KL_MUST_USE void *kl_arena_zero(struct kl_arena *arena, usize n, usize align);

/* A copy of bytes; p == NULL with len > 0 over the limit. */
KL_MUST_USE kl_span kl_arena_copy(struct kl_arena *arena, kl_span bytes);

/* Forgets everything taken, keeps the chunks; chunks above keep_bytes go back to the heap. */
void kl_arena_reset(struct kl_arena *arena, usize keep_bytes);

kl_arena_mark kl_arena_here(const struct kl_arena *arena);
/* Forgets everything taken since the mark. */
void kl_arena_rewind(struct kl_arena *arena, kl_arena_mark mark);

#define KL_TAKE(arena, type, count)    \
    ((count) > SIZE_MAX / sizeof(type) \
         ? NULL                        \
         : (type *)kl_arena_take((arena), sizeof(type) * (count), _Alignof(type)))
#define KL_ZERO(arena, type, count)    \
    ((count) > SIZE_MAX / sizeof(type) \
         ? NULL                        \
         : (type *)kl_arena_zero((arena), sizeof(type) * (count), _Alignof(type)))

#endif
