/* blst does the arithmetic.  What this file adds is EIP-2537's spelling of numbers and points,
 * which is stricter than blst's, and its rule of where the subgroup is asked for: for
 * multiplications and pairings, not for additions.  Infinity, all zeros here as in blst's affine
 * points, is filtered out before blst's multi-point functions, which do not expect it. */
#include "crypto/bls12.h"

#include <blst.h>

#define G1_LEN     128
#define G2_LEN     256
#define SCALAR_LEN 32
#define ORDER_BITS 255

/* Pairs of a pairing that share one loop, so that memory stays on the stack. */
#define PAIRS_AT_ONCE 8

/* The field's modulus, and 16 zeros before it: the least value an encoding may not reach. */
static const u8 modulus[64] = {
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x1a, 0x01, 0x11, 0xea, 0x39, 0x7f, 0xe6, 0x9a, 0x4b, 0x1b, 0xa7, 0xb6, 0x43, 0x4b, 0xac, 0xd7,
    0x64, 0x77, 0x4b, 0x84, 0xf3, 0x85, 0x12, 0xbf, 0x67, 0x30, 0xd2, 0xa0, 0xf6, 0xb0, 0xf6, 0x24,
    0x1e, 0xab, 0xff, 0xfe, 0xb1, 0x53, 0xff, 0xff, 0xb9, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xaa, 0xab};

static bool fp_read(blst_fp *out, const u8 in[64])
{
    if (memcmp(in, modulus, 64) >= 0)
        return false;
    blst_fp_from_bendian(out, in + 16);
    return true;
}

static void fp_write(u8 out[64], const blst_fp *v)
{
    memset(out, 0, 16);
    blst_bendian_from_fp(out + 16, v);
}

static bool all_zero(const u8 *p, usize len)
{
    u8 any = 0;
    for (usize i = 0; i < len; i++)
        any |= p[i];
    return any == 0;
}

typedef enum check { CURVE, SUBGROUP } check;

static bool g1_read(blst_p1_affine *out, const u8 in[G1_LEN], check asked)
{
    if (!fp_read(&out->x, in) || !fp_read(&out->y, in + 64))
        return false;
    if (all_zero(in, G1_LEN))
        return true;
    return blst_p1_affine_on_curve(out) && (asked == CURVE || blst_p1_affine_in_g1(out));
}

static bool g2_read(blst_p2_affine *out, const u8 in[G2_LEN], check asked)
{
    if (!fp_read(&out->x.fp[0], in) || !fp_read(&out->x.fp[1], in + 64) ||
        !fp_read(&out->y.fp[0], in + 128) || !fp_read(&out->y.fp[1], in + 192))
        return false;
    if (all_zero(in, G2_LEN))
        return true;
    return blst_p2_affine_on_curve(out) && (asked == CURVE || blst_p2_affine_in_g2(out));
}

static void g1_write(u8 out[G1_LEN], const blst_p1 *point)
{
    blst_p1_affine affine;
    blst_p1_to_affine(&affine, point);
    fp_write(out, &affine.x);
    fp_write(out + 64, &affine.y);
}

static void g2_write(u8 out[G2_LEN], const blst_p2 *point)
{
    blst_p2_affine affine;
    blst_p2_to_affine(&affine, point);
    fp_write(out, &affine.x.fp[0]);
    fp_write(out + 64, &affine.x.fp[1]);
    fp_write(out + 128, &affine.y.fp[0]);
    fp_write(out + 192, &affine.y.fp[1]);
}

bool kl_bls12_g1_add(u8 out[128], const u8 a[128], const u8 b[128])
{
    blst_p1_affine p, q;
    blst_p1 sum;
    if (!g1_read(&p, a, CURVE) || !g1_read(&q, b, CURVE))
        return false;
    blst_p1_from_affine(&sum, &p);
    blst_p1_add_or_double_affine(&sum, &sum, &q);
    g1_write(out, &sum);
    return true;
}

bool kl_bls12_g2_add(u8 out[256], const u8 a[256], const u8 b[256])
{
    blst_p2_affine p, q;
    blst_p2 sum;
    if (!g2_read(&p, a, CURVE) || !g2_read(&q, b, CURVE))
        return false;
    blst_p2_from_affine(&sum, &p);
    blst_p2_add_or_double_affine(&sum, &sum, &q);
    g2_write(out, &sum);
    return true;
}

kl_status kl_bls12_g1_msm(bool *valid, u8 out[128], const u8 *pairs, usize count,
                          struct kl_arena *arena)
{
    KL_ASSERT(count > 0);
    usize scratch_len = blst_p1s_mult_pippenger_scratch_sizeof(count), terms = 0;
    blst_p1_affine *point = KL_TAKE(arena, blst_p1_affine, count);
    blst_scalar *scalar = KL_TAKE(arena, blst_scalar, count);
    limb_t *scratch = kl_arena_take(arena, scratch_len, 64);
    if (!point || !scalar || !scratch)
        return KL_NOMEM;
    *valid = false;
    for (usize i = 0; i < count; i++) {
        const u8 *pair = pairs + i * (G1_LEN + SCALAR_LEN);
        if (!g1_read(&point[terms], pair, SUBGROUP))
            return KL_OK;
        /* Reduces by the group's order; false for zero. */
        bool counts = blst_scalar_from_be_bytes(&scalar[terms], pair + G1_LEN, SCALAR_LEN);
        terms += counts && !all_zero(pair, G1_LEN);
    }
    blst_p1 sum = {0};
    const blst_p1_affine *const points[2] = {point, NULL};
    const byte *const scalars[2] = {scalar->b, NULL};
    if (terms)
        blst_p1s_mult_pippenger(&sum, points, terms, scalars, ORDER_BITS, scratch);
    g1_write(out, &sum);
    *valid = true;
    return KL_OK;
}

kl_status kl_bls12_g2_msm(bool *valid, u8 out[256], const u8 *pairs, usize count,
                          struct kl_arena *arena)
{
    KL_ASSERT(count > 0);
    usize scratch_len = blst_p2s_mult_pippenger_scratch_sizeof(count), terms = 0;
    blst_p2_affine *point = KL_TAKE(arena, blst_p2_affine, count);
    blst_scalar *scalar = KL_TAKE(arena, blst_scalar, count);
    limb_t *scratch = kl_arena_take(arena, scratch_len, 64);
    if (!point || !scalar || !scratch)
        return KL_NOMEM;
    *valid = false;
    for (usize i = 0; i < count; i++) {
        const u8 *pair = pairs + i * (G2_LEN + SCALAR_LEN);
        if (!g2_read(&point[terms], pair, SUBGROUP))
            return KL_OK;
        bool counts = blst_scalar_from_be_bytes(&scalar[terms], pair + G2_LEN, SCALAR_LEN);
        terms += counts && !all_zero(pair, G2_LEN);
    }
    blst_p2 sum = {0};
    const blst_p2_affine *const points[2] = {point, NULL};
    const byte *const scalars[2] = {scalar->b, NULL};
    if (terms)
        blst_p2s_mult_pippenger(&sum, points, terms, scalars, ORDER_BITS, scratch);
    g2_write(out, &sum);
    *valid = true;
    return KL_OK;
}

bool kl_bls12_pairing(bool *one, const u8 *pairs, usize count)
{
    KL_ASSERT(count > 0);
    blst_p1_affine p[PAIRS_AT_ONCE];
    blst_p2_affine q[PAIRS_AT_ONCE];
    const blst_p1_affine *const ps[2] = {p, NULL};
    const blst_p2_affine *const qs[2] = {q, NULL};
    blst_fp12 product = *blst_fp12_one(), part;
    usize held = 0;
    for (usize i = 0; i < count; i++) {
        const u8 *pair = pairs + i * (G1_LEN + G2_LEN);
        if (!g1_read(&p[held], pair, SUBGROUP) || !g2_read(&q[held], pair + G1_LEN, SUBGROUP))
            return false;
        held += !all_zero(pair, G1_LEN) && !all_zero(pair + G1_LEN, G2_LEN);
        if (held == PAIRS_AT_ONCE || (i + 1 == count && held)) {
            blst_miller_loop_n(&part, qs, ps, held);
            blst_fp12_mul(&product, &product, &part);
            held = 0;
        }
    }
    blst_final_exp(&product, &product);
    *one = blst_fp12_is_one(&product);
    return true;
}

bool kl_bls12_g1_expand(u8 out[128], const u8 compressed[48])
{
    blst_p1_affine affine;
    blst_p1 point;
    if (blst_p1_uncompress(&affine, compressed) != BLST_SUCCESS)
        return false;
    blst_p1_from_affine(&point, &affine);
    g1_write(out, &point);
    return true;
}

bool kl_bls12_g2_expand(u8 out[256], const u8 compressed[96])
{
    blst_p2_affine affine;
    blst_p2 point;
    if (blst_p2_uncompress(&affine, compressed) != BLST_SUCCESS)
        return false;
    blst_p2_from_affine(&point, &affine);
    g2_write(out, &point);
    return true;
}

bool kl_bls12_map_fp_to_g1(u8 out[128], const u8 fp[64])
{
    blst_fp u;
    blst_p1 point;
    if (!fp_read(&u, fp))
        return false;
    blst_map_to_g1(&point, &u, NULL);
    g1_write(out, &point);
    return true;
}

bool kl_bls12_map_fp2_to_g2(u8 out[256], const u8 fp2[128])
{
    blst_fp2 u;
    blst_p2 point;
    if (!fp_read(&u.fp[0], fp2) || !fp_read(&u.fp[1], fp2 + 64))
        return false;
    blst_map_to_g2(&point, &u, NULL);
    g2_write(out, &point);
    return true;
}
