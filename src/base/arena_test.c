#include "base/arena.h"

#include "base/test.h"

KL_TEST(arena_stays_below_its_limit)
{
    struct kl_arena arena;
    kl_arena_init(&arena, 1 << 20);
    while (kl_arena_take(&arena, 1 + kl_rand_below(seed, 5000), 1u << kl_rand_below(seed, 7)))
        CHECK(arena.held <= arena.limit);
    CHECK(arena.used > arena.limit / 2);
    kl_arena_done(&arena);
    CHECK_U64(arena.held, 0);
}

KL_TEST(arena_hands_out_disjoint_aligned_memory)
{
    struct kl_arena arena;
    kl_arena_init(&arena, 1 << 24);
    u8 *taken[500];
    usize sizes[500];
    for (int round = 0; round < 3; round++) {
        for (usize i = 0; i < 500; i++) {
            usize align = (usize)1 << kl_rand_below(seed, 7);
            sizes[i] = kl_rand_below(seed, 2000);
            taken[i] = kl_arena_take(&arena, sizes[i], align);
            CHECK(taken[i] && (uintptr_t)taken[i] % align == 0);
            memset(taken[i], (int)i, sizes[i]);
        }
        for (usize i = 0; i < 500; i++)
            for (usize j = 0; j < sizes[i]; j++)
                CHECK(taken[i][j] == (u8)i);
        usize held = arena.held;
        kl_arena_reset(&arena, SIZE_MAX);
        CHECK_U64(arena.held, held);
        CHECK_U64(arena.used, 0);
    }
    kl_arena_done(&arena);
}

KL_TEST(arena_rewinds_to_a_mark)
{
    struct kl_arena arena;
    kl_arena_init(&arena, 1 << 24);
    CHECK(kl_arena_take(&arena, 100, 1));
    kl_arena_mark mark = kl_arena_here(&arena);
    u8 *first = kl_arena_take(&arena, 10, 1);
    for (int i = 0; i < 100; i++)
        CHECK(kl_arena_take(&arena, 10000, 8));
    kl_arena_rewind(&arena, mark);
    CHECK_U64(arena.used, 100);
    CHECK(kl_arena_take(&arena, 10, 1) == (void *)first);
    kl_arena_done(&arena);
}
