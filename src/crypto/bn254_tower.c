/* Multiplication in Fp2 is Karatsuba's on wide products: three of them and two reductions.  Fp6 and
 * Fp12 are Karatsuba's over that. */
#include "crypto/bn254_tower_priv.h"

const fp2 kl_fp12_gamma[3][5] = {
    {
        {{{0xaf9ba69633144907, 0xca6b1d7387afb78a, 0x11bded5ef08a2087, 0x02f34d751a1f3a7c}},
         {{0xa222ae234c492d72, 0xd00f02a4565de15b, 0xdc2ff3a253dfc926, 0x10a75716b3899551}}},
        {{{0xb5773b104563ab30, 0x347f91c8a9aa6454, 0x7a007127242e0991, 0x1956bcd8118214ec}},
         {{0x6e849f1ea0aa4757, 0xaa1c7b6d89f89141, 0xb6e713cdfae0ca3a, 0x26694fbb4e82ebc3}}},
        {{{0xe4bbdd0c2936b629, 0xbb30f162e133bacb, 0x31a9d1b6f9645366, 0x253570bea500f8dd}},
         {{0xa1d77ce45ffe77c7, 0x07affd117826d1db, 0x6d16bd27bb7edc6b, 0x2c87200285defecc}}},
        {{{0x7361d77f843abe92, 0xa5bb2bd3273411fb, 0x9c941f314b3e2399, 0x15df9cddbb9fd3ec}},
         {{0x5dddfd154bd8c949, 0x62cb29a5a4445b60, 0x37bc870a0c7dd2b9, 0x24830a9d3171f0fd}}},
        {{{0xc970692f41690fe7, 0xe240342127694b0b, 0x32bee66b83c459e8, 0x12aabced0ab08841}},
         {{0x0d485d2340aebfa9, 0x05193418ab2fcc57, 0xd3b0a40b8a4910f5, 0x2f21ebb535d2925a}}},
    },
    {
        {{{0xca8d800500fa1bf2, 0xf0c5d61468b39769, 0x0e201271ad0d4418, 0x04290f65bad856e6}},
         {{0, 0, 0, 0}}},
        {{{0x3350c88e13e80b9c, 0x7dce557cdb5e56b9, 0x6001b4b8b615564a, 0x2682e617020217e0}},
         {{0, 0, 0, 0}}},
        {{{0x68c3488912edefaa, 0x8d087f6872aabf4f, 0x51e1a24709081231, 0x2259d6b14729c0fa}},
         {{0, 0, 0, 0}}},
        {{{0x71930c11d782e155, 0xa6bb947cffbe3323, 0xaa303344d4741444, 0x2c3b3f0d26594943}},
         {{0, 0, 0, 0}}},
        {{{0x08cfc388c494f1ab, 0x19b315148d1373d4, 0x584e90fdcb6c0213, 0x09e1685bdf2f8849}},
         {{0, 0, 0, 0}}},
    },
    {
        {{{0x365316184e46d97d, 0x0af7129ed4c96d9f, 0x659da72fca1009b5, 0x08116d8983a20d23}},
         {{0xb1df4af7c39c1939, 0x3d9f02878a73bf7f, 0x9b2220928caf0ae0, 0x26684515eff054a6}}},
        {{{0xc9af22f716ad6bad, 0xb311782a4aa662b2, 0x19eeaf64e248c7f4, 0x20273e77e3439f82}},
         {{0xacc02860f7ce93ac, 0x3933d5817ba76b4c, 0x69e6188b446c8467, 0x0a46036d4417cc55}}},
        {{{0x5764af0aaf46471e, 0xdc50792e873e0fc1, 0x86a673ff881d04f6, 0x0b2eddb43c30a74c}},
         {{0x9a490f32787e8580, 0x8fd16d7ff04af8b1, 0x4b39888ec6027bf2, 0x03dd2e705b52a15d}}},
        {{{0x448a93a57b6762df, 0xbfd62df528fdeadf, 0xd858f5d00e9bd47a, 0x06b03d4d3476ec58}},
         {{0x2b19daf4bcc936d1, 0xa1a54e7a56f4299f, 0xb533eee05adeaef1, 0x170c812b84dda0b2}}},
        {{{0xe0bc4b2275cf559f, 0xc238b945c154e60f, 0x803982a5929a7d5e, 0x15ce052df7e4a37e}},
         {{0x2d28efbdbf3799a7, 0x9b097e3c1ad60773, 0x982d4113af4a535b, 0x24e18991e3056063}}},
    },
};

/* (a0 + a1 u)(b0 + b1 u) = a0 b0 - a1 b1 + ((a0 + a1)(b0 + b1) - a0 b0 - a1 b1) u; the sums are
 * below 2p, so the middle product is below 4 p^2, and what is left of it below 2 p^2. */
void kl_fp2_mul(fp2 *out, const fp2 *a, const fp2 *b)
{
    fp s, t;
    fpw low, high, cross;
    fp_add_lazy(&s, &a->c0, &a->c1);
    fp_add_lazy(&t, &b->c0, &b->c1);
    fpw_mul(&cross, &s, &t);
    fpw_mul(&low, &a->c0, &b->c0);
    fpw_mul(&high, &a->c1, &b->c1);
    fpw_sub(&cross, &cross, &low);
    fpw_sub(&cross, &cross, &high);
    fpw_sub_mod(&low, &low, &high);
    fpw_reduce(&out->c0, &low);
    fpw_reduce(&out->c1, &cross);
}

/* (a0 + a1)(a0 - a1) + 2 a0 a1 u */
void kl_fp2_sqr(fp2 *out, const fp2 *a)
{
    fp sum, difference, twice;
    fp_add_lazy(&sum, &a->c0, &a->c1);
    fp_sub(&difference, &a->c0, &a->c1);
    fp_add_lazy(&twice, &a->c0, &a->c0);
    fp_mul(&out->c1, &twice, &a->c1);
    fp_mul(&out->c0, &sum, &difference);
}

/* out = 9 x + y for y <= p: a sum v below 10 p, from which the multiple of p that its highest bits
 * call for is taken; less than 2p is left. */
static void nine_times_plus(fp *out, const fp *x, const fp *y)
{
    static const u64 multiple[10][4] = {
        {0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000},
        {0x3c208c16d87cfd47, 0x97816a916871ca8d, 0xb85045b68181585d, 0x30644e72e131a029},
        {0x7841182db0f9fa8e, 0x2f02d522d0e3951a, 0x70a08b6d0302b0bb, 0x60c89ce5c2634053},
        {0xb461a4448976f7d5, 0xc6843fb439555fa7, 0x28f0d12384840918, 0x912ceb58a394e07d},
        {0xf082305b61f3f51c, 0x5e05aa45a1c72a34, 0xe14116da06056176, 0xc19139cb84c680a6},
        {0x2ca2bc723a70f263, 0xf58714d70a38f4c2, 0x99915c908786b9d3, 0xf1f5883e65f820d0},
        {0x68c3488912edefaa, 0x8d087f6872aabf4f, 0x51e1a24709081231, 0x2259d6b14729c0fa},
        {0xa4e3d49feb6aecf1, 0x2489e9f9db1c89dc, 0x0a31e7fd8a896a8f, 0x52be2524285b6124},
        {0xe10460b6c3e7ea38, 0xbc0b548b438e5469, 0xc2822db40c0ac2ec, 0x83227397098d014d},
        {0x1d24eccd9c64e77f, 0x538cbf1cac001ef7, 0x7ad2736a8d8c1b4a, 0xb386c209eabea177},
    };
    fp v;
    u128 sum = 0;
    for (unsigned i = 0; i < 4; i++) {
        sum = (u128)x->w[i] * 9 + y->w[i] + (u64)(sum >> 64);
        v.w[i] = (u64)sum;
    }
    u64 high = (u64)(sum >> 64) << 6 | v.w[3] >> 58; /* v / 2^250; p is 12.1 of these */
    fp_sub_multiple(out, &v, multiple[high * 20 >> 8]);
}

/* (9 + u)(a0 + a1 u) = 9 a0 - a1 + (9 a1 + a0) u */
void kl_fp2_mul_xi(fp2 *out, const fp2 *a)
{
    fp minus;
    fp2 in = *a;
    fp_neg(&minus, &in.c1);
    nine_times_plus(&out->c0, &in.c0, &minus);
    nine_times_plus(&out->c1, &in.c1, &in.c0);
}

/* The conjugate over the norm a0^2 + a1^2. */
void kl_fp2_inv_var(fp2 *out, const fp2 *a)
{
    fp norm, square;
    fp_sqr(&norm, &a->c0);
    fp_sqr(&square, &a->c1);
    fp_add(&norm, &norm, &square);
    kl_fp_inv_var(&norm, &norm);
    fp2_conj(out, a);
    fp2_scale(out, out, &norm);
}

static void fp6_add(fp6 *out, const fp6 *a, const fp6 *b)
{
    fp2_add(&out->c0, &a->c0, &b->c0);
    fp2_add(&out->c1, &a->c1, &b->c1);
    fp2_add(&out->c2, &a->c2, &b->c2);
}

static void fp6_sub(fp6 *out, const fp6 *a, const fp6 *b)
{
    fp2_sub(&out->c0, &a->c0, &b->c0);
    fp2_sub(&out->c1, &a->c1, &b->c1);
    fp2_sub(&out->c2, &a->c2, &b->c2);
}

static void fp6_neg(fp6 *out, const fp6 *a)
{
    fp2_neg(&out->c0, &a->c0);
    fp2_neg(&out->c1, &a->c1);
    fp2_neg(&out->c2, &a->c2);
}

/* By v: the coefficients move up by one, the last one comes back times xi. */
static void fp6_mul_v(fp6 *out, const fp6 *a)
{
    fp2 top = a->c2;
    out->c2 = a->c1;
    out->c1 = a->c0;
    kl_fp2_mul_xi(&out->c0, &top);
}

/* out = (a + b)(c + d) - e - f */
static void fp2_cross(fp2 *out, const fp2 *a, const fp2 *b, const fp2 *c, const fp2 *d,
                      const fp2 *e, const fp2 *f)
{
    fp2 s, t;
    fp2_add(&s, a, b);
    fp2_add(&t, c, d);
    kl_fp2_mul(&s, &s, &t);
    fp2_sub(&s, &s, e);
    fp2_sub(out, &s, f);
}

void kl_fp6_mul(fp6 *out, const fp6 *a, const fp6 *b)
{
    fp2 t0, t1, t2, c0, c1, c2;
    kl_fp2_mul(&t0, &a->c0, &b->c0);
    kl_fp2_mul(&t1, &a->c1, &b->c1);
    kl_fp2_mul(&t2, &a->c2, &b->c2);
    fp2_cross(&c0, &a->c1, &a->c2, &b->c1, &b->c2, &t1, &t2);
    fp2_cross(&c1, &a->c0, &a->c1, &b->c0, &b->c1, &t0, &t1);
    fp2_cross(&c2, &a->c0, &a->c2, &b->c0, &b->c2, &t0, &t2);
    kl_fp2_mul_xi(&c0, &c0);
    kl_fp2_mul_xi(&t2, &t2);
    fp2_add(&out->c0, &t0, &c0);
    fp2_add(&out->c1, &c1, &t2);
    fp2_add(&out->c2, &c2, &t1);
}

/* By b0 + b1 v. */
static void fp6_mul_01(fp6 *out, const fp6 *a, const fp2 *b0, const fp2 *b1)
{
    fp2 t0, t1, c0, c1, c2;
    kl_fp2_mul(&t0, &a->c0, b0);
    kl_fp2_mul(&t1, &a->c1, b1);
    fp2_cross(&c1, &a->c0, &a->c1, b0, b1, &t0, &t1);
    kl_fp2_mul(&c0, &a->c2, b1);
    kl_fp2_mul(&c2, &a->c2, b0);
    kl_fp2_mul_xi(&c0, &c0);
    fp2_add(&out->c0, &c0, &t0);
    out->c1 = c1;
    fp2_add(&out->c2, &c2, &t1);
}

/* [Beuchat et al. 2010, algorithm 17] */
void kl_fp6_inv_var(fp6 *out, const fp6 *a)
{
    fp2 t, c0, c1, c2, norm;
    kl_fp2_sqr(&c0, &a->c0);
    kl_fp2_mul(&t, &a->c1, &a->c2);
    kl_fp2_mul_xi(&t, &t);
    fp2_sub(&c0, &c0, &t);
    kl_fp2_sqr(&c1, &a->c2);
    kl_fp2_mul_xi(&c1, &c1);
    kl_fp2_mul(&t, &a->c0, &a->c1);
    fp2_sub(&c1, &c1, &t);
    kl_fp2_sqr(&c2, &a->c1);
    kl_fp2_mul(&t, &a->c0, &a->c2);
    fp2_sub(&c2, &c2, &t);

    kl_fp2_mul(&norm, &a->c2, &c1);
    kl_fp2_mul(&t, &a->c1, &c2);
    fp2_add(&norm, &norm, &t);
    kl_fp2_mul_xi(&norm, &norm);
    kl_fp2_mul(&t, &a->c0, &c0);
    fp2_add(&norm, &norm, &t);
    kl_fp2_inv_var(&norm, &norm);
    kl_fp2_mul(&out->c0, &c0, &norm);
    kl_fp2_mul(&out->c1, &c1, &norm);
    kl_fp2_mul(&out->c2, &c2, &norm);
}

void kl_fp12_mul(fp12 *out, const fp12 *a, const fp12 *b)
{
    fp6 low, high, s, t;
    kl_fp6_mul(&low, &a->c0, &b->c0);
    kl_fp6_mul(&high, &a->c1, &b->c1);
    fp6_add(&s, &a->c0, &a->c1);
    fp6_add(&t, &b->c0, &b->c1);
    kl_fp6_mul(&s, &s, &t);
    fp6_sub(&s, &s, &low);
    fp6_sub(&out->c1, &s, &high);
    fp6_mul_v(&high, &high);
    fp6_add(&out->c0, &low, &high);
}

/* With m = a0 a1: (a0 + a1)(a0 + v a1) - m - v m + 2 m w */
void kl_fp12_sqr(fp12 *out, const fp12 *a)
{
    fp6 m, s, t;
    kl_fp6_mul(&m, &a->c0, &a->c1);
    fp6_mul_v(&t, &a->c1);
    fp6_add(&t, &t, &a->c0);
    fp6_add(&s, &a->c0, &a->c1);
    kl_fp6_mul(&s, &s, &t);
    fp6_mul_v(&t, &m);
    fp6_sub(&s, &s, &m);
    fp6_sub(&out->c0, &s, &t);
    fp6_add(&out->c1, &m, &m);
}

void kl_fp12_mul_line(fp12 *f, const fp2 *c0, const fp2 *c3, const fp2 *c4)
{
    fp6 low, high, s;
    fp2 c03;
    kl_fp2_mul(&low.c0, &f->c0.c0, c0);
    kl_fp2_mul(&low.c1, &f->c0.c1, c0);
    kl_fp2_mul(&low.c2, &f->c0.c2, c0);
    fp6_mul_01(&high, &f->c1, c3, c4);
    fp6_add(&s, &f->c0, &f->c1);
    fp2_add(&c03, c0, c3);
    fp6_mul_01(&s, &s, &c03, c4);
    fp6_sub(&s, &s, &low);
    fp6_sub(&f->c1, &s, &high);
    fp6_mul_v(&high, &high);
    fp6_add(&f->c0, &low, &high);
}

void kl_fp12_conj(fp12 *out, const fp12 *a)
{
    out->c0 = a->c0;
    fp6_neg(&out->c1, &a->c1);
}

/* The conjugate over the norm a0^2 - v a1^2. */
void kl_fp12_inv_var(fp12 *out, const fp12 *a)
{
    fp6 norm, t;
    kl_fp6_mul(&norm, &a->c0, &a->c0);
    kl_fp6_mul(&t, &a->c1, &a->c1);
    fp6_mul_v(&t, &t);
    fp6_sub(&norm, &norm, &t);
    kl_fp6_inv_var(&norm, &norm);
    kl_fp6_mul(&t, &a->c1, &norm);
    kl_fp6_mul(&out->c0, &a->c0, &norm);
    fp6_neg(&out->c1, &t);
}

bool kl_fp12_is_one(const fp12 *a)
{
    const fp12 one = FP12_ONE;
    return memcmp(a, &one, sizeof one) == 0;
}

/* The coefficients of 1, w^2, w^4 are those of c0, of w, w^3, w^5 those of c1; w^i gains gamma_i,
 * and odd powers of p conjugate the coefficients. */
void kl_fp12_frobenius(fp12 *out, const fp12 *a, unsigned k)
{
    fp2 c[6] = {a->c0.c0, a->c1.c0, a->c0.c1, a->c1.c1, a->c0.c2, a->c1.c2};
    for (unsigned i = 0; i < 6; i++) {
        if (k % 2)
            fp2_conj(&c[i], &c[i]);
        if (i)
            kl_fp2_mul(&c[i], &c[i], &kl_fp12_gamma[k - 1][i - 1]);
    }
    *out = (fp12){{c[0], c[2], c[4]}, {c[1], c[3], c[5]}};
}

/* The square of a + b s in Fp4 = Fp2[s] / (s^2 - xi). */
static void fp4_sqr(fp2 *out0, fp2 *out1, const fp2 *a, const fp2 *b)
{
    fp2 aa, bb, s;
    kl_fp2_sqr(&aa, a);
    kl_fp2_sqr(&bb, b);
    fp2_add(&s, a, b);
    kl_fp2_sqr(&s, &s);
    fp2_sub(&s, &s, &aa);
    fp2_sub(out1, &s, &bb);
    kl_fp2_mul_xi(&bb, &bb);
    fp2_add(out0, &aa, &bb);
}

/* out = 3 t - 2 a */
static void three_less_two(fp2 *out, const fp2 *t, const fp2 *a)
{
    fp2 d;
    fp2_sub(&d, t, a);
    fp2_double(&d, &d);
    fp2_add(out, &d, t);
}

/* out = 3 t + 2 a */
static void three_and_two(fp2 *out, const fp2 *t, const fp2 *a)
{
    fp2 d;
    fp2_add(&d, t, a);
    fp2_double(&d, &d);
    fp2_add(out, &d, t);
}

/* Three squarings in Fp4 [Granger, Scott 2010, section 3.2]. */
void kl_fp12_cyclotomic_sqr(fp12 *out, const fp12 *a)
{
    fp2 a0, a1, b0, b1, c0, c1;
    fp4_sqr(&a0, &a1, &a->c0.c0, &a->c1.c1);
    fp4_sqr(&b0, &b1, &a->c1.c0, &a->c0.c2);
    fp4_sqr(&c0, &c1, &a->c0.c1, &a->c1.c2);
    kl_fp2_mul_xi(&c1, &c1);
    three_less_two(&out->c0.c0, &a0, &a->c0.c0);
    three_less_two(&out->c0.c1, &b0, &a->c0.c1);
    three_less_two(&out->c0.c2, &c0, &a->c0.c2);
    three_and_two(&out->c1.c0, &c1, &a->c1.c0);
    three_and_two(&out->c1.c1, &a1, &a->c1.c1);
    three_and_two(&out->c1.c2, &b1, &a->c1.c2);
}
