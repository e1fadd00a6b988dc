/* keccak_round: one round of Keccak-f[1600] [FIPS 202 section 3.2] as a macro over any type that
 * holds the same 64-bit lane of one or more states.
 *
 * The includer names the type and four operations, none of which may read an argument's address:
 *   KECCAK_T            the type
 *   KECCAK_XOR3(a,b,c)  a ^ b ^ c
 *   KECCAK_CHI(a,b,c)   a ^ (~b & c)
 *   KECCAK_ROL(a,n)     each lane rotated left by n in [0, 63]
 * Lane (x, y) is element x + 5 * y.  A round reads array a and writes array e, both of 25 elements
 * that the compiler is meant to keep apart (constant indices only); two rounds with the roles
 * swapped need no copies. */
#ifndef KL_CRYPTO_KECCAK_ROUND_PRIV_H
#define KL_CRYPTO_KECCAK_ROUND_PRIV_H

#include "base/int.h"

extern const u64 kl_keccak_round_constant[24];

/* theta's parity of column x */
#define KECCAK_COLUMN(a, x) \
    KECCAK_XOR3(KECCAK_XOR3((a)[x], (a)[(x) + 5], (a)[(x) + 10]), (a)[(x) + 15], (a)[(x) + 20])

/* Row y after theta, rho, pi and chi: input lane iN, whose column is iN % 5, is rotated by rN. */
#define KECCAK_ROW(e, y, a, d, i0, r0, i1, r1, i2, r2, i3, r3, i4, r4) \
    do {                                                               \
        KECCAK_T b0 = KECCAK_ROL((a)[i0] ^ (d)[(i0) % 5], r0);         \
        KECCAK_T b1 = KECCAK_ROL((a)[i1] ^ (d)[(i1) % 5], r1);         \
        KECCAK_T b2 = KECCAK_ROL((a)[i2] ^ (d)[(i2) % 5], r2);         \
        KECCAK_T b3 = KECCAK_ROL((a)[i3] ^ (d)[(i3) % 5], r3);         \
        KECCAK_T b4 = KECCAK_ROL((a)[i4] ^ (d)[(i4) % 5], r4);         \
        (e)[(y)*5 + 0] = KECCAK_CHI(b0, b1, b2);                       \
        (e)[(y)*5 + 1] = KECCAK_CHI(b1, b2, b3);                       \
        (e)[(y)*5 + 2] = KECCAK_CHI(b2, b3, b4);                       \
        (e)[(y)*5 + 3] = KECCAK_CHI(b3, b4, b0);                       \
        (e)[(y)*5 + 4] = KECCAK_CHI(b4, b0, b1);                       \
    } while (0)

#define KECCAK_ROUND(e, a, iota)                                                                 \
    do {                                                                                         \
        KECCAK_T c0 = KECCAK_COLUMN(a, 0), c1 = KECCAK_COLUMN(a, 1);                             \
        KECCAK_T c2 = KECCAK_COLUMN(a, 2), c3 = KECCAK_COLUMN(a, 3);                             \
        KECCAK_T c4 = KECCAK_COLUMN(a, 4);                                                       \
        KECCAK_T d[5] = {c4 ^ KECCAK_ROL(c1, 1), c0 ^ KECCAK_ROL(c2, 1), c1 ^ KECCAK_ROL(c3, 1), \
                         c2 ^ KECCAK_ROL(c4, 1), c3 ^ KECCAK_ROL(c0, 1)};                        \
        KECCAK_ROW(e, 0, a, d, 0, 0, 6, 44, 12, 43, 18, 21, 24, 14);                             \
        (e)[0] = (e)[0] ^ (iota);                                                                \
        KECCAK_ROW(e, 1, a, d, 3, 28, 9, 20, 10, 3, 16, 45, 22, 61);                             \
        KECCAK_ROW(e, 2, a, d, 1, 1, 7, 6, 13, 25, 19, 8, 20, 18);                               \
        KECCAK_ROW(e, 3, a, d, 4, 27, 5, 36, 11, 10, 17, 15, 23, 56);                            \
        KECCAK_ROW(e, 4, a, d, 2, 62, 8, 55, 14, 39, 15, 41, 21, 2);                             \
    } while (0)

/* X(0) X(1) … X(24), for loading and storing a state with constant indices. */
#define KECCAK_EACH_LANE(X) \
    X(0)                    \
    X(1)                    \
    X(2)                    \
    X(3)                    \
    X(4)                    \
    X(5)                    \
    X(6)                    \
    X(7)                    \
    X(8)                    \
    X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16) X(17) X(18) X(19) X(20) X(21) X(22) X(23) X(24)

#endif
