/* The group y^2 = x^3 + 3 over Fp, of prime order r: every point of the curve belongs to it.
 *
 * A product k P is split with the curve's endomorphism phi(x, y) = (beta x, y) = lambda (x, y)
 * [Gallant, Lambert, Vanstone 2001]: k = k1 + k2 lambda mod r with k1, k2 of 127 bits, so that one
 * run over 128 bits does the work of 254.  Both halves are written in odd digits from -7 to 7, no
 * two of which are closer than four places. */
#include "base/u256.h"
#include "crypto/bn254.h"
#include "crypto/bn254_g1_priv.h"

static const kl_u256 order = {
    {0x43e1f593f0000001, 0x2833e84879b97091, 0xb85045b68181585d, 0x30644e72e131a029}};

/* Jacobian: x = X / Z^2, y = Y / Z^3; infinity has Z = 0. */
typedef struct jacobian {
    fp x, y, z;
} jacobian;

bool kl_bn254_g1_read(g1 *out, const u8 in[64])
{
    fp left, right;
    if (!kl_fp_read(&out->x, in) || !kl_fp_read(&out->y, in + 32))
        return false;
    if (kl_bn254_g1_is_infinity(out))
        return true;
    fp_sqr(&left, &out->y);
    fp_sqr(&right, &out->x);
    fp_mul(&right, &right, &out->x);
    const fp one = FP_ONE;
    for (unsigned i = 0; i < 3; i++)
        fp_add(&right, &right, &one);
    return fp_eq(&left, &right);
}

static void g1_write(u8 out[64], const g1 *a)
{
    kl_fp_write(out, &a->x);
    kl_fp_write(out + 32, &a->y);
}

/* The chord's or tangent's slope, and the third point it meets, mirrored. */
bool kl_bn254_add_var(u8 out[64], const u8 a[64], const u8 b[64])
{
    g1 p, q;
    fp slope, divisor;
    if (!kl_bn254_g1_read(&p, a) || !kl_bn254_g1_read(&q, b))
        return false;
    if (kl_bn254_g1_is_infinity(&p) || kl_bn254_g1_is_infinity(&q)) {
        g1_write(out, kl_bn254_g1_is_infinity(&p) ? &q : &p);
        return true;
    }
    if (!fp_eq(&p.x, &q.x)) {
        fp_sub(&slope, &q.y, &p.y);
        fp_sub(&divisor, &q.x, &p.x);
    } else if (fp_eq(&p.y, &q.y)) { /* y is not 0: no point has order 2 */
        fp_sqr(&divisor, &p.x);
        fp_double(&slope, &divisor);
        fp_add(&slope, &slope, &divisor);
        fp_double(&divisor, &p.y);
    } else {
        memset(out, 0, 64);
        return true;
    }
    kl_fp_inv_var(&divisor, &divisor);
    fp_mul(&slope, &slope, &divisor);
    g1 sum;
    fp_sqr(&sum.x, &slope);
    fp_sub(&sum.x, &sum.x, &p.x);
    fp_sub(&sum.x, &sum.x, &q.x);
    fp_sub(&sum.y, &p.x, &sum.x);
    fp_mul(&sum.y, &sum.y, &slope);
    fp_sub(&sum.y, &sum.y, &p.y);
    g1_write(out, &sum);
    return true;
}

/* [Explicit-Formulas Database, dbl-2009-l]; gives infinity for infinity. */
static void jacobian_double(jacobian *p)
{
    fp a, b, c, d, e, f;
    fp_sqr(&a, &p->x);
    fp_sqr(&b, &p->y);
    fp_sqr(&c, &b);
    fp_add(&d, &p->x, &b);
    fp_sqr(&d, &d);
    fp_sub(&d, &d, &a);
    fp_sub(&d, &d, &c);
    fp_double(&d, &d);
    fp_double(&e, &a);
    fp_add(&e, &e, &a);
    fp_sqr(&f, &e);
    fp_mul(&p->z, &p->z, &p->y);
    fp_double(&p->z, &p->z);
    fp_sub(&f, &f, &d);
    fp_sub(&p->x, &f, &d);
    fp_sub(&d, &d, &p->x);
    fp_mul(&p->y, &e, &d);
    for (unsigned i = 0; i < 3; i++)
        fp_double(&c, &c);
    fp_sub(&p->y, &p->y, &c);
}

/* p + q for a finite q [Explicit-Formulas Database, madd-2004-hmv]. */
static void jacobian_add(jacobian *p, const fp *qx, const fp *qy)
{
    fp zz, h, s, hh, hhh, v;
    if (fp_is_zero(&p->z)) {
        *p = (jacobian){*qx, *qy, FP_ONE};
        return;
    }
    fp_sqr(&zz, &p->z);
    fp_mul(&h, qx, &zz);
    fp_mul(&s, qy, &zz);
    fp_mul(&s, &s, &p->z);
    fp_sub(&h, &h, &p->x);
    fp_sub(&s, &s, &p->y);
    if (fp_is_zero(&h)) {
        if (fp_is_zero(&s))
            jacobian_double(p);
        else
            p->z = FP_ZERO;
        return;
    }
    fp_sqr(&hh, &h);
    fp_mul(&hhh, &hh, &h);
    fp_mul(&v, &p->x, &hh);
    fp_mul(&p->z, &p->z, &h);
    fp_sqr(&p->x, &s);
    fp_sub(&p->x, &p->x, &hhh);
    fp_sub(&p->x, &p->x, &v);
    fp_sub(&p->x, &p->x, &v);
    fp_sub(&v, &v, &p->x);
    fp_mul(&v, &v, &s);
    fp_mul(&hhh, &hhh, &p->y);
    fp_sub(&p->y, &v, &hhh);
}

enum { ODD = 4, DIGITS = 130 };

/* P, 3P, 5P, 7P, and the same under phi; coordinates of a table's points are affine. */
typedef struct table {
    g1 odd[2][ODD];
} table;

/* 2P is made affine first, so that the others come by mixed additions; then the three of these
 * share one inversion. */
static void fill(table *t, const g1 *p)
{
    /* The cube root of one that is lambda's partner. */
    static const fp beta = {
        {0x3350c88e13e80b9c, 0x7dce557cdb5e56b9, 0x6001b4b8b615564a, 0x2682e617020217e0}};
    jacobian twice = {p->x, p->y, FP_ONE}, multiple[ODD];
    jacobian_double(&twice);
    multiple[0] = (jacobian){p->x, p->y, FP_ONE};
    fp inverse, square;
    kl_fp_inv_var(&inverse, &twice.z);
    fp_sqr(&square, &inverse);
    fp_mul(&twice.x, &twice.x, &square);
    fp_mul(&twice.y, &twice.y, &square);
    fp_mul(&twice.y, &twice.y, &inverse);
    fp product[ODD]; /* of the first Z's */
    product[0] = FP_ONE;
    for (unsigned i = 1; i < ODD; i++) {
        multiple[i] = multiple[i - 1];
        jacobian_add(&multiple[i], &twice.x, &twice.y);
        fp_mul(&product[i], &product[i - 1], &multiple[i].z);
    }
    t->odd[0][0] = *p;
    kl_fp_inv_var(&inverse, &product[ODD - 1]);
    for (unsigned i = ODD - 1; i > 0; i--) {
        fp own;
        fp_mul(&own, &inverse, &product[i - 1]);
        fp_mul(&inverse, &inverse, &multiple[i].z);
        fp_sqr(&square, &own);
        fp_mul(&t->odd[0][i].x, &multiple[i].x, &square);
        fp_mul(&square, &square, &own);
        fp_mul(&t->odd[0][i].y, &multiple[i].y, &square);
    }
    for (unsigned i = 0; i < ODD; i++) {
        fp_mul(&t->odd[1][i].x, &t->odd[0][i].x, &beta);
        t->odd[1][i].y = t->odd[0][i].y;
    }
}

/* k in signed odd digits; the number of places. */
static unsigned to_digits(signed char digit[DIGITS], kl_u256 k)
{
    unsigned n = 0;
    memset(digit, 0, DIGITS);
    while (!kl_u256_is_zero(k)) {
        KL_ASSERT(n < DIGITS);
        if (k.w[0] & 1) {
            int d = (int)(k.w[0] & 15);
            d = d > 8 ? d - 16 : d;
            digit[n] = (signed char)d;
            k = d < 0 ? kl_u256_add(k, kl_u256_of((u64)-d)) : kl_u256_sub(k, kl_u256_of((u64)d));
        }
        k = kl_u256_shr(k, 1);
        n++;
    }
    return n;
}

/* k = k1 + k2 lambda mod r, from the short vectors (a, b) and (c, -a) for which a + b lambda and
 * c - a lambda are 0 mod r: with f = floor(k a / r) and g = floor(k b / r), k1 = k - f a - g c is
 * in [0, a + c) and k2 = g a - f b in (-a, b).  *negative says that k2 is, and its magnitude is
 * given. */
void kl_bn254_split(kl_u256 *k1, kl_u256 *k2, bool *negative, kl_u256 k)
{
    static const kl_u256 a = {{0x89d3256894d213e3, 0, 0, 0}};
    static const kl_u256 b = {{0x0be4e1541221250b, 0x6f4d8248eeb859fd, 0, 0}};
    static const kl_u256 c = {{0x8211bbeb7d4f1128, 0x6f4d8248eeb859fc, 0, 0}};
    kl_u256 f, g;
    (void)kl_u256_muldiv_over(&f, k, a, order);
    (void)kl_u256_muldiv_over(&g, k, b, order);
    kl_u256 first = kl_u256_add(kl_u256_mul(f, a), kl_u256_mul(g, c));
    *k1 = kl_u256_sub(k, first);
    *negative = kl_u256_sub_under(k2, kl_u256_mul(g, a), kl_u256_mul(f, b));
    if (*negative)
        *k2 = kl_u256_sub(KL_U256_ZERO, *k2);
}

static void add_digit(jacobian *sum, const g1 odd[ODD], int digit)
{
    if (digit == 0)
        return;
    const g1 *p = &odd[(digit < 0 ? -digit : digit) / 2];
    fp y = p->y;
    if (digit < 0)
        fp_neg(&y, &y);
    jacobian_add(sum, &p->x, &y);
}

bool kl_bn254_mul_var(u8 out[64], const u8 point[64], const u8 scalar[32])
{
    g1 p;
    if (!kl_bn254_g1_read(&p, point))
        return false;
    kl_u256 k = kl_u256_mod(kl_u256_from_be(scalar), order), half[2];
    if (kl_bn254_g1_is_infinity(&p) || kl_u256_is_zero(k)) {
        memset(out, 0, 64);
        return true;
    }
    bool negative;
    signed char digit[2][DIGITS];
    table t;
    kl_bn254_split(&half[0], &half[1], &negative, k);
    fill(&t, &p);
    unsigned n = to_digits(digit[0], half[0]), m = to_digits(digit[1], half[1]);
    jacobian sum = {.z = FP_ZERO};
    for (unsigned i = KL_MAX(n, m); i-- > 0;) {
        jacobian_double(&sum);
        add_digit(&sum, t.odd[0], digit[0][i]);
        add_digit(&sum, t.odd[1], negative ? -digit[1][i] : digit[1][i]);
    }
    /* k is not 0 mod r, so the sum is finite. */
    fp inverse, square;
    kl_fp_inv_var(&inverse, &sum.z);
    fp_sqr(&square, &inverse);
    fp_mul(&p.x, &sum.x, &square);
    fp_mul(&square, &square, &inverse);
    fp_mul(&p.y, &sum.y, &square);
    g1_write(out, &p);
    return true;
}
