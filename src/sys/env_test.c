#include "sys/env.h"

#include <stdlib.h>

#include "base/test.h"

KL_TEST(clock_goes_on)
{
    struct kl_clock *clock = kl_sys_clock();
    u64 last = kl_mono_ns(clock);
    for (int i = 0; i < 1000; i++) {
        u64 next = kl_mono_ns(clock);
        CHECK(next >= last);
        last = next;
    }
    u64 year_2024 = 1704067200u * UINT64_C(1000000000);
    CHECK(kl_wall_ns(clock) > year_2024);
}

KL_TEST(clock_can_be_wrong)
{
    const u64 hour = 3600 * UINT64_C(1000000000);
    struct kl_clock *clock = kl_sys_clock();
    u64 mono = kl_mono_ns(clock), right = kl_wall_ns(clock);
    kl_sys_clock_shift((i64)hour);
    u64 ahead = kl_wall_ns(clock);
    CHECK(kl_mono_ns(clock) - mono < hour);
    kl_sys_clock_shift(-(i64)hour);
    u64 behind = kl_wall_ns(clock);
    kl_sys_clock_shift(0);
    CHECK(ahead > right + hour / 2 && behind < right - hour / 2);
    CHECK(kl_wall_ns(clock) < ahead);
}

KL_TEST(memory_that_is_written_is_taken)
{
    enum { LEN = 32 << 20 };
    struct kl_memory *memory = kl_sys_memory();
    u64 before = kl_memory_taken(memory);
    u8 *p = malloc(LEN);
    CHECK(p && before > 0);
    for (usize i = 0; i < LEN; i += 4096)
        ((volatile u8 *)p)[i] = 1;
    u64 with = kl_memory_taken(memory);
    CHECK(with >= before + LEN / 4 * 3 && with < kl_sys_memory_total());
    free(p);
}

KL_TEST(entropy_fills_all)
{
    u8 bytes[1000], seen[256] = {0};
    usize kinds = 0;
    memset(bytes, 0, sizeof bytes);
    kl_entropy_fill(kl_sys_entropy(), bytes, sizeof bytes - 8);
    for (usize i = 0; i < sizeof bytes - 8; i++)
        seen[bytes[i]] = 1;
    for (usize i = 0; i < sizeof seen; i++)
        kinds += seen[i];
    CHECK(kinds > 200);
    CHECK_HEX(kl_span_of(bytes + sizeof bytes - 8, 8), "0000000000000000");
    kl_entropy_fill(kl_sys_entropy(), bytes, 0);
}

KL_TEST(cpu_count_is_one_at_least)
{
    CHECK(kl_sys_cpu_count() >= 1 && kl_sys_cpu_count() < 1 << 20);
}
