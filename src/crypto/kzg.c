/* A polynomial f committed to as C = [f(tau)]G1 has f(z) = y when f - y is divisible by X - z; the
 * proof P is the quotient's commitment [EIP-4844, consensus specs verify_kzg_proof]:
 *
 *     e(C - y G1, G2) = e(P, tau G2 - z G2),   that is   e(C - y G1 + z P, G2) = e(P, tau G2)
 *
 * The second form moves z to the cheaper group and leaves two fixed points in G2, whose lines of
 * the Miller loop are computed once, at the first use. */
#include <blst.h>

#include "base/sync.h"
#include "crypto/bls12.h"
#include "crypto/kzg_priv.h"

/* Of 2^12 powers of tau in the ceremony's output this is the first in G2. */
const u8 kl_kzg_tau_g2[96] = {
    0xb5, 0xbf, 0xd7, 0xdd, 0x8c, 0xde, 0xb1, 0x28, 0x84, 0x3b, 0xc2, 0x87, 0x23, 0x0a, 0xf3, 0x89,
    0x26, 0x18, 0x70, 0x75, 0xcb, 0xfb, 0xef, 0xa8, 0x10, 0x09, 0xa2, 0xce, 0x61, 0x5a, 0xc5, 0x3d,
    0x29, 0x14, 0xe5, 0x87, 0x0c, 0xb4, 0x52, 0xd2, 0xaf, 0xaa, 0xab, 0x24, 0xf3, 0x49, 0x9f, 0x72,
    0x18, 0x5c, 0xbf, 0xee, 0x53, 0x49, 0x27, 0x14, 0x73, 0x44, 0x29, 0xb7, 0xb3, 0x86, 0x08, 0xe2,
    0x39, 0x26, 0xc9, 0x11, 0xcc, 0xec, 0xea, 0xc9, 0xa3, 0x68, 0x51, 0x47, 0x7b, 0xa4, 0xc6, 0x0b,
    0x08, 0x70, 0x41, 0xde, 0x62, 0x10, 0x00, 0xed, 0xc9, 0x8e, 0xda, 0xda, 0x20, 0xc1, 0xde, 0xf2,
};

typedef struct lines {
    blst_fp6 of[68];
} lines;

/* lines[0] of G2's generator, lines[1] of tau G2 */
static const lines *fixed_lines(void)
{
    static kl_mutex mutex = KL_MUTEX_INIT;
    static lines fixed[2];
    static bool ready;
    kl_lock(&mutex);
    if (!ready) {
        blst_p2_affine tau;
        KL_ASSERT(blst_p2_uncompress(&tau, kl_kzg_tau_g2) == BLST_SUCCESS);
        blst_precompute_lines(fixed[0].of, blst_p2_affine_generator());
        blst_precompute_lines(fixed[1].of, &tau);
        ready = true;
    }
    kl_unlock(&mutex);
    return fixed;
}

/* A point in the subgroup, infinity included. */
static bool point_read(blst_p1_affine *out, const u8 in[48])
{
    return blst_p1_uncompress(out, in) == BLST_SUCCESS && blst_p1_affine_in_g1(out);
}

static bool scalar_read(blst_scalar *out, const u8 in[32])
{
    blst_scalar_from_bendian(out, in);
    return blst_scalar_fr_check(out);
}

bool kl_kzg_verify_opening(const u8 commitment[48], const u8 z[32], const u8 y[32],
                           const u8 proof[48])
{
    blst_p1_affine c, p;
    blst_scalar at, value;
    if (!scalar_read(&at, z) || !scalar_read(&value, y) || !point_read(&c, commitment) ||
        !point_read(&p, proof))
        return false;

    blst_p1 left, term;
    blst_p1_from_affine(&term, &p);
    blst_p1_mult(&left, &term, at.b, 255);
    blst_p1_mult(&term, blst_p1_generator(), value.b, 255);
    blst_p1_cneg(&term, true);
    blst_p1_add_or_double(&left, &left, &term);
    blst_p1_add_or_double_affine(&left, &left, &c);

    /* A pairing with infinity is one. */
    bool no_proof = blst_p1_affine_is_inf(&p), no_left = blst_p1_is_inf(&left);
    if (no_proof || no_left)
        return no_proof && no_left;
    blst_p1_affine a;
    blst_p1_to_affine(&a, &left);
    const lines *fixed = fixed_lines();
    blst_fp12 one, other;
    blst_miller_loop_lines(&one, fixed[0].of, &a);
    blst_miller_loop_lines(&other, fixed[1].of, &p);
    return blst_fp12_finalverify(&one, &other);
}
