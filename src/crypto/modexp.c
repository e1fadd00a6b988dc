/* GMP's mpz_powm: next to libcrypto it is as fast on odd moduli, three times as fast on even ones
 * and several times as fast on short numbers.
 *
 * GMP aborts the process when the heap fails it.  So the working memory of a whole call is taken
 * beforehand, in one piece of an estimated size whose failure is KL_NOMEM, and GMP's allocations
 * are cut from that piece as from a stack.  What the estimate did not foresee comes from the heap,
 * where a failure is a panic; the tests watch that this does not happen. */
#include "crypto/modexp_priv.h"

#include <gmp.h>
#include <stdlib.h>

/* Numbers of more bytes are refused: GMP's own limit is near, and no gas limit reaches them. */
#define MODEXP_LEN_MAX ((usize)1 << 28)

struct room {
    u8 *p;
    usize used, len, spilled;
};

/* The memory of the call this thread is in; NULL outside. */
static _Thread_local struct room *room;

static usize rounded(usize n)
{
    return (n + 15) & ~(usize)15;
}

static bool in_room(const void *p)
{
    return room && (uintptr_t)p - (uintptr_t)room->p < room->len;
}

static void *room_take(usize n)
{
    if (room && rounded(n) <= room->len - room->used) {
        void *p = room->p + room->used;
        room->used += rounded(n);
        return p;
    }
    void *p = malloc(n);
    KL_ASSERT(p);
    if (room)
        room->spilled += n;
    return p;
}

static void room_give(void *p, usize n)
{
    if (!in_room(p))
        free(p);
    else if ((u8 *)p + rounded(n) == room->p + room->used)
        room->used -= rounded(n);
}

static void *room_resize(void *p, usize old, usize n)
{
    void *moved = room_take(n);
    memcpy(moved, p, KL_MIN(old, n));
    room_give(p, old);
    return moved;
}

__attribute__((constructor)) static void give_gmp_our_memory(void)
{
    mp_set_memory_functions(room_take, room_resize, room_give);
}

static kl_span without_leading_zeros(kl_span number)
{
    while (number.len && number.p[0] == 0)
        number = kl_span_of(number.p + 1, number.len - 1);
    return number;
}

/* An upper bound for most calls: GMP keeps a table of powers whose size follows the exponent's, and
 * a few dozen numbers of the modulus' size; the factor for these was measured. */
static usize estimate(usize base, usize exponent, usize modulus)
{
    usize table = exponent > 3520 ? 1024 : exponent > 576 ? 256 : exponent > 84 ? 64 : 16;
    return 4096 + 4 * base + 2 * exponent + (table + 32) * (modulus + 8);
}

static void power(u8 *out, kl_span base, kl_span exponent, kl_span modulus)
{
    mpz_t b, e, m;
    mpz_init2(b, 8 * modulus.len + 64);
    mpz_init2(e, 8 * exponent.len + 64);
    mpz_init2(m, 8 * modulus.len + 64);
    mpz_import(b, base.len, 1, 1, 1, 0, base.p);
    mpz_import(e, exponent.len, 1, 1, 1, 0, exponent.p);
    mpz_import(m, modulus.len, 1, 1, 1, 0, modulus.p);
    mpz_powm(b, b, e, m);
    usize len = mpz_sgn(b) ? (mpz_sizeinbase(b, 2) + 7) / 8 : 0;
    memset(out, 0, modulus.len - len);
    mpz_export(out + modulus.len - len, NULL, 1, 1, 1, 0, b);
    mpz_clears(b, e, m, NULL);
}

kl_status kl_modexp_within(u8 *out, usize room_max, usize *spilled, kl_span base, kl_span exponent,
                           kl_span modulus)
{
    usize out_len = modulus.len;
    base = without_leading_zeros(base);
    exponent = without_leading_zeros(exponent);
    modulus = without_leading_zeros(modulus);
    if (modulus.len == 0) {
        if (out_len)
            memset(out, 0, out_len);
        return KL_OK;
    }
    if (KL_MAX(KL_MAX(base.len, exponent.len), modulus.len) > MODEXP_LEN_MAX)
        return KL_LIMIT;
    u8 near[12288];
    struct room mine = {.p = near, .len = estimate(base.len, exponent.len, modulus.len)};
    if (mine.len > sizeof near) {
        mine.p = mine.len <= room_max ? malloc(mine.len) : NULL;
        if (!mine.p)
            return KL_NOMEM;
    }
    room = &mine;
    memset(out, 0, out_len - modulus.len);
    power(out + out_len - modulus.len, base, exponent, modulus);
    room = NULL;
    if (mine.p != near)
        free(mine.p);
    *spilled = mine.spilled;
    return KL_OK;
}

kl_status kl_modexp_var(u8 *out, usize out_len, kl_span base, kl_span exponent, kl_span modulus)
{
    usize spilled;
    KL_ASSERT(out_len == modulus.len);
    return kl_modexp_within(out, SIZE_MAX, &spilled, base, exponent, modulus);
}
