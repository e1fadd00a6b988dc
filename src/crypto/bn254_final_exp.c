/* f^(m (p^12 - 1) / r) for an m prime to r: one for the same f as without m, and cheaper.  With x
 * the curve's parameter and m = 2x (6x^2 + 3x + 1):
 *
 *   easy part  f^((p^6 - 1)(p^2 + 1)), after which inversion is conjugation;
 *   hard part  m (p^4 - p^2 + 1) / r = (b + 6x^2 + 1) + p a + p^2 b + p^3 (a - 1)
 *              a = 12x^3 + 6x^2 + 4x,  b = 12x^3 + 6x^2 + 6x
 *
 * [Fuentes-Castaneda, Knapp, Rodriguez-Henriquez 2011]. */
#include "crypto/bn254_tower_priv.h"

/* out = a^x for a of the cyclotomic subgroup */
static void power_of_x(fp12 *out, const fp12 *a)
{
    /* x in signed odd digits, the most significant first. */
    static const signed char digit[63] = {1, 0, 0, 0, 0, 0, 5, 0, 0,  0, 0,  -3, 0,  0, 0,  3,
                                          0, 0, 0, 0, 5, 0, 0, 0, -5, 0, 0,  0,  -3, 0, 0,  0,
                                          1, 0, 0, 0, 0, 5, 0, 0, 0,  0, 7,  0,  0,  0, -7, 0,
                                          0, 0, 0, 0, 0, 5, 0, 0, 0,  0, -1, 0,  0,  0, 1};
    fp12 odd[4] = {*a}, square, t;
    kl_fp12_cyclotomic_sqr(&square, a);
    for (unsigned i = 1; i < KL_COUNT_OF(odd); i++)
        kl_fp12_mul(&odd[i], &odd[i - 1], &square);
    fp12 r = *a;
    for (unsigned i = 1; i < KL_COUNT_OF(digit); i++) {
        kl_fp12_cyclotomic_sqr(&r, &r);
        if (digit[i] > 0)
            kl_fp12_mul(&r, &r, &odd[digit[i] / 2]);
        if (digit[i] < 0) {
            kl_fp12_conj(&t, &odd[-digit[i] / 2]);
            kl_fp12_mul(&r, &r, &t);
        }
    }
    *out = r;
}

void kl_fp12_final_exp_var(fp12 *out, const fp12 *in)
{
    fp12 f, t, f2x, f6x, f6xx, a, b;
    kl_fp12_inv_var(&t, in);
    kl_fp12_conj(&f, in);
    kl_fp12_mul(&t, &t, &f);
    kl_fp12_frobenius(&f, &t, 2);
    kl_fp12_mul(&f, &f, &t);

    power_of_x(&f2x, &f);
    kl_fp12_cyclotomic_sqr(&f2x, &f2x);
    kl_fp12_cyclotomic_sqr(&f6x, &f2x);
    kl_fp12_mul(&f6x, &f6x, &f2x);
    power_of_x(&f6xx, &f6x);
    kl_fp12_cyclotomic_sqr(&b, &f6xx);
    power_of_x(&b, &b);
    kl_fp12_mul(&b, &b, &f6xx);
    kl_fp12_mul(&b, &b, &f6x);
    kl_fp12_conj(&t, &f2x);
    kl_fp12_mul(&a, &b, &t);

    kl_fp12_mul(out, &b, &f6xx);
    kl_fp12_mul(out, out, &f);
    kl_fp12_frobenius(&t, &a, 1);
    kl_fp12_mul(out, out, &t);
    kl_fp12_frobenius(&t, &b, 2);
    kl_fp12_mul(out, out, &t);
    kl_fp12_conj(&t, &f);
    kl_fp12_mul(&t, &t, &a);
    kl_fp12_frobenius(&t, &t, 3);
    kl_fp12_mul(out, out, &t);
}
