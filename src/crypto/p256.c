/* libcrypto's curve arithmetic, and ECDSA's few lines [FIPS 186-5 section 6.4.2] on top of it: the
 * library's own verify function would make a key object for every call.  The group object is made
 * at the first use and only read afterwards. */
#include "crypto/p256.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>

#include "base/sync.h"

static const EC_GROUP *curve(void)
{
    static kl_mutex mutex = KL_MUTEX_INIT;
    static EC_GROUP *group;
    kl_lock(&mutex);
    if (!group)
        group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    KL_ASSERT(group);
    kl_unlock(&mutex);
    return group;
}

static void end_ctx(BN_CTX **ctx)
{
    BN_CTX_end(*ctx);
    BN_CTX_free(*ctx);
}

static void free_point(EC_POINT **point)
{
    EC_POINT_free(*point);
}

/* Is v in [1, n)? */
static bool in_order(const BIGNUM *v, const BIGNUM *n)
{
    return !BN_is_zero(v) && BN_cmp(v, n) < 0;
}

/* Sets point to (x, y); false when a coordinate is not below the field's modulus, which the library
 * would reduce, or when there is no such point.  Its complaint is taken back out of the thread's
 * error queue, where TLS code would find it. */
static bool set_point(const EC_GROUP *group, EC_POINT *point, const BIGNUM *x, const BIGNUM *y,
                      BN_CTX *ctx)
{
    const BIGNUM *p = EC_GROUP_get0_field(group);
    if (BN_cmp(x, p) >= 0 || BN_cmp(y, p) >= 0)
        return false;
    ERR_set_mark();
    bool on_curve = EC_POINT_set_affine_coordinates(group, point, x, y, ctx);
    KL_ASSERT(on_curve || ERR_GET_REASON(ERR_peek_last_error()) == EC_R_POINT_IS_NOT_ON_CURVE);
    ERR_pop_to_mark();
    return on_curve;
}

bool kl_p256_verify_var(const u8 digest[32], const u8 r_s[64], const u8 x_y[64])
{
    const EC_GROUP *group = curve();
    const BIGNUM *n = EC_GROUP_get0_order(group);
    KL_CLEANUP(end_ctx) BN_CTX *ctx = BN_CTX_new();
    KL_ASSERT(ctx);
    BN_CTX_start(ctx);
    KL_CLEANUP(free_point) EC_POINT *point = EC_POINT_new(group);
    BIGNUM *e = BN_CTX_get(ctx), *r = BN_CTX_get(ctx), *s = BN_CTX_get(ctx);
    BIGNUM *x = BN_CTX_get(ctx), *y = BN_CTX_get(ctx);
    KL_ASSERT(point && y);
    KL_ASSERT(BN_bin2bn(digest, 32, e) && BN_bin2bn(r_s, 32, r) && BN_bin2bn(r_s + 32, 32, s));
    KL_ASSERT(BN_bin2bn(x_y, 32, x) && BN_bin2bn(x_y + 32, 32, y));

    /* EIP-7951's spelling of the point at infinity, (0, 0), is off the curve. */
    if (!in_order(r, n) || !in_order(s, n) || !set_point(group, point, x, y, ctx))
        return false;

    KL_ASSERT(BN_mod_inverse(s, s, n, ctx));
    KL_ASSERT(BN_mod_mul(e, e, s, n, ctx) && BN_mod_mul(s, r, s, n, ctx));
    KL_ASSERT(EC_POINT_mul(group, point, e, point, s, ctx));
    if (EC_POINT_is_at_infinity(group, point))
        return false;
    KL_ASSERT(EC_POINT_get_affine_coordinates(group, point, x, NULL, ctx));
    KL_ASSERT(BN_nnmod(x, x, n, ctx));
    return BN_cmp(x, r) == 0;
}
