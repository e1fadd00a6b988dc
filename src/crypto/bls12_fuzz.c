/* Points of BLS12-381 and openings from outside.  The first byte picks the operation, the rest is
 * its input, cut to few terms.  What an operation hands out must be accepted again, and adding or
 * multiplying by nothing must give it back: no point has two encodings. */
#include "base/fuzz.h"
#include "crypto/bls12.h"

static const u8 zeros[256];

static void fuzz_add(kl_span in)
{
    u8 sum[256], other[256];
    if (in.len >= 256 && kl_bls12_g1_add(sum, in.p, in.p + 128)) {
        KL_ASSERT(kl_bls12_g1_add(other, in.p + 128, in.p) && memcmp(sum, other, 128) == 0);
        KL_ASSERT(kl_bls12_g1_add(other, sum, zeros) && memcmp(sum, other, 128) == 0);
    }
    if (in.len >= 512 && kl_bls12_g2_add(sum, in.p, in.p + 256)) {
        KL_ASSERT(kl_bls12_g2_add(other, in.p + 256, in.p) && memcmp(sum, other, 256) == 0);
        KL_ASSERT(kl_bls12_g2_add(other, sum, zeros) && memcmp(sum, other, 256) == 0);
    }
}

/* The point times one is the point: it is in the subgroup and has this one spelling. */
static void check_g1(const u8 point[128])
{
    struct kl_arena arena;
    u8 pair[160] = {0}, out[128];
    bool valid = false;
    kl_arena_init(&arena, 1 << 20);
    memcpy(pair, point, 128);
    pair[159] = 1;
    KL_ASSERT(kl_bls12_g1_msm(&valid, out, pair, 1, &arena) == KL_OK);
    KL_ASSERT(valid && memcmp(out, point, 128) == 0);
    kl_arena_done(&arena);
}

static void check_g2(const u8 point[256])
{
    struct kl_arena arena;
    u8 pair[288] = {0}, out[256];
    bool valid = false;
    kl_arena_init(&arena, 1 << 20);
    memcpy(pair, point, 256);
    pair[287] = 1;
    KL_ASSERT(kl_bls12_g2_msm(&valid, out, pair, 1, &arena) == KL_OK);
    KL_ASSERT(valid && memcmp(out, point, 256) == 0);
    kl_arena_done(&arena);
}

static void fuzz_msm(kl_span in)
{
    struct kl_arena arena;
    u8 out[256];
    bool valid = false;
    kl_arena_init(&arena, 1 << 20);
    usize count = KL_MIN(in.len / 160, (usize)4);
    if (count)
        KL_ASSERT(kl_bls12_g1_msm(&valid, out, in.p, count, &arena) == KL_OK);
    if (valid)
        check_g1(out);
    valid = false;
    count = KL_MIN(in.len / 288, (usize)4);
    if (count)
        KL_ASSERT(kl_bls12_g2_msm(&valid, out, in.p, count, &arena) == KL_OK);
    if (valid)
        check_g2(out);
    kl_arena_done(&arena);
}

static void fuzz_map(kl_span in)
{
    u8 out[256];
    if (in.len >= 64 && kl_bls12_map_fp_to_g1(out, in.p))
        check_g1(out);
    if (in.len >= 128 && kl_bls12_map_fp2_to_g2(out, in.p))
        check_g2(out);
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    if (len == 0)
        return 0;
    kl_span in = kl_span_of(bytes + 1, len - 1);
    bool one;
    switch (bytes[0] % 5) {
    case 0:
        fuzz_add(in);
        break;
    case 1:
        fuzz_msm(in);
        break;
    case 2:
        fuzz_map(in);
        break;
    case 3:
        if (in.len >= 384)
            (void)!kl_bls12_pairing(&one, in.p, KL_MIN(in.len / 384, (usize)10));
        break;
    case 4:
        if (in.len >= 160)
            (void)kl_kzg_verify_opening(in.p, in.p + 48, in.p + 80, in.p + 112);
        break;
    }
    return 0;
}
