#include "base/arena.h"

#include <stdlib.h>

enum { CHUNK_MIN = 16 * 1024, ALIGN_MAX = 64 };

struct kl_arena_chunk {
    struct kl_arena_chunk *next;
    usize cap, used;
    _Alignas(ALIGN_MAX) u8 bytes[];
};

void kl_arena_init(struct kl_arena *arena, usize limit)
{
    *arena = (struct kl_arena){.limit = limit};
}

static void free_after(struct kl_arena *arena, struct kl_arena_chunk **link)
{
    while (*link) {
        struct kl_arena_chunk *chunk = *link;
        *link = chunk->next;
        arena->held -= sizeof *chunk + chunk->cap;
        free(chunk);
    }
}

void kl_arena_done(struct kl_arena *arena)
{
    free_after(arena, &arena->first);
    arena->current = NULL;
    arena->used = 0;
}

/* A chunk with room for n bytes behind the current one: an empty one kept from before, or a new
 * one, each twice as large as the last. */
static struct kl_arena_chunk *grow(struct kl_arena *arena, usize n)
{
    struct kl_arena_chunk **link = arena->current ? &arena->current->next : &arena->first;
    struct kl_arena_chunk *kept = *link;
    if (kept && kept->cap >= n) {
        kept->used = 0;
        return kept;
    }
    free_after(arena, link);
    usize cap = arena->current ? arena->current->cap * 2 : CHUNK_MIN;
    usize room = arena->limit > arena->held ? arena->limit - arena->held : 0;
    if (room < sizeof *kept || room - sizeof *kept < n)
        return NULL;
    cap = KL_MAX(KL_MIN(cap, room - sizeof *kept), n);
    cap = (cap + ALIGN_MAX - 1) / ALIGN_MAX * ALIGN_MAX;
    struct kl_arena_chunk *chunk = aligned_alloc(ALIGN_MAX, sizeof *chunk + cap);
    if (!chunk)
        return NULL;
    *chunk = (struct kl_arena_chunk){.cap = cap};
    arena->held += sizeof *chunk + cap;
    *link = chunk;
    return chunk;
}

void *kl_arena_take(struct kl_arena *arena, usize n, usize align)
{
    KL_ASSERT(align && align <= ALIGN_MAX && (align & (align - 1)) == 0);
    struct kl_arena_chunk *chunk = arena->current;
    usize start = chunk ? (chunk->used + align - 1) & ~(align - 1) : 0;
    if (!chunk || start > chunk->cap || n > chunk->cap - start) {
        if (n > SIZE_MAX / 4)
            return NULL;
        chunk = grow(arena, n);
        if (!chunk)
            return NULL;
        arena->current = chunk;
        start = 0;
    }
    arena->used += start + n - chunk->used;
    chunk->used = start + n;
    return chunk->bytes + start;
}

void *kl_arena_zero(struct kl_arena *arena, usize n, usize align)
{
    void *p = kl_arena_take(arena, n, align);
    if (p)
        memset(p, 0, n);
    return p;
}

kl_span kl_arena_copy(struct kl_arena *arena, kl_span bytes)
{
    u8 *p = kl_arena_take(arena, bytes.len, 1);
    if (p && bytes.len)
        memcpy(p, bytes.p, bytes.len);
    return kl_span_of(p, bytes.len);
}

void kl_arena_reset(struct kl_arena *arena, usize keep_bytes)
{
    struct kl_arena_chunk **link = &arena->first;
    for (usize kept = 0; *link && kept + (*link)->cap <= keep_bytes; link = &(*link)->next)
        kept += (*link)->cap;
    free_after(arena, link);
    arena->current = arena->first;
    if (arena->current)
        arena->current->used = 0;
    arena->used = 0;
}

kl_arena_mark kl_arena_here(const struct kl_arena *arena)
{
    return (kl_arena_mark){
        .chunk = arena->current,
        .chunk_used = arena->current ? arena->current->used : 0,
        .used = arena->used,
    };
}

void kl_arena_rewind(struct kl_arena *arena, kl_arena_mark mark)
{
    arena->current = mark.chunk ? mark.chunk : arena->first;
    if (arena->current)
        arena->current->used = mark.chunk_used;
    arena->used = mark.used;
}
