/* The optimal ate pairing [Vercauteren 2010] of several pairs (P, Q) at once: for each the lines
 * met on the way from Q to [6x + 2]Q, and then through psi(Q) and -psi^2(Q), evaluated at P; the
 * squarings are shared by all pairs, and so is the final exponentiation.
 *
 * psi takes the p-th power of a point's coordinates where the twist y^2 = x^3 + 3 / xi lies on the
 * curve over Fp12, (x w^2, y w^3).  On the subgroup of order r, and on no other points of the
 * twist,
 *
 *     [6x + 2]Q + psi(Q) - psi^2(Q) + psi^3(Q) = 0
 *
 * (the resultant of 6x + 2 + X - X^2 + X^3 with psi's characteristic polynomial has no divisor but
 * r in common with the twist's order [El Housni, Guillevic, Piellard 2022]).  The first three terms
 * are where the loop ends, so the check that EIP-197 demands costs one comparison.  The formulas
 * fail only when points coincide, which none of the subgroup do; they then give Z = 0, and keep it
 * to the end. */
#include "crypto/bn254.h"
#include "crypto/bn254_g1_priv.h"
#include "crypto/bn254_tower_priv.h"

/* Pairs that share one loop, so that memory stays on the stack. */
#define PAIRS_AT_ONCE 8

/* x = X / Z, y = Y / Z */
typedef struct projective {
    fp2 x, y, z;
} projective;

typedef struct loop_pair {
    g1 p;
    bool lines; /* is P finite? */
    fp2 qx, qy, minus_qy;
    projective t;
} loop_pair;

/* 6x + 2 in signed digits, the most significant first. */
static const signed char loop[65] = {1,  1, 0, 1,  0, 0,  0,  -1, 0, -1, 0, 0,  0,  -1, 0, 1, 0,
                                     -1, 0, 0, -1, 0, 0,  0,  0,  0, 1,  0, 0,  -1, 0,  1, 0, 0,
                                     -1, 0, 0, 0,  0, -1, 0,  1,  0, 0,  0, -1, 0,  -1, 0, 0, 1,
                                     0,  0, 0, -1, 0, 0,  -1, 0,  1, 0,  1, 0,  0,  0};

static bool fp2_read(fp2 *out, const u8 in[64])
{
    return kl_fp_read(&out->c1, in) && kl_fp_read(&out->c0, in + 32);
}

/* y^2 = x^3 + 3 / xi */
static bool on_twist(const fp2 *x, const fp2 *y)
{
    static const fp2 b = {
        {{0x3bf938e377b802a8, 0x020b1b273633535d, 0x26b7edf049755260, 0x2514c6324384a86d}},
        {{0x38e7ecccd1dcff67, 0x65f0b37d93ce0d3e, 0xd749d0dd22ac00aa, 0x0141b9ce4a688d4d}}};
    fp2 left, right;
    kl_fp2_sqr(&left, y);
    kl_fp2_sqr(&right, x);
    kl_fp2_mul(&right, &right, x);
    fp2_add(&right, &right, &b);
    return fp2_eq(&left, &right);
}

/* Multiplies f by the line -2YZ y_P + 3 X^2 x_P w + (3 b' Z^2 - Y^2) w^3 through T twice, and
 * doubles T [Costello, Lange, Naehrig 2010, section 5; T's coordinates are four times theirs]. */
static void double_step(fp12 *f, loop_pair *pair)
{
    static const fp2 three_b = {
        {{0x3baa927cb62e0d6a, 0xd71e7c52d1b664fd, 0x03873e63d95d4664, 0x0e75b5b1082ab8f4}},
        {{0xaab7c6667596fe35, 0x31d21a78bb6a27ba, 0x85dd7297680401ff, 0x03c52d6adf39a7e9}}};
    projective *t = &pair->t;
    fp2 xy, yy, zz, xx, e, e3, h, i, s;
    kl_fp2_mul(&xy, &t->x, &t->y);
    kl_fp2_sqr(&yy, &t->y);
    kl_fp2_sqr(&zz, &t->z);
    kl_fp2_sqr(&xx, &t->x);
    kl_fp2_mul(&e, &zz, &three_b);
    fp2_double(&e3, &e);
    fp2_add(&e3, &e3, &e);
    fp2_add(&h, &t->y, &t->z);
    kl_fp2_sqr(&h, &h);
    fp2_sub(&h, &h, &yy);
    fp2_sub(&h, &h, &zz); /* 2YZ */
    fp2_sub(&i, &e, &yy);

    /* X = 2 XY (Y^2 - 9 b' Z^2), Y = (Y^2 + 9 b' Z^2)^2 - 12 (3 b' Z^2)^2, Z = 4 Y^2 2YZ */
    fp2_sub(&s, &yy, &e3);
    kl_fp2_mul(&t->x, &xy, &s);
    fp2_double(&t->x, &t->x);
    fp2_add(&s, &yy, &e3);
    kl_fp2_sqr(&t->y, &s);
    fp2_double(&e, &e);
    kl_fp2_sqr(&e, &e);
    fp2_sub(&t->y, &t->y, &e);
    fp2_double(&e, &e);
    fp2_sub(&t->y, &t->y, &e);
    kl_fp2_mul(&t->z, &yy, &h);
    fp2_double(&t->z, &t->z);
    fp2_double(&t->z, &t->z);

    if (!pair->lines)
        return;
    fp2_double(&s, &xx);
    fp2_add(&xx, &s, &xx);
    fp2_neg(&h, &h);
    fp2_scale(&h, &h, &pair->p.y);
    fp2_scale(&xx, &xx, &pair->p.x);
    kl_fp12_mul_line(f, &h, &xx, &i);
}

/* Multiplies f by the line l y_P - s x_P w + (s x - l y) w^3 through T and (x, y), where
 * s = Y - y Z and l = X - x Z, and adds (x, y) to T. */
static void add_step(fp12 *f, loop_pair *pair, const fp2 *x, const fp2 *y)
{
    projective *t = &pair->t;
    fp2 s, l, ss, ll, lll, xll, h, j, k;
    kl_fp2_mul(&s, y, &t->z);
    fp2_sub(&s, &t->y, &s);
    kl_fp2_mul(&l, x, &t->z);
    fp2_sub(&l, &t->x, &l);
    kl_fp2_sqr(&ss, &s);
    kl_fp2_sqr(&ll, &l);
    kl_fp2_mul(&lll, &ll, &l);
    kl_fp2_mul(&xll, &t->x, &ll);
    kl_fp2_mul(&h, &t->z, &ss);
    fp2_add(&h, &h, &lll);
    fp2_sub(&h, &h, &xll);
    fp2_sub(&h, &h, &xll);
    kl_fp2_mul(&t->x, &l, &h);
    fp2_sub(&xll, &xll, &h);
    kl_fp2_mul(&xll, &xll, &s);
    kl_fp2_mul(&t->y, &t->y, &lll);
    fp2_sub(&t->y, &xll, &t->y);
    kl_fp2_mul(&t->z, &t->z, &lll);

    if (!pair->lines)
        return;
    kl_fp2_mul(&j, &s, x);
    kl_fp2_mul(&k, &l, y);
    fp2_sub(&j, &j, &k);
    fp2_scale(&l, &l, &pair->p.y);
    fp2_neg(&s, &s);
    fp2_scale(&s, &s, &pair->p.x);
    kl_fp12_mul_line(f, &l, &s, &j);
}

/* psi^k(Q) */
static void psi(fp2 *x, fp2 *y, const loop_pair *pair, unsigned k)
{
    *x = pair->qx;
    *y = pair->qy;
    if (k % 2) {
        fp2_conj(x, x);
        fp2_conj(y, y);
    }
    kl_fp2_mul(x, x, &kl_fp12_gamma[k - 1][1]);
    kl_fp2_mul(y, y, &kl_fp12_gamma[k - 1][2]);
}

/* The last two steps; false when Q is not in the subgroup. */
static bool finish(fp12 *f, loop_pair *pair)
{
    fp2 x, y;
    psi(&x, &y, pair, 1);
    add_step(f, pair, &x, &y);
    psi(&x, &y, pair, 2);
    fp2_neg(&y, &y);
    add_step(f, pair, &x, &y);

    const projective *t = &pair->t;
    psi(&x, &y, pair, 3);
    fp2_neg(&y, &y);
    kl_fp2_mul(&x, &x, &t->z);
    kl_fp2_mul(&y, &y, &t->z);
    return !fp2_is_zero(&t->z) && fp2_eq(&x, &t->x) && fp2_eq(&y, &t->y);
}

/* Multiplies *product by the loop's value for count pairs; false when a Q is not in the subgroup.
 */
static bool miller_loop(fp12 *product, loop_pair *pairs, usize count)
{
    fp12 f = FP12_ONE;
    for (unsigned i = 1; i < KL_COUNT_OF(loop); i++) {
        if (i > 1)
            kl_fp12_sqr(&f, &f);
        for (usize j = 0; j < count; j++) {
            double_step(&f, &pairs[j]);
            if (loop[i])
                add_step(&f, &pairs[j], &pairs[j].qx,
                         loop[i] > 0 ? &pairs[j].qy : &pairs[j].minus_qy);
        }
    }
    bool in_subgroup = true;
    for (usize j = 0; j < count; j++)
        in_subgroup = finish(&f, &pairs[j]) && in_subgroup;
    kl_fp12_mul(product, product, &f);
    return in_subgroup;
}

/* *loops: does the pair take part in the loop?  Not with an infinite Q. */
static bool pair_read(loop_pair *out, bool *loops, const u8 in[192])
{
    if (!kl_bn254_g1_read(&out->p, in) || !fp2_read(&out->qx, in + 64) ||
        !fp2_read(&out->qy, in + 128))
        return false;
    *loops = !fp2_is_zero(&out->qx) || !fp2_is_zero(&out->qy);
    out->lines = !kl_bn254_g1_is_infinity(&out->p);
    fp2_neg(&out->minus_qy, &out->qy);
    out->t = (projective){out->qx, out->qy, FP2_ONE};
    return !*loops || on_twist(&out->qx, &out->qy);
}

bool kl_bn254_pairing_var(bool *one, const u8 *pairs, usize count)
{
    loop_pair held[PAIRS_AT_ONCE];
    usize n = 0;
    bool any = false;
    fp12 product = FP12_ONE;
    for (usize i = 0; i < count; i++) {
        bool loops;
        if (!pair_read(&held[n], &loops, pairs + 192 * i))
            return false;
        n += loops;
        any = any || loops;
        if (n == PAIRS_AT_ONCE || (i + 1 == count && n)) {
            if (!miller_loop(&product, held, n))
                return false;
            n = 0;
        }
    }
    if (any)
        kl_fp12_final_exp_var(&product, &product);
    *one = kl_fp12_is_one(&product);
    return true;
}
